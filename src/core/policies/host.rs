//! Pinned host memory.

use super::{Address, WithFlags, log_rewrite, rewrite_flags, with_flags};
use crate::call::{Call, guarded};
use crate::copies::Copy;
use crate::requested_flags::HOST_FLAGS;
use crate::substitution::Substitution;
use rmcp_abi::{HipError, Hook};
use rmcp_domain::policy::{self, Decision, Reason};
use std::ffi::c_void;

type Register = unsafe extern "C-unwind" fn(*mut c_void, usize, u32) -> HipError;
type WithoutFlags = unsafe extern "C-unwind" fn(Address, usize) -> HipError;

/// hipHostMalloc.
#[inline]
pub fn host(call: &Call<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match call.decide(|rules| policy::host_flags(flags, rules)) {
        Decision::Forward => forget_at(ptr, call.forward(|real| with_flags(real, ptr, size, flags))),
        Decision::Rewrite { to, reason } => {
            let status = rewrite_flags(call, ptr, size, flags, to, reason);
            remember_noncoherent(call.copy, ptr, flags, status);
            status
        }
    }
}

/// hipHostAlloc: what it would allocate comes from hipHostMalloc, since its own flags mean other things.
pub fn host_alloc(call: &Call<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    let forward = || forget_at(ptr, call.forward(|real| with_flags(real, ptr, size, flags)));
    match call.decide(|rules| policy::host_alloc(flags, rules)) {
        Decision::Forward => forward(),
        Decision::Rewrite { to, reason } => by_host_malloc(call, ptr, size, flags, to, reason).unwrap_or_else(forward),
    }
}

/// hipMemAllocHost, which is hipHostMalloc with flags 0.
pub fn mem_alloc_host(call: &Call<WithoutFlags>, ptr: Address, size: usize) -> HipError {
    // SAFETY: the program's arguments.
    let forward = || forget_at(ptr, call.forward(|real| unsafe { real(ptr, size) }));
    match call.decide(policy::mem_alloc_host) {
        Decision::Forward => forward(),
        Decision::Rewrite { to, reason } => by_host_malloc(call, ptr, size, 0, to, reason).unwrap_or_else(forward),
    }
}

/// hipMallocHost.
pub fn malloc_host(call: &Call<WithoutFlags>, ptr: Address, size: usize) -> HipError {
    // SAFETY: the program's arguments.
    forget_at(ptr, call.forward(|real| unsafe { real(ptr, size) }))
}

/// hipHostRegister.
pub fn host_register(call: &Call<Register>, ptr: *mut c_void, size: usize, flags: u32) -> HipError {
    // SAFETY: the program's arguments.
    let status = call.forward(|real| unsafe { real(ptr, size, flags) });
    if status == 0 {
        HOST_FLAGS.remove(ptr as u64);
    }
    status
}

/// Forgets what was requested of memory that lay where a call has now allocated other.
fn forget_at(ptr: Address, status: HipError) -> HipError {
    if status == 0 {
        // SAFETY: the runtime returned success, so it wrote the address.
        HOST_FLAGS.remove(unsafe { *ptr } as u64);
    }
    status
}

/// Serves `call` by the real hipHostMalloc. None, and nothing done, where the runtime has none.
fn by_host_malloc<F: std::marker::Copy>(
    call: &Call<F>,
    ptr: Address,
    size: usize,
    requested: u32,
    passed: u32,
    reason: Reason,
) -> Option<HipError> {
    let host_malloc = call.copy.function(Hook::hipHostMalloc);
    if host_malloc.is_null() {
        return None;
    }
    // SAFETY: the hook table gives hipHostMalloc this type.
    let host_malloc = unsafe { std::mem::transmute::<*mut c_void, WithFlags>(host_malloc) };
    let status = call.rewrite(Substitution::Flags(passed), |_| with_flags(host_malloc, ptr, size, passed));
    remember_noncoherent(call.copy, ptr, requested, status);
    log_rewrite(call, size, requested, passed, reason, status);
    Some(status)
}

/// Remembers what was requested for memory that is non-coherent in place of coherent; nothing where the call failed.
fn remember_noncoherent(copy: &Copy, ptr: Address, requested: u32, status: HipError) {
    if status == 0 {
        // SAFETY: the runtime returned success, so it wrote the address.
        let address = unsafe { *ptr } as u64;
        let is_alive = |other: u64| copy.runtime().is_noncoherent(other as *mut c_void);
        guarded(|| HOST_FLAGS.insert(address, requested, is_alive));
    }
}
