//! Events.

use super::{Address, HipCall, log_rewrite};
use crate::machine;
use crate::substitution::Substitution;
use rmcp_abi::HipError;
use rmcp_abi::flags::EVENT_DISABLE_SYSTEM_FENCE;
use rmcp_domain::policy::{self, Decision};

type EventCreate = unsafe extern "C" fn(Address, u32) -> HipError;

/// hipEventCreateWithFlags.
pub fn event_create(call: &HipCall<EventCreate>, event: Address, flags: u32) -> HipError {
    match policy::event_flags(flags, machine::makes_noncoherent(), call.rules()) {
        // What the runtime refuses it shall refuse itself.
        Decision::Rewrite { to, reason } if !refuses(call, flags) => {
            // SAFETY: the program's arguments, with other flags of the same call.
            let status = call.rewrite(Substitution::Flags(to), |real| unsafe { real(event, to) });
            log_rewrite(call, 0, flags, to, reason, status);
            status
        }
        // SAFETY: the program's arguments.
        _ => call.forward(|real| unsafe { real(event, flags) }),
    }
}

fn refuses(call: &HipCall<EventCreate>, flags: u32) -> bool {
    flags & EVENT_DISABLE_SYSTEM_FENCE != 0 && call.caller.runtime().refuses_disable_system_fence()
}
