//! Managed memory.

use super::{Address, HipCall, WithFlags, rewrite_flags, with_flags};
use crate::requested_flags::MANAGED_RANGES;
use crate::substitution::Substitution;
use rmcp_abi::{HipError, flags};
use rmcp_domain::policy::{self, ManagedDecision, Reason};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::debug;

/// Whether any managed memory of this process was advised SetCoarseGrain.
static ANY_ADVISED: AtomicBool = AtomicBool::new(false);

/// hipMallocManaged.
#[inline]
pub fn managed(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match call.decide(|rules| policy::managed(flags, rules)) {
        ManagedDecision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        ManagedDecision::Attach(to, reason) => rewrite_flags(call, ptr, size, flags, to, reason),
        ManagedDecision::AdviseCoarse(reason) => malloc_coarse(call, ptr, size, flags, reason),
    }
}

#[inline(never)]
fn malloc_coarse(call: &HipCall<WithFlags>, ptr: Address, size: usize, flags: u32, reason: Reason) -> HipError {
    let status = call.rewrite(Substitution::None, |real| with_flags(real, ptr, size, flags));
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
            ANY_ADVISED.store(true, Ordering::Relaxed);
            MANAGED_RANGES.insert(range as u64, 0);
            call.note_substitution(Substitution::CoarseAdvice);
            debug!("hipMallocManaged size={size}: advised SetCoarseGrain for device {device} ({})", reason.text());
        }
        Err(why) => {
            debug!("hipMallocManaged size={size}: SetCoarseGrain refused with error {why}; memory kept as it is")
        }
    }
}

/// Forgets that the range at `address` was advised; None: it was not.
pub fn take_range(address: u64) -> Option<u32> {
    if ANY_ADVISED.load(Ordering::Relaxed) { MANAGED_RANGES.remove(address) } else { None }
}
