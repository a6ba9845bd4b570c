//! What happens to each kind of call: the domain library decides, this forwards, counts and says so.

use crate::call::Call;
use crate::pools;
use rmcp::policy::{self, Decision, ManagedDecision, Reason};
use rmcp_hooks::{HipError, Hook, HsaPool, HsaStatus, flags};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::debug;

type Address = *mut *mut c_void;
type HipCall<F> = Call<F, HipError>;
type WithFlags = unsafe extern "C" fn(Address, usize, u32) -> HipError;
type EventCreate = unsafe extern "C" fn(Address, u32) -> HipError;
type PoolAllocate = unsafe extern "C" fn(HsaPool, usize, u32, Address) -> HsaStatus;
type WithoutFlags = unsafe extern "C" fn(Address, usize) -> HipError;

/// Whether memory of this process was made non-coherent: from then on its events need their system fence.
static NONCOHERENT: AtomicBool = AtomicBool::new(false);

/// hipHostMalloc.
pub fn host(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match policy::host_flags(flags, call.rules()) {
        Decision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        Decision::Rewrite { to, reason } => {
            let status = call.rewrite(|real| with_flags(real, ptr, size, to));
            made_noncoherent(call, size, flags, to, reason, status);
            status
        }
    }
}

/// hipHostAlloc: what it would allocate comes from hipHostMalloc, since its own flags mean other things.
pub fn host_alloc(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    let forward = || call.forward(|real| with_flags(real, ptr, size, flags));
    match policy::host_alloc(flags, call.rules()) {
        Decision::Forward => forward(),
        Decision::Rewrite { to, reason } => by_host_malloc(call, ptr, size, flags, to, reason).unwrap_or_else(forward),
    }
}

/// hipMemAllocHost, which is hipHostMalloc with flags 0.
pub fn mem_alloc_host(call: &HipCall<WithoutFlags>, ptr: Address, size: usize) -> HipError {
    // SAFETY: the program's arguments.
    let forward = || call.forward(|real| unsafe { real(ptr, size) });
    match policy::mem_alloc_host(call.rules()) {
        Decision::Forward => forward(),
        Decision::Rewrite { to, reason } => by_host_malloc(call, ptr, size, 0, to, reason).unwrap_or_else(forward),
    }
}

/// Serves `call` by the real hipHostMalloc. None, and nothing done, where the runtime has none.
fn by_host_malloc<F: Copy>(
    call: &HipCall<F>,
    ptr: Address,
    size: usize,
    asked: u32,
    given: u32,
    reason: Reason,
) -> Option<HipError> {
    let host_malloc = call.caller.real(Hook::hipHostMalloc);
    if host_malloc.is_null() {
        return None;
    }
    // SAFETY: the hook table gives hipHostMalloc this type.
    let host_malloc = unsafe { std::mem::transmute::<*mut c_void, WithFlags>(host_malloc) };
    let status = call.rewrite(|_| with_flags(host_malloc, ptr, size, given));
    made_noncoherent(call, size, asked, given, reason, status);
    Some(status)
}

/// hipMallocManaged.
pub fn managed(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match policy::managed(flags, call.rules()) {
        ManagedDecision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        ManagedDecision::Attach(to, reason) => {
            let status = call.rewrite(|real| with_flags(real, ptr, size, to));
            report(call, size, flags, to, reason, status);
            status
        }
        ManagedDecision::AdviseCoarse(reason) => {
            let status = call.rewrite(|real| with_flags(real, ptr, size, flags));
            if status == 0 {
                advise_coarse(call, ptr, size, reason);
            }
            status
        }
    }
}

/// The advice that follows a successful hipMallocManaged; the runtime may refuse it.
fn advise_coarse(call: &HipCall<WithFlags>, ptr: Address, size: usize, reason: Reason) {
    // SAFETY: hipMallocManaged returned success, so it wrote the address.
    let range = unsafe { *ptr };
    let runtime = call.caller.runtime();
    let device = runtime.device().unwrap_or(0);
    match runtime.advise(range, size, flags::ADVISE_SET_COARSE_GRAIN, device) {
        Ok(()) => {
            NONCOHERENT.store(true, Ordering::Relaxed);
            debug!("hipMallocManaged size={size}: advised SetCoarseGrain for device {device} ({})", reason.text());
        }
        Err(why) => {
            debug!("hipMallocManaged size={size}: SetCoarseGrain refused with error {why}; memory kept as it is")
        }
    }
}

/// hipExtMallocWithFlags.
pub fn ext(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    let refuses = flags == flags::DEVICE_FINEGRAINED && call.caller.runtime().refuses_finegrained();
    match policy::ext_flags(flags, refuses, call.rules()) {
        Decision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        Decision::Rewrite { to, reason } => {
            let status = call.rewrite(|real| with_flags(real, ptr, size, to));
            report(call, size, flags, to, reason, status);
            status
        }
    }
}

/// hipEventCreateWithFlags.
pub fn event(call: &HipCall<EventCreate>, event: Address, flags: u32) -> HipError {
    match policy::event_flags(flags, NONCOHERENT.load(Ordering::Relaxed), call.rules()) {
        // SAFETY: the program's arguments.
        Decision::Forward => call.forward(|real| unsafe { real(event, flags) }),
        Decision::Rewrite { to, reason } => {
            // SAFETY: the program's arguments, with other flags of the same call.
            let status = call.rewrite(|real| unsafe { real(event, to) });
            report(call, 0, flags, to, reason, status);
            status
        }
    }
}

/// hsa_amd_memory_pool_allocate.
pub fn pool(call: &Call<PoolAllocate, HsaStatus>, pool: HsaPool, size: usize, flags: u32, ptr: Address) -> HsaStatus {
    let rules = call.rules();
    // Listing the pools is dear; where no pool would be changed it is not done.
    if rules.may_change_pools()
        && let Some(kind) = pools::kind(call.caller, pool)
        && let Decision::Rewrite { to: (), reason } = policy::hsa_pool(kind.fine, kind.kernarg, rules)
        && let Some(coarse) = kind.coarse_sibling
    {
        // SAFETY: the program's arguments, with another pool of the same agent.
        let status = call.rewrite(|real| unsafe { real(coarse, size, flags, ptr) });
        let name = call.hook.info().name;
        debug!("{name} size={size} pool={pool:#x} -> {coarse:#x} ({}) = {status}", reason.text());
        return status;
    }
    // SAFETY: the program's arguments.
    call.forward(|real| unsafe { real(pool, size, flags, ptr) })
}

fn with_flags(real: WithFlags, ptr: Address, size: usize, flags: u32) -> HipError {
    // SAFETY: `real` is an allocation call of the HIP runtime, and the pointer and size are what the program passed to
    // its hook; flags are plain numbers, which the runtime checks.
    unsafe { real(ptr, size, flags) }
}

/// Notes and reports an attempt to allocate non-coherent memory in place of coherent.
fn made_noncoherent<F>(call: &HipCall<F>, size: usize, asked: u32, given: u32, reason: Reason, status: HipError) {
    if status == 0 {
        NONCOHERENT.store(true, Ordering::Relaxed);
    }
    report(call, size, asked, given, reason, status);
}

/// The debug line of a call with rewritten flags.
fn report<F>(call: &HipCall<F>, size: usize, asked: u32, given: u32, reason: Reason, status: HipError) {
    let name = call.hook.info().name;
    debug!("{name} size={size} flags={asked:#x} -> {given:#x} ({}) = {status}", reason.text());
}
