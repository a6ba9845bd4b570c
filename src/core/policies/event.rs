//! Events.

use super::{Address, log_rewrite};
use crate::call::{Call, guarded};
use crate::machine;
use crate::substitution::Substitution;
use rmcp_abi::HipError;
use rmcp_abi::flags::EVENT_DISABLE_SYSTEM_FENCE;
use rmcp_domain::policy::{self, Decision, Rules};

type EventCreate = unsafe extern "C-unwind" fn(Address, u32) -> HipError;

/// hipEventCreateWithFlags.
pub fn event_create(call: &Call<EventCreate>, event: Address, flags: u32) -> HipError {
    let decide = |rules: &Rules| match policy::event_flags(flags, machine::makes_noncoherent(), rules) {
        // What the runtime refuses it shall refuse itself.
        Decision::Rewrite { .. } if refuses(call, flags) => Decision::Forward,
        decision => decision,
    };
    match guarded(|| decide(call.rules())).unwrap_or(Decision::Forward) {
        Decision::Rewrite { to, reason } => {
            // SAFETY: the program's arguments, with other flags of the same call.
            let status = call.rewrite(Substitution::Flags(to), |real| unsafe { real(event, to) });
            log_rewrite(call, 0, flags, to, reason, status);
            status
        }
        // SAFETY: the program's arguments.
        Decision::Forward => call.forward(|real| unsafe { real(event, flags) }),
    }
}

fn refuses(call: &Call<EventCreate>, flags: u32) -> bool {
    flags & EVENT_DISABLE_SYSTEM_FENCE != 0 && call.copy.runtime().refuses_disable_system_fence()
}
