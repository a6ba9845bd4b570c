//! Where a slot of the gate leads: straight to the real function, unless a rule could change the call or it is watched, and
//! the runtime's own table does not lead to the hook anyway.

use crate::isolation::isolated;
use crate::machine::Machine;
use crate::{api, caller, copies, dispatch_table, hooks, machine, watch};
use log::info;
use rmcp_abi::find_object::module_of;
use rmcp_abi::gate::{BindingScope, CallFrame, CoreBind, Gate};
use rmcp_abi::resolve::{self, RealFunction};
use rmcp_abi::{Hook, Policy};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the gate calls. See [`CoreBind`].
///
/// # Safety
/// `gate` lives as long as the process, `symbol` is NUL-terminated, `frame` can be read and `scope_out` written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmcp_core_bind(
    gate: *const Gate,
    symbol: *const c_char,
    frame: *const CallFrame,
    scope_out: *mut BindingScope,
) -> *mut c_void {
    const _: CoreBind = rmcp_core_bind;
    // SAFETY: the caller's promise.
    let (gate, symbol, frame, scope_out) = unsafe { (&*gate, CStr::from_ptr(symbol), &*frame, &mut *scope_out) };
    if gate.size < size_of::<Gate>() {
        return null_mut();
    }
    let answer = isolated(|| target(gate, symbol, frame)).flatten();
    let (target, scope) = answer.unwrap_or((null_mut(), BindingScope::Call));
    *scope_out = scope;
    target
}

/// The function that a call of `symbol` goes to, and which other calls go there too. None: the gate finds it by itself.
fn target(gate: &'static Gate, symbol: &CStr, frame: &CallFrame) -> Option<(*mut c_void, BindingScope)> {
    let _ = caller::GATE.set(gate);
    if let Some(function) = api::function(symbol) {
        return Some((function, BindingScope::AllCallers));
    }
    let hook = *Hook::ALL.iter().find(|hook| hook.info().symbol == symbol)?;
    let real = resolve::real_function(hook.symbol(), frame, gate)?;
    let Some(number) = real.copy else {
        // No business of RMCP's, and straight to it, so that nothing of RMCP's is on the stack.
        report_foreign_function(symbol, &real);
        return Some((real.address, real.scope));
    };
    let caller = module_of(frame.return_address);
    // The runtime can call while it holds locks of its own: nothing may be asked of it then.
    let by_runtime = caller.as_ref().is_some_and(rmcp_abi::module::Module::is_runtime);
    let machine = machine::detect(!by_runtime);
    if hook == Hook::hsa_init {
        // As each copy of libamdhip64 does when it starts, with its table filled.
        dispatch_table::on_runtime_start(caller.as_ref());
    }
    // Those that started before anybody could say which GPUs there are.
    dispatch_table::take_waiting();
    let copy = copies::copy(hook.library(), number);
    let target =
        if is_hooked(hook, machine) && !copy.is_in_table(hook) { hooks::entry(hook, number) } else { real.address };
    // Every start of a runtime is to be seen, and what is not known yet is asked anew.
    let scope = if machine.is_none() || hook == Hook::hsa_init { BindingScope::Call } else { real.scope };
    Some((target, scope))
}

/// Whether calls of `hook` are to meet it.
pub fn is_hooked(hook: Hook, machine: Option<&Machine>) -> bool {
    let changes = machine.is_some_and(|machine| machine.may_change(hook)) && !machine::disabled();
    changes || watch::is_watched(hook) || hands_out_functions(hook)
}

/// Whether it is one of the calls that hand out functions. What they find must be what the program was linked with, also
/// where nothing is changed: a program may compare.
pub fn hands_out_functions(hook: Hook) -> bool {
    matches!(hook.policy(), Policy::proc_address | Policy::entry_point)
}

/// Has every slot and every place of the runtimes' tables bound anew, under what holds from here on.
pub fn release() {
    for &hook in Hook::ALL.iter().filter(|&&hook| !is_hooked(hook, machine::detected())) {
        copies::all(hook.library()).for_each(|copy| copy.give_place_back(hook));
    }
    if let Some(gate) = caller::GATE.get() {
        (gate.release)();
    }
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
