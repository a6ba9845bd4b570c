//! Managed memory.

use super::{Address, HipCall, WithFlags, report, with_flags};
use crate::asked::MANAGED;
use crate::call::Given;
use rmcp_abi::{HipError, flags};
use rmcp_domain::policy::{self, ManagedDecision, Reason};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::debug;

/// Whether any managed memory of this process was advised SetCoarseGrain.
static ADVISED: AtomicBool = AtomicBool::new(false);

/// hipMallocManaged.
#[inline]
pub fn managed(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match call.decide(|rules| policy::managed(flags, rules)) {
        ManagedDecision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        ManagedDecision::Attach(to, reason) => attach(call, ptr, size, flags, to, reason),
        ManagedDecision::AdviseCoarse(reason) => coarse(call, ptr, size, flags, reason),
    }
}

#[inline(never)]
fn attach(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32, to: u32, reason: Reason) -> HipError {
    let status = call.rewrite(Given::Flags(to), |real| with_flags(real, ptr, size, to));
    report(call, size, flags, to, reason, status);
    status
}

#[inline(never)]
fn coarse(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32, reason: Reason) -> HipError {
    let status = call.rewrite(Given::AsAsked, |real| with_flags(real, ptr, size, flags));
    if status == 0 {
        advise_coarse(call, ptr, size, reason);
    }
    status
}

/// The advice that follows a successful hipMallocManaged; the runtime may refuse it.
fn advise_coarse(call: &HipCall<WithFlags>, ptr: Address, size: usize, reason: Reason) {
    // SAFETY: hipMallocManaged returned success, so it wrote the address.
    let range = unsafe { *ptr };
    let runtime = call.caller.runtime();
    let device = runtime.device().unwrap_or(0);
    match runtime.advise(range, size, flags::ADVISE_SET_COARSE_GRAIN, device) {
        Ok(()) => {
            ADVISED.store(true, Ordering::Relaxed);
            MANAGED.insert(range as u64, 0);
            call.give(Given::CoarseAdvice);
            debug!("hipMallocManaged size={size}: advised SetCoarseGrain for device {device} ({})", reason.text());
        }
        Err(why) => {
            debug!("hipMallocManaged size={size}: SetCoarseGrain refused with error {why}; memory kept as it is")
        }
    }
}

/// Forgets that the range at `address` was advised; None: it was not.
pub fn forget(address: u64) -> Option<u32> {
    if ADVISED.load(Ordering::Relaxed) { MANAGED.remove(address) } else { None }
}
