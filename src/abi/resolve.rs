//! Finding the function that a call goes to, without ever loading a library: in the objects' own tables of symbols.
//!
//! The rule is that of `docs/understand/how-it-works.md`: the function that the caller would be bound
//! to without the gate, and never one of our own. The loader itself is asked only which of several objects is in the global
//! scope, and that once.

use crate::Symbol;
use crate::call_instruction::called_function;
use crate::copies;
use crate::find_object::{identity, module_of};
use crate::gate::{BindingScope, CallFrame, Gate};
use crate::link_map::{LinkMap, Origin, find_in_scope};
use crate::module::with_loader_lock;
use crate::sites::{CallSites, Site};
use core::ffi::{CStr, c_char, c_void};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A function that a call goes to.
#[derive(Clone, Copy)]
pub struct RealFunction {
    /// Its address.
    pub address: *mut c_void,
    /// The number of the copy of a runtime that it belongs to; None: it is none of HIP or HSA, or of a copy too many.
    pub copy: Option<usize>,
    /// Which calls go there.
    pub scope: BindingScope,
}

/// See [`Gate::next_definition`].
pub type NextDefinition = unsafe extern "C" fn(symbol: *const c_char) -> *mut c_void;

/// Callers that were told apart where several objects define a function, and the numbers of their copies.
#[unsafe(link_section = ".data")]
static CALLERS: CallSites<256> = CallSites::new();

/// The function that `symbol` means to the code that makes the call: the one that it would be bound to without the gate, and
/// where there is none such, that of the first runtime.
///
/// An object that was there when the program started sees the global scope alone. One that came by dlopen sees what was
/// global before it, then what came with it, then what became global after it.
pub fn real_function(symbol: Symbol, frame: &CallFrame, gate: &Gate) -> Option<RealFunction> {
    let Symbol { name, library, number } = symbol;
    let site = Site::new(number, frame.return_address);
    let known = site.and_then(|site| CALLERS.find(site, || identity(frame.return_address).unwrap_or_default()));
    if let Some(copy) = known {
        let address = copies::get(library, copy)?.function(name)?;
        return Some(RealFunction { address, copy: Some(copy), scope: BindingScope::Call });
    }
    let found = match search(symbol, frame, gate, None)? {
        Search::Found(found) => found,
        Search::NeedsGlobal(definers) => {
            // SAFETY: the symbol is NUL-terminated.
            let global = unsafe { (gate.next_definition)(name.as_ptr()) }.addr();
            let global = module_of(global).map_or(0, |module| module.dynamic.addr());
            GLOBALS[definers % GLOBALS.len()].set(definers, global);
            match search(symbol, frame, gate, Some(global))? {
                Search::Found(found) => found,
                Search::NeedsGlobal(_) => return None,
            }
        }
    };
    let copy = if found.map.module().is_runtime() { copies::register(library, found.map) } else { None };
    if let (Some(site), Some(copy), true) = (site, copy, found.told_apart) {
        CALLERS.insert(site, copy, identity(frame.return_address));
    }
    // What is not pinned may be unloaded, and another object come to lie in its place.
    let scope =
        if copy.is_some() || found.scope == BindingScope::AllCallers { found.scope } else { BindingScope::Call };
    Some(RealFunction { address: found.address, copy, scope })
}

/// The object that the loader finds first in the global scope, among the same objects that define a symbol: it is asked once,
/// for it may hold its lock.
#[unsafe(link_section = ".data")]
static GLOBALS: [Global; 16] = [const { Global { check: AtomicUsize::new(0), object: AtomicUsize::new(0) } }; 16];

struct Global {
    /// What the objects are recognised by, and the answer: so that two threads' do not mix.
    check: AtomicUsize,
    /// The address of its dynamic section; 0: none of them is global.
    object: AtomicUsize,
}

