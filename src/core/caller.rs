//! Who calls: whose wish a call is, and under which rules it stands. Told by the place that the call returns to.
//!
//! What is kept does not grow with the libraries that come and go: callers of the same kind and rules are one, and the places
//! are kept in a table of fixed size.

use crate::copies::Copy;
use crate::imports;
use crate::isolation::isolated;
use crate::machine::{self, RuleSet};
use log::info;
use once_cell::race::{OnceBox, OnceRef};
use rmcp_abi::call_instruction::called_function;
use rmcp_abi::find_object::{identity, module_of};
use rmcp_abi::gate::{CallFrame, Gate};
use rmcp_abi::link_map::{LinkMap, Origin};
use rmcp_abi::module::{Module, with_loader_lock};
use rmcp_abi::sites::{CallSites, Site};
use rmcp_abi::{Hook, Library};
use std::ffi::{OsStr, c_void};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;

/// Callers with the same rules.
#[derive(PartialEq)]
pub struct Caller {
    /// What kind of object calls.
    pub kind: CallerKind,
    /// The rules for its calls; None: there are none.
    pub rules: Option<RuleSet>,
}

/// Whose wish a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// The program's, or that of one of its libraries.
    Program,
    /// A HIP or HSA runtime's, which allocates for itself.
    Runtime,
    /// RMCP's own.
    Rmcp,
}

/// Every caller that was told apart. There are as many as sections of files and known libraries have different rules.
static CALLERS: [OnceBox<Caller>; 256] = [const { OnceBox::new() }; 256];

/// The callers of the calls that return to the same place.
static SITES: CallSites<1024> = CallSites::new();

/// A whole object in [`SITES`], by its lowest address: a number that no hook has.
const OBJECT: usize = 127;

/// What cannot be told apart, since nothing is known or there is no memory: its calls are forwarded.
static UNKNOWN: Caller = Caller { kind: CallerKind::Program, rules: None };

/// The gate of this process, which lends its place in the global scope.
pub static GATE: OnceRef<'static, Gate> = OnceRef::new();

/// The gate's own export of `hook`, for those who ask for its address.
pub fn export(hook: Hook) -> Option<*mut c_void> {
    let gate = module_of(&raw const *GATE.get()? as usize)?;
    LinkMap::detached(&gate).function(hook.info().symbol)
}

/// Who makes the call of `hook` that returns to `address` and goes to `copy`.
#[inline]
pub fn caller_of(hook: Hook, address: usize, copy: &'static Copy) -> &'static Caller {
    match find(Site::new(hook as usize, address), address) {
        Some(caller) => caller,
        None => isolated(|| identify(hook, address, copy)).unwrap_or(&UNKNOWN),
    }
}

#[inline]
fn find(site: Option<Site>, address: usize) -> Option<&'static Caller> {
    let known = SITES.find(site?, || identity(address).unwrap_or_default())?;
    CALLERS.get(known)?.get()
}

/// Who it is, by a look at the object that holds the place. One that does not name the function can call it by its address,
/// from dlsym; or it has called another that ends in a jump to it. Such calls are looked at each time.
#[cold]
fn identify(hook: Hook, address: usize, copy: &'static Copy) -> &'static Caller {
    let Some(module) = module_of(address) else { return object_caller(None, copy) };
    let names = |module: &Module| LinkMap::detached(module).names(hook.info().symbol);
    if !module.is_program() || names(&module) {
        let caller = object_caller(Some(&module), copy);
        note(Site::new(hook as usize, address), caller, &module);
        return caller;
    }
    let called = called_function(&CallFrame::new(address)).and_then(module_of);
    let by_jump = called.filter(|called| called.is_program() && names(called));
    object_caller(Some(by_jump.as_ref().unwrap_or(&module)), copy)
}

/// The caller that is this object; None: code outside every object, such as generated code, which is the program's.
fn object_caller(module: Option<&Module>, copy: &'static Copy) -> &'static Caller {
    let Some(module) = module else { return known_caller(CallerKind::Program, "", 0, copy) };
    let site = Site::new(OBJECT, module.start);
    if let Some(caller) = find(site, module.start) {
        return caller;
    }
    let kind = if module.is_program() {
        CallerKind::Program
    } else if module.is_rmcp() {
        CallerKind::Rmcp
    } else {
        CallerKind::Runtime
    };
    let path = module.path().to_str().unwrap_or_default();
    let caller = known_caller(kind, path, module.dynamic.addr(), copy);
    if let Some(why) = caller.rules.as_ref().and_then(|rules| rules.exception.as_ref()) {
        info!("{} has rules of its own: {why}", name(Some(module)));
    }
    note(site, caller, module);
    caller
}

/// The caller with the rules of the file at `path`.
fn known_caller(kind: CallerKind, path: &str, address: usize, copy: &'static Copy) -> &'static Caller {
    let version = || match copy.library() {
        Library::Hip => copy.runtime().version(),
        Library::Hsa => None,
    };
    let Some(machine) = machine::detect(kind == CallerKind::Program) else { return &UNKNOWN };
    let rules = (kind != CallerKind::Rmcp).then(|| machine.rules_for(path, || imports::linkage(address, version)));
    let mut new = Box::new(Caller { kind, rules });
    for place in &CALLERS {
        if place.get().is_none() {
            match place.set(new) {
                Ok(()) => return place.get().unwrap_or(&UNKNOWN),
                Err(refused) => new = refused,
            }
        }
        if let Some(known) = place.get().filter(|known| **known == *new) {
            return known;
        }
    }
    &UNKNOWN
}

/// Notes the caller for the calls of a place within `module`.
fn note(site: Option<Site>, caller: &'static Caller, module: &Module) {
    let number = CALLERS.iter().position(|known| known.get().is_some_and(|known| std::ptr::eq(known, caller)));
    let at_start =
        || with_loader_lock(|| LinkMap::of_module(module, LinkMap::first()?)).is_some_and(Origin::is_at_start);
    if let (Some(site), Some(number)) = (site, number) {
        // Where the C library cannot tell without a lock, the place must do.
        let unloadable = identity(module.start).filter(|_| !at_start());
        SITES.insert(site, number, unloadable);
    }
}

/// What a caller is called in the log: its file's name.
pub fn name(module: Option<&Module>) -> impl Display {
    match module.map(Module::file_name) {
        Some(name) if !name.is_empty() => OsStr::from_bytes(name).display(),
        _ => OsStr::new("the program").display(),
    }
}
