//! Events.

use super::{Address, HipCall, NONCOHERENT, report};
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
            // SAFETY: the program's arguments, with other flags of the same call.
            let status = call.rewrite(|real| unsafe { real(event, to) });
            report(call, 0, flags, to, reason, status);
            status
        }
    }
}
