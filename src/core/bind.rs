//! Where a slot of the gate leads.

use crate::caller::{self, Who};
use crate::unnoticed::unnoticed;
use crate::{api, hooks, machine, watch};
use rmcp_abi::gate::{CoreTarget, Gate, Holds};
use rmcp_abi::resolve::{self, Real};
use rmcp_abi::{Hook, Policy};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::info;

/// What the gate calls. See [`CoreTarget`].
///
/// # Safety
/// `gate` lives as long as the process, `symbol` is NUL-terminated, `holds` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmcp_core_target(
    gate: *const Gate,
    symbol: *const c_char,
    caller: usize,
    holds: *mut Holds,
) -> *mut c_void {
    const _: CoreTarget = rmcp_core_target;
    // SAFETY: the caller's promise.
    let (gate, symbol, holds) = unsafe { (&*gate, CStr::from_ptr(symbol), &mut *holds) };
    if gate.size < size_of::<Gate>() {
        return null_mut();
    }
    let answer = unnoticed(|| target(gate, symbol, caller)).flatten();
    let (target, for_which) = answer.unwrap_or((null_mut(), Holds::ForThisCall));
    *holds = for_which;
    target
}

/// The function that a call of `symbol` from `address` goes to, and which other calls go there too. None: the gate finds it
/// by itself.
fn target(gate: &'static Gate, symbol: &CStr, address: usize) -> Option<(*mut c_void, Holds)> {
    let _ = caller::GATE.set(gate);
    if let Some(function) = api::function(symbol) {
        return Some((function, Holds::ForAll));
    }
    let hook = *Hook::ALL.iter().find(|hook| hook.info().symbol == symbol)?;
    let real = resolve::real(symbol, hook.info().library.file_prefix(), address, gate.next);
    // No business of RMCP's, and straight to it, so that nothing of RMCP's is on the stack.
    if let Some(real) = real.filter(|real| !real.of_runtime) {
        report_other(symbol, &real);
        return Some((real.function, real.holds()));
    }
    if hook == Hook::hsa_init {
        caller::starts(address);
    }
    let caller = caller::of(address);
    // The runtime can call while it holds locks of its own: nothing may be asked of it then.
    let machine = machine::detect(caller.who == Who::Program);
    if machine.is_some_and(machine::Machine::active) || watch::wants(hook) || hands_out(hook) {
        return Some((hooks::entry(hook), Holds::ForAll));
    }
    real.map(|real| (real.function, if machine.is_some() { real.holds() } else { Holds::ForThisCall }))
}

/// Whether it is one of the calls that hand out functions. What they find must be what the program was linked with, also
/// where nothing is changed: a program may compare.
fn hands_out(hook: Hook) -> bool {
    matches!(hook.policy(), Policy::proc_address | Policy::entry_point)
}

/// Says once in a process of which RMCP is part that there are such functions.
fn report_other(symbol: &CStr, real: &Real) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if machine::known().is_none_or(|machine| !machine.active()) || SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let module = resolve::module_of(real.function as usize);
    let file = module.as_ref().map_or_else(Default::default, |module| module.path().to_string_lossy());
    info!("{} of {file} is no runtime's function: such calls are left alone", symbol.to_string_lossy());
}
