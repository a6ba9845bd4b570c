//! Where a slot of the gate leads.

use crate::caller::{self, Who};
use crate::resolve::{self, Copies};
use crate::unnoticed::unnoticed;
use crate::{api, hooks, machine, watch};
use rmcp_hooks::Hook;
use rmcp_hooks::gate::{CoreBind, Gate};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

/// What the gate calls. See [`CoreBind`].
///
/// # Safety
/// `gate` lives as long as the process, `symbol` is NUL-terminated, `keep` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmcp_core_bind(
    gate: *const Gate,
    symbol: *const c_char,
    caller: usize,
    keep: *mut bool,
) -> *mut c_void {
    const _: CoreBind = rmcp_core_bind;
    // SAFETY: the caller's promise.
    let (gate, symbol, keep) = unsafe { (&*gate, CStr::from_ptr(symbol), &mut *keep) };
    if gate.size < size_of::<Gate>() {
        return null_mut();
    }
    let (target, for_ever) = unnoticed(|| target(gate, symbol, caller)).unwrap_or((null_mut(), false));
    *keep = for_ever;
    target
}

/// The function that a call of `symbol` from `address` goes to, and whether every later call goes there too.
fn target(gate: &'static Gate, symbol: &CStr, address: usize) -> (*mut c_void, bool) {
    let serves = caller::serves(gate);
    if let Some(function) = api::function(symbol) {
        return (function, true);
    }
    // The other gate finds the real function by itself.
    if !serves {
        return (null_mut(), false);
    }
    let Some(&hook) = Hook::ALL.iter().find(|hook| hook.info().symbol == symbol) else { return (null_mut(), false) };
    let starts = symbol == resolve::STARTS;
    if starts {
        caller::starts(address);
    }
    let caller = caller::of(address);
    // The runtime can call while it holds locks of its own: nothing may be asked of it then.
    let machine = machine::detect(caller.who == Who::Program);
    if machine.is_some_and(|machine| machine.active()) || watch::wants(hook) {
        return (hooks::entry(hook), true);
    }
    // Inactive: straight to the real function, as long as that is the same one for every caller; else to the hook, which
    // forwards to each one's own.
    let copies = resolve::copies_of(hook.info().library);
    if copies == Copies::Several && machine.is_some() {
        if let Some(gate) = caller::GATE.get() {
            (gate.release)();
        }
        caller::several();
        return (hooks::entry(hook), true);
    }
    let real = caller.real(hook);
    (real, machine.is_some() && !real.is_null() && copies == Copies::One && !starts)
}
