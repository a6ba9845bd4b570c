//! Events.

use super::{Address, HipCall, NONCOHERENT, report};
use crate::call::Given;
use rmcp::policy::{self, Decision};
use rmcp_hooks::HipError;
use std::sync::atomic::Ordering;

type EventCreate = unsafe extern "C" fn(Address, u32) -> HipError;

/// hipEventCreateWithFlags.
pub fn event(call: &HipCall<EventCreate>, event: Address, flags: u32) -> HipError {
    match policy::event_flags(flags, NONCOHERENT.load(Ordering::Relaxed), call.rules()) {
        // SAFETY: the program's arguments.
        Decision::Forward => call.forward(|real| unsafe { real(event, flags) }),
        Decision::Rewrite { to, reason } => {
            let status = call.rewrite(Given::Flags(to), |real| keep_fence(call, real, event, flags, to));
            report(call, 0, flags, to, reason, status);
            status
        }
    }
}

/// An event with the flags `to` in place of `asked`, which the runtime may refuse: ROCm 5.2.3 knows no
/// DisableSystemFence.
fn keep_fence(call: &HipCall<EventCreate>, real: EventCreate, event: Address, asked: u32, to: u32) -> HipError {
    if let Some(destroy) = call.caller.runtime().destroy_event {
        // SAFETY: the program's arguments.
        let status = unsafe { real(event, asked) };
        if status != 0 {
            return status;
        }
        // SAFETY: the runtime returned success, so it wrote the event, which nobody else has seen.
        unsafe { destroy(*event) };
    }
    // SAFETY: the program's arguments, with other flags of the same call.
    unsafe { real(event, to) }
}
