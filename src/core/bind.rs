//! Where a slot of the gate leads.

use crate::caller::{self, CallerKind};
use crate::isolation::isolated;
use crate::{api, hooks, machine, watch};
use rmcp_abi::find_object::module_of;
use rmcp_abi::gate::{BindingScope, CoreTarget, Gate};
use rmcp_abi::resolve::{self, RealFunction};
use rmcp_abi::{Hook, Policy};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::info;

/// What the gate calls. See [`CoreTarget`].
///
/// # Safety
/// `gate` lives as long as the process, `symbol` is NUL-terminated, `scope_out` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmcp_core_target(
    gate: *const Gate,
    symbol: *const c_char,
    caller: usize,
    scope_out: *mut BindingScope,
) -> *mut c_void {
    const _: CoreTarget = rmcp_core_target;
    // SAFETY: the caller's promise.
    let (gate, symbol, scope_out) = unsafe { (&*gate, CStr::from_ptr(symbol), &mut *scope_out) };
    if gate.size < size_of::<Gate>() {
        return null_mut();
    }
    let answer = isolated(|| target(gate, symbol, caller)).flatten();
    let (target, scope) = answer.unwrap_or((null_mut(), BindingScope::Call));
    *scope_out = scope;
    target
}

/// The function that a call of `symbol` from `address` goes to, and which other calls go there too. None: the gate finds it
/// by itself.
fn target(gate: &'static Gate, symbol: &CStr, address: usize) -> Option<(*mut c_void, BindingScope)> {
    let _ = caller::GATE.set(gate);
    if let Some(function) = api::function(symbol) {
        return Some((function, BindingScope::AllCallers));
    }
    let hook = *Hook::ALL.iter().find(|hook| hook.info().symbol == symbol)?;
    let real = resolve::real_function(symbol, hook.info().library.file_prefix(), address, gate.next_definition);
    // No business of RMCP's, and straight to it, so that nothing of RMCP's is on the stack.
    if let Some(real) = real.filter(|real| !real.in_runtime) {
        report_foreign_function(symbol, &real);
        return Some((real.address, real.binding_scope()));
    }
    if hook == Hook::hsa_init {
        caller::on_runtime_start(address);
    }
    let caller = caller::caller_at(address);
    // The runtime can call while it holds locks of its own: nothing may be asked of it then.
    let machine = machine::detect(caller.kind == CallerKind::Program);
    if machine.is_some_and(machine::Machine::active) || watch::is_watched(hook) || hands_out_functions(hook) {
        return Some((hooks::gate_entry(hook), BindingScope::AllCallers));
    }
    real.map(|real| (real.address, if machine.is_some() { real.binding_scope() } else { BindingScope::Call }))
}

/// Whether it is one of the calls that hand out functions. What they find must be what the program was linked with, also
/// where nothing is changed: a program may compare.
fn hands_out_functions(hook: Hook) -> bool {
    matches!(hook.policy(), Policy::proc_address | Policy::entry_point)
}

/// Says once in a process of which RMCP is part that there are such functions.
fn report_foreign_function(symbol: &CStr, real: &RealFunction) {
    static REPORTED: AtomicBool = AtomicBool::new(false);
    if machine::detected().is_none_or(|machine| !machine.active()) || REPORTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let module = module_of(real.address as usize);
    let file = module.as_ref().map_or_else(Default::default, |module| module.path().to_string_lossy());
    info!("{} of {file} is no runtime's function: such calls are left alone", symbol.to_string_lossy());
}