impl Global {
    fn get(&self, definers: usize) -> Option<usize> {
        let object = self.object.load(Ordering::Acquire);
        (self.check.load(Ordering::Acquire) ^ object == definers).then_some(object)
    }

    fn set(&self, definers: usize, object: usize) {
        self.object.store(object, Ordering::Release);
        self.check.store(definers ^ object, Ordering::Release);
    }
}

enum Search {
    Found(Found),
    /// It depends on which of the objects with this hash is in the global scope.
    NeedsGlobal(usize),
}

struct Found {
    address: *mut c_void,
    map: &'static LinkMap,
    scope: BindingScope,
    /// Whether it was found by who calls, and that is certain.
    told_apart: bool,
}

fn search(symbol: Symbol, frame: &CallFrame, gate: &Gate, global: Option<usize>) -> Option<Search> {
    let Symbol { name, library, .. } = symbol;
    let gate = module_of((&raw const *gate).addr());
    with_loader_lock(|| {
        let list = LinkMap::first()?;
        let gate = gate.and_then(|gate| LinkMap::of_module(&gate, list));
        let behind = gate.unwrap_or(list).iter_forward().skip(usize::from(gate.is_some()));
        let defines = |map: &LinkMap| !map.module().is_rmcp() && map.function(name).is_some();
        let definers = behind.filter(|map| defines(map));
        let first = definers.clone().next()?;
        let found = |map: &'static LinkMap, scope, told_apart| {
            Some(Search::Found(Found { address: map.function(name)?, map, scope, told_apart }))
        };
        if Origin::is_at_start(first) {
            return found(first, BindingScope::AllCallers, false);
        }
        if definers.clone().nth(1).is_none() {
            return found(first, BindingScope::Site, false);
        }
        let hash = |hash: usize, map: &'static LinkMap| {
            hash.rotate_left(7) ^ map.dynamic.addr() ^ map.module().file_name().len()
        };
        let hash = definers.clone().fold(1, hash);
        let Some(global) = global.or_else(|| GLOBALS[hash % GLOBALS.len()].get(hash)) else {
            return Some(Search::NeedsGlobal(hash));
        };
        let global = || definers.clone().find(|map| map.dynamic.addr() == global);
        let caller = calling_object(name, frame, list);
        let origin = caller.as_ref().map(|(object, _)| Origin::of(object)).filter(|origin| !origin.at_start);
        let own = || {
            let root = origin.as_ref()?.root;
            let before = global().filter(|global| global.precedes(root));
            before.or_else(|| find_in_scope(root, list, defines))
        };
        let of_library = |map: &&'static LinkMap| map.module().has_file_prefix(library.file_prefix());
        let chosen = own().or_else(global).or_else(|| definers.clone().find(of_library))?;
        found(chosen, BindingScope::Call, caller.is_some_and(|(_, certain)| certain))
    })
}

/// The object that makes a call of `symbol`, and whether each call from there is certainly its own. What the call instruction
/// called may have ended in a jump to the symbol; and an object that does not name the symbol has not called it by that name.
/// Where neither tells, it is the only object that names the symbol.
fn calling_object(symbol: &CStr, frame: &CallFrame, list: &'static LinkMap) -> Option<(&'static LinkMap, bool)> {
    let holder = |address| LinkMap::of_module(&module_of(address)?, list);
    let own = holder(frame.return_address);
    let called = called_function(frame).and_then(holder);
    let is_own = |map: &LinkMap| own.is_some_and(|own| ptr::eq(own, map));
    let names = |map: &&'static LinkMap| map.module().is_program() && map.names(symbol);
    if let Some(called) = called.filter(|called| !is_own(called) && names(called)) {
        return Some((called, false));
    }
    if let Some(own) = own.filter(|own| own.names(symbol)) {
        return Some((own, called.is_some_and(|called| called.module().is_rmcp())));
    }
    let mut others = list.iter_forward().filter(names);
    let only = others.next().filter(|_| others.next().is_none());
    only.or(own).map(|caller| (caller, false))
}
