//! The copies of the runtimes that calls have come to, and what RMCP knows of each.
//!
//! Two can live in one process, a wheel's and the system's, and each program must reach the one it links against. A hook has
//! an entry for each copy, so it knows its own.

#[cfg(test)]
mod model;
mod target;

use crate::hooks;
use crate::pools::{self, Pool};
use crate::runtime::Runtime;
use crate::symbols::Symbols;
use once_cell::race::OnceBox;
use rmcp_abi::copies::{self, MOST};
use rmcp_abi::find_object::module_of;
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::{Hook, Library};
use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::atomic::AtomicPtr;
use target::Target;

/// One loaded runtime library.
pub struct Copy {
    library: Library,
    number: usize,
    /// Where the hooks' calls go.
    targets: [Target; Hook::ALL.len()],
    runtime: OnceBox<Runtime>,
    pools: OnceBox<Vec<Pool>>,
}

static HIP: [Copy; MOST] =
    [Copy::new(Library::Hip, 0), Copy::new(Library::Hip, 1), Copy::new(Library::Hip, 2), Copy::new(Library::Hip, 3)];
static HSA: [Copy; MOST] =
    [Copy::new(Library::Hsa, 0), Copy::new(Library::Hsa, 1), Copy::new(Library::Hsa, 2), Copy::new(Library::Hsa, 3)];

/// The copy of this number.
#[inline]
pub fn copy(library: Library, number: usize) -> &'static Copy {
    match library {
        Library::Hip => &HIP[number % MOST],
        Library::Hsa => &HSA[number % MOST],
    }
}

/// Those of a library that calls have come to.
pub fn all(library: Library) -> impl Iterator<Item = &'static Copy> {
    (0..MOST).map(move |number| copy(library, number)).filter(|copy| copy.map().is_some())
}

/// The copy of HIP that serves the code at `address`: the one that holds it, otherwise the first.
pub fn hip_of(address: usize) -> Option<&'static Copy> {
    let holder = module_of(address);
    let is_it =
        |copy: &&Copy| holder.as_ref().zip(copy.map()).is_some_and(|(holder, map)| holder.contains(map.dynamic.addr()));
    all(Library::Hip).find(is_it).or_else(|| all(Library::Hip).next())
}

impl Target {
    const fn new() -> Self {
        Self { function: AtomicPtr::new(null_mut()), place: AtomicPtr::new(null_mut()) }
    }
}

impl Copy {
    const fn new(library: Library, number: usize) -> Self {
        Self {
            library,
            number,
            targets: [const { Target::new() }; Hook::ALL.len()],
            runtime: OnceBox::new(),
            pools: OnceBox::new(),
        }
    }

    /// Its number in hooks' entries.
    pub fn number(&self) -> usize {
        self.number
    }

    /// What the loader knows of it.
    pub fn map(&self) -> Option<&'static LinkMap> {
        copies::get(self.library, self.number)
    }

    /// Where a call goes from the hook; null: there is no such function.
    #[inline]
    pub fn function(&self, hook: Hook) -> *mut c_void {
        let known = self.targets[hook as usize].function();
        if known.is_null() { self.find_function(hook) } else { known }
    }

    #[cold]
    fn find_function(&self, hook: Hook) -> *mut c_void {
        self.targets[hook as usize].note_export(self.lookup(hook.info().symbol))
    }

    fn lookup(&self, symbol: &CStr) -> *mut c_void {
        self.map().and_then(|map| map.function(symbol)).unwrap_or(null_mut())
    }

    /// Whether `function` is what it exports as the hook's.
    pub fn exports(&self, hook: Hook, function: *mut c_void) -> bool {
        !function.is_null() && self.lookup(hook.info().symbol) == function
    }

    /// Which library it is.
    pub fn library(&self) -> Library {
        self.library
    }

    /// See [`Target::is_in_table`].
    pub fn is_in_table(&self, hook: Hook) -> bool {
        self.targets[hook as usize].is_in_table()
    }

    /// Whether any place of its table leads to a hook.
    pub fn has_table(&self) -> bool {
        self.targets.iter().any(Target::is_in_table)
    }

    /// See [`Target::take`].
    pub fn take_place(&self, hook: Hook, place: &'static AtomicPtr<c_void>) {
        self.targets[hook as usize].take(place, hooks::entry(hook, self.number), self.lookup(hook.info().symbol));
    }

    /// See [`Target::give_back`].
    pub fn give_place_back(&self, hook: Hook) {
        self.targets[hook as usize].give_back(hooks::entry(hook, self.number));
    }

    /// Its functions by name.
    pub fn symbols(&self) -> Symbols<impl Fn(&CStr) -> *mut c_void> {
        Symbols(|symbol: &CStr| self.lookup(symbol))
    }

    /// The functions of a HIP runtime that RMCP itself calls.
    pub fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| Box::new(Runtime::new(&self.symbols())))
    }

    /// The memory pools of a ROCr.
    pub fn pools(&self) -> &[Pool] {
        self.pools.get_or_init(|| Box::new(pools::list(&self.symbols())))
    }
}
