//! Managed memory.

use super::{Address, WithFlags, rewrite_flags, with_flags};
use crate::call::{Call, guarded};
use crate::requested_flags::MANAGED_RANGES;
use crate::substitution::Substitution;
use log::debug;
use rmcp_abi::{HipError, flags};
use rmcp_domain::policy::{self, ManagedDecision, Reason};
use std::ffi::c_void;

/// hipMallocManaged.
#[inline]
pub fn managed(call: &Call<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    match call.decide(|rules| policy::managed(flags, rules)) {
        ManagedDecision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        ManagedDecision::Attach(to, reason) => rewrite_flags(call, ptr, size, flags, to, reason),
        ManagedDecision::AdviseCoarse(reason) => malloc_coarse(call, ptr, size, flags, reason),
    }
}

#[inline(never)]
fn malloc_coarse(call: &Call<WithFlags>, ptr: Address, size: usize, attach: u32, reason: Reason) -> HipError {
    let status = call.rewrite(Substitution::None, |real| with_flags(real, ptr, size, attach));
    if status == 0 {
        // SAFETY: hipMallocManaged returned success, so it wrote the address.
        let range = unsafe { *ptr };
        let runtime = call.copy.runtime();
        let device = runtime.device().unwrap_or(0);
        // The runtime may refuse.
        let advised = runtime.advise(range, size, flags::ADVISE_SET_COARSE_GRAIN, device);
        guarded(|| note_advice(call, range, size, device, advised, reason));
    }
    status
}

fn note_advice(
    call: &Call<WithFlags>,
    range: *mut c_void,
    size: usize,
    device: i32,
    advised: Result<(), HipError>,
    reason: Reason,
) {
    match advised {
        Ok(()) => {
            let is_alive = |other| call.copy.runtime().is_coarse(other as *const c_void);
            MANAGED_RANGES.insert(range as u64, 0, is_alive);
            call.note_substitution(Substitution::CoarseAdvice);
            debug!("hipMallocManaged size={size}: advised SetCoarseGrain for device {device} ({})", reason.text());
        }
        Err(why) => {
            debug!("hipMallocManaged size={size}: SetCoarseGrain refused with error {why}; memory kept as it is")
        }
    }
}
