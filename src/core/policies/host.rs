//! Pinned host memory.

use super::{Address, HipCall, WithFlags, log_rewrite, managed, rewrite_flags, with_flags};
use crate::requested_flags::{HOST_FLAGS, MANAGED_RANGES};
use crate::substitution::Substitution;
use rmcp_abi::{HipError, Hook};
use rmcp_domain::policy::{self, Decision, Reason};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

type WithoutFlags = unsafe extern "C" fn(Address, usize) -> HipError;
/// Whether any pinned memory of this process was made non-coherent.
static ANY_NONCOHERENT: AtomicBool = AtomicBool::new(false);

type Free = unsafe extern "C" fn(*mut c_void) -> HipError;

/// hipHostMalloc.
#[inline]
pub fn host(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match call.decide(|rules| policy::host_flags(flags, rules)) {
        Decision::Forward => {
            let status = call.forward(|real| with_flags(real, ptr, size, flags));
            if status == 0 {
                // What stood there before may have been freed unseen, as by hipDeviceReset.
                // SAFETY: the runtime returned success, so it wrote the address.
                take_requested(unsafe { *ptr } as u64);
            }
            status
        }
        Decision::Rewrite { to, reason } => {
            let status = rewrite_flags(call, ptr, size, flags, to, reason);
            remember_noncoherent(ptr, flags, status);
            status
        }
    }
}

/// hipHostAlloc: what it would allocate comes from hipHostMalloc, since its own flags mean other things.
pub fn host_alloc(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    let forward = || call.forward(|real| with_flags(real, ptr, size, flags));
    match call.decide(|rules| policy::host_alloc(flags, rules)) {
        Decision::Forward => forward(),
        Decision::Rewrite { to, reason } => by_host_malloc(call, ptr, size, flags, to, reason).unwrap_or_else(forward),
    }
}

/// hipMemAllocHost, which is hipHostMalloc with flags 0.
pub fn mem_alloc_host(call: &HipCall<WithoutFlags>, ptr: Address, size: usize) -> HipError {
    // SAFETY: the program's arguments.
    let forward = || call.forward(|real| unsafe { real(ptr, size) });
    match call.decide(policy::mem_alloc_host) {
        Decision::Forward => forward(),
        Decision::Rewrite { to, reason } => by_host_malloc(call, ptr, size, 0, to, reason).unwrap_or_else(forward),
    }
}

/// Serves `call` by the real hipHostMalloc. None, and nothing done, where the runtime has none.
fn by_host_malloc<F: Copy>(
    call: &HipCall<F>,
    ptr: Address,
    size: usize,
    requested: u32,
    passed: u32,
    reason: Reason,
) -> Option<HipError> {
    let host_malloc = call.caller.real(Hook::hipHostMalloc).ok()?;
    // SAFETY: the hook table gives hipHostMalloc this type.
    let host_malloc = unsafe { std::mem::transmute::<*mut c_void, WithFlags>(host_malloc) };
    let status = call.rewrite(Substitution::Flags(passed), |_| with_flags(host_malloc, ptr, size, passed));
    remember_noncoherent(ptr, requested, status);
    log_rewrite(call, size, requested, passed, reason, status);
    Some(status)
}

/// Remembers what was requested for memory that is non-coherent in place of coherent; nothing where the call failed.
fn remember_noncoherent(ptr: Address, requested: u32, status: HipError) {
    if status == 0 {
        ANY_NONCOHERENT.store(true, Ordering::Relaxed);
        // SAFETY: the runtime returned success, so it wrote the address.
        HOST_FLAGS.insert(unsafe { *ptr } as u64, requested);
    }
}

/// hipFree, hipHostFree, hipFreeHost.
pub fn free(call: &HipCall<Free>, ptr: *mut c_void) -> HipError {
    // Before the real call: another thread may get the same address the moment it is free.
    let requested = take_requested(ptr as u64);
    let managed = if requested.is_none() { managed::take_range(ptr as u64) } else { None };
    // SAFETY: the program's argument.
    let status = call.forward(|real| unsafe { real(ptr) });
    if status != 0 {
        for (map, was) in [(&HOST_FLAGS, requested), (&MANAGED_RANGES, managed)] {
            if let Some(flags) = was {
                map.insert(ptr as u64, flags);
            }
        }
    }
    status
}

/// Forgets what was asked for, which it returns. Without a rewrite there is nothing to forget, and looking for it is a
/// cache miss.
fn take_requested(address: u64) -> Option<u32> {
    if ANY_NONCOHERENT.load(Ordering::Relaxed) { HOST_FLAGS.remove(address) } else { None }
}
