//! Finding the function that a call goes to, without ever loading a library.
//!
//! The rule is that of `docs/understand/how-it-works.md`: the function that the caller would be bound
//! to without the gate, and never one of our own.

use crate::find_object::module_of;
use crate::gate::BindingScope;
use crate::link_map::{LinkMap, Origin};
use crate::module::{Module, first_copy, with_loader_lock};
use core::ffi::{CStr, c_char, c_void};

/// A function that a call goes to.
#[derive(Clone, Copy)]
pub struct RealFunction {
    /// Its address.
    pub address: *mut c_void,
    /// Whether it is a runtime's, by its file's name. Then it stays mapped for the life of the process.
    pub in_runtime: bool,
    /// Whether every caller gets it, whatever is loaded later.
    pub same_for_all_callers: bool,
}

impl RealFunction {
    /// Which calls it serves.
    pub fn binding_scope(&self) -> BindingScope {
        match (self.same_for_all_callers, self.in_runtime) {
            (true, _) => BindingScope::AllCallers,
            (false, true) => BindingScope::Site,
            // Its library may be unloaded, and another come to lie in its place.
            (false, false) => BindingScope::SiteUntilUnload,
        }
    }
}

/// See [`crate::gate::Gate::next_definition`].
pub type NextDefinition = unsafe extern "C" fn(symbol: *const c_char) -> *mut c_void;

/// The function that `symbol` means to the code at `caller`: the one that it would be bound to without the gate, and where
/// there is none such, that of the first runtime whose file name begins with `prefix`.
///
/// An object that was there when the program started sees the global scope alone. One that came by dlopen sees what was
/// global before it, then what came with it, then what became global after it.
pub fn real_function(symbol: &CStr, prefix: &str, caller: usize, next: NextDefinition) -> Option<RealFunction> {
    let foreign = |found: *mut c_void| {
        let module = module_of(found as usize).filter(|module| !found.is_null() && !module.is_rmcp())?;
        Some((found, module))
    };
    // SAFETY: the symbol is NUL-terminated.
    let global = foreign(unsafe { next(symbol.as_ptr()) });
    let own = module_of(caller);
    let order = with_loader_lock(|| {
        let list = LinkMap::first()?;
        let global = global.and_then(|(_, module)| LinkMap::of_module(&module, list));
        let own = own.and_then(|own| LinkMap::of_module(&own, list));
        let caller = own.map(|own| Origin::of(own.calling_object(symbol, list)));
        Some(SearchOrder {
            global_at_start: global.is_some_and(|global| Origin::of(global).at_start),
            global_comes_first: match (&caller, global) {
                (Some(caller), Some(global)) => caller.at_start || global.precedes(caller.root),
                _ => true,
            },
            root: caller.filter(|caller| !caller.at_start).map(|caller| caller.root.module()),
        })
    });
    let order = order.unwrap_or(SearchOrder { global_at_start: false, global_comes_first: true, root: None });
    let local = || foreign(order.root?.lookup(symbol));
    let found = if order.global_comes_first { global.or_else(local) } else { local().or(global) };
    let from_first_copy = || foreign(first_copy(prefix)?.lookup(symbol));
    let (function, module) = found.or_else(from_first_copy)?;
    let in_runtime = module.is_runtime();
    if in_runtime {
        module.pin();
    }
    let same_for_all_callers = order.global_at_start && global.is_some_and(|(global, _)| global == function);
    Some(RealFunction { address: function, in_runtime, same_for_all_callers })
}

/// Where a caller's functions are looked for.
struct SearchOrder {
    /// Whether what the gate finds behind itself was there when the program started.
    global_at_start: bool,
    /// Whether it comes before what was loaded with the caller.
    global_comes_first: bool,
    /// The object whose loading brought the caller; None for one that was there when the program started.
    root: Option<Module>,
}
