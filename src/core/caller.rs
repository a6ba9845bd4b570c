//! Who calls: the loaded object that holds the return address, and the real functions as that object means them.
//!
//! Two copies of a runtime can live in one process (a wheel's and the system's), and each program must reach the one it
//! links against. And a call that comes from a runtime itself is never the program's wish.

use crate::machine::{self, RuleSet};
use crate::pools::{self, Pool};
use crate::runtime::Runtime;
use crate::symbols::Symbols;
use once_cell::race::{OnceBox, OnceRef};
use rmcp_abi::call_sites::{CallSite, CallSites};
use rmcp_abi::find_object::{dl_find_object, module_of};
use rmcp_abi::gate::Gate;
use rmcp_abi::module::{self, Module};
use rmcp_abi::process;
use rmcp_abi::resolve::{self, RealFunction};
use rmcp_abi::{Hook, Library};
use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use tracing::info;

/// One object that calls hooked functions. Never freed: hooks hold on to it without counting.
///
/// What a search through the list reads lies on one cache line.
#[repr(C, align(64))]
pub struct Caller {
    start: usize,
    end: usize,
    next: AtomicPtr<Caller>,
    /// The path by which it was loaded; empty: the program itself.
    path: &'static CStr,
    /// What kind of object it is.
    pub kind: CallerKind,
    real: [AtomicPtr<c_void>; Hook::ALL.len()],
    rules: OnceBox<RuleSet>,
    runtime: OnceBox<Runtime>,
    pools: OnceBox<Vec<Pool>>,
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

/// The callers met so far, newest first, searched by address. Each is added once, and all are dropped at once.
static CALLERS: AtomicPtr<Caller> = AtomicPtr::new(null_mut());

/// Those that were looked up by [`identify`], or met since there are several copies of a runtime, searched by what they are:
/// in [`CALLERS`] a library that lies where an unloaded one lay would be taken for that, and reach its copy. Then
/// [`CALLERS`] stays empty.
static CALLERS_BY_IDENTITY: AtomicPtr<Caller> = AtomicPtr::new(null_mut());

/// Whether [`CALLERS_BY_IDENTITY`] is in force.
static BY_IDENTITY: AtomicBool = AtomicBool::new(false);

/// Stands for code outside every loaded object, such as generated code: the program's.
static UNMAPPED_CODE: Caller = Caller::new(0, 0, c"", CallerKind::Program);

/// The gate of this process, which lends its place in the global scope.
pub static GATE: OnceRef<'static, Gate> = OnceRef::new();

/// The gate's own export of `hook`, for those who ask for its address.
pub fn export(hook: Hook) -> Option<*mut c_void> {
    let gate = module_of(&raw const *GATE.get()? as usize)?;
    let export = gate.lookup(hook.info().symbol);
    (!export.is_null()).then_some(export)
}

/// The caller that `address` belongs to. Takes no lock and, after its first call, allocates nothing.
#[inline]
pub fn caller_at(address: usize) -> &'static Caller {
    match find(&CALLERS, |caller| (caller.start..caller.end).contains(&address)) {
        Some(caller) => caller,
        None => register_caller(address),
    }
}

/// The caller that `address` belongs to now. [`caller_at`] knows a place, where a library may lie that came after another was
/// unloaded. Where the C library cannot tell without a lock, the place must do.
pub fn identify(address: usize) -> &'static Caller {
    if dl_find_object().is_none() {
        return caller_at(address);
    }
    module_of(address).map_or(&UNMAPPED_CODE, |module| find_or_register(&CALLERS_BY_IDENTITY, &module))
}

#[inline]
fn find(list: &'static AtomicPtr<Caller>, wanted: impl Fn(&Caller) -> bool) -> Option<&'static Caller> {
    let mut entry = list;
    // SAFETY: only `register_caller` adds entries, and nobody frees one.
    while let Some(caller) = unsafe { entry.load(Ordering::Acquire).as_ref() } {
        if wanted(caller) {
            return Some(caller);
        }
        entry = &caller.next;
    }
    None
}

#[cold]
fn register_caller(address: usize) -> &'static Caller {
    let Some(module) = module_of(address) else { return &UNMAPPED_CODE };
    find_or_register(if BY_IDENTITY.load(Ordering::Acquire) { &CALLERS_BY_IDENTITY } else { &CALLERS }, &module)
}

/// The caller that is this object, from the list, to which it is added if need be.
fn find_or_register(list: &'static AtomicPtr<Caller>, module: &Module) -> &'static Caller {
    if let Some(caller) = find(list, |caller| caller.is_module(module)) {
        return caller;
    }
    let kind = if module.is_rmcp() {
        CallerKind::Rmcp
    } else if module.is_runtime() {
        CallerKind::Runtime
    } else {
        CallerKind::Program
    };
    let path = Box::leak(CString::from(module.path()).into_boxed_c_str());
    let caller = Box::leak(Box::new(Caller::new(module.start, module.end, path, kind)));
    // Two threads may meet the same object at once: either entry serves.
    let mut head = list.load(Ordering::Acquire);
    loop {
        caller.next.store(head, Ordering::Relaxed);
        match list.compare_exchange(head, caller, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return caller,
            Err(newer) => head = newer,
        }
    }
}

/// The code at `address` calls hsa_init, as each copy of a runtime does when it starts. If that is an object that was not
/// met before, others may have come with it and gone before it: everybody is met anew.
#[cold]
pub fn on_runtime_start(address: usize) {
    let Some(module) = module_of(address) else { return };
    if [&CALLERS, &CALLERS_BY_IDENTITY].into_iter().any(|list| find(list, |caller| caller.is_module(&module)).is_some())
    {
        return;
    }
    if has_multiple_runtimes() {
        on_multiple_runtimes();
    }
    CALLERS.store(null_mut(), Ordering::Release);
}

/// Whether there are several copies of a runtime. A child of the process that was the first to count cannot tell: counting
/// takes the lock of `module_of`'s comment.
fn has_multiple_runtimes() -> bool {
    static FIRST: AtomicU64 = AtomicU64::new(0);
    if process::belongs_to_ancestor(&FIRST) {
        return false;
    }
    let mut counts = [0; 2];
    module::for_each_module(|module| {
        for (count, library) in counts.iter_mut().zip([Library::Hip, Library::Hsa]) {
            *count += usize::from(module.has_file_prefix(library.file_prefix()));
        }
        false
    });
    counts.into_iter().any(|count| count > 1)
}

/// There are several copies of a runtime: from now on it matters who exactly calls. Where the C library cannot tell without
/// a lock, the place must do.
#[cold]
fn on_multiple_runtimes() {
    if dl_find_object().is_some() && !BY_IDENTITY.swap(true, Ordering::AcqRel) {
        CALLERS.store(null_mut(), Ordering::Release);
    }
}

impl Caller {
    const fn new(start: usize, end: usize, path: &'static CStr, kind: CallerKind) -> Self {
        let real = [const { AtomicPtr::new(null_mut()) }; Hook::ALL.len()];
        Self {
            start,
            end,
            path,
            kind,
            real,
            rules: OnceBox::new(),
            runtime: OnceBox::new(),
            pools: OnceBox::new(),
            next: AtomicPtr::new(null_mut()),
        }
    }

    /// Whether it is this object. An object's place alone may have been another's before.
    fn is_module(&self, module: &Module) -> bool {
        (self.start, self.end, self.path) == (module.start, module.end, module.path())
    }

    /// A program that uses the copy of a runtime which `function` belongs to.
    pub fn for_runtime_of(function: *mut c_void) -> Option<Self> {
        let copy = module_of(function as usize)?;
        Some(Self::new(copy.start, copy.end, c"", CallerKind::Program))
    }

    /// What it is called in the log: the file's name.
    pub fn name(&self) -> impl Display {
        let path = self.path.to_bytes();
        match path.rsplit(|&byte| byte == b'/').next() {
            Some(name) if !name.is_empty() => OsStr::from_bytes(name).display(),
            _ => OsStr::new("the program").display(),
        }
    }

    /// The runtime's function behind `hook`. Err: another that the caller means; None when no loaded library has one.
    #[inline]
    pub fn real(&self, hook: Hook) -> Result<*mut c_void, Option<*mut c_void>> {
        let known = self.real[hook as usize].load(Ordering::Acquire);
        if known.is_null() { self.find(hook) } else { Ok(known) }
    }

    /// Whether it means another function than a runtime's.
    pub fn has_foreign(&self, hook: Hook) -> bool {
        matches!(self.real(hook), Err(Some(_)))
    }

    #[cold]
    fn find(&self, hook: Hook) -> Result<*mut c_void, Option<*mut c_void>> {
        /// What is no runtime's.
        static FOREIGN: CallSites<256> = CallSites(
            [const {
                CallSite {
                    caller: AtomicUsize::new(0),
                    function: AtomicUsize::new(0),
                    unload_count: AtomicUsize::new(0),
                    target: AtomicPtr::new(null_mut()),
                }
            }; _],
        );
        let function = hook as usize + 1;
        if let Some(other) = FOREIGN.find(function, self.start, module::unload_count) {
            return Err(Some(other));
        }
        let unloads = module::unload_count();
        match self.search(hook.info().library, hook.info().symbol) {
            Some(real) if real.in_runtime => {
                self.real[hook as usize].store(real.address, Ordering::Release);
                Ok(real.address)
            }
            Some(other) => {
                if let Some(unloads) = unloads {
                    FOREIGN.insert(function, self.start, unloads, other.address);
                }
                Err(Some(other.address))
            }
            None => Err(None),
        }
    }

    fn search(&self, library: Library, symbol: &CStr) -> Option<RealFunction> {
        /// A core that ROCr loaded as its tool has no gate, and nothing of its own in the global scope.
        extern "C" fn no_definition(_: *const c_char) -> *mut c_void {
            null_mut()
        }
        let next = GATE.get().map_or(no_definition as resolve::NextDefinition, |gate| gate.next_definition);
        resolve::real_function(symbol, library.file_prefix(), self.start, next)
    }

    /// Any function of a runtime, as this caller means it; null when no loaded library has it.
    fn lookup(&self, library: Library, symbol: &CStr) -> *mut c_void {
        self.search(library, symbol).map_or(null_mut(), |real| real.address)
    }

    fn symbols(&self) -> Symbols<impl Fn(Library, &CStr) -> *mut c_void> {
        Symbols(|library, symbol: &CStr| self.lookup(library, symbol))
    }

    /// The rules for its calls; None while the machine is not known.
    #[inline]
    pub fn rules(&self) -> Option<&RuleSet> {
        self.rules.get().or_else(|| self.find_rules())
    }

    #[cold]
    fn find_rules(&self) -> Option<&RuleSet> {
        let machine = machine::detected()?;
        let path = self.path.to_str().unwrap_or_default();
        Some(self.rules.get_or_init(|| {
            let rules = machine.rules_for(path, self.start, || self.runtime().version());
            if let Some(why) = &rules.exception {
                info!("{} has rules of its own: {why}", self.name());
            }
            Box::new(rules)
        }))
    }

    /// The HIP runtime that this caller uses.
    pub fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| Box::new(Runtime::new(&self.symbols())))
    }

    /// The memory pools of the ROCr that this caller uses.
    pub fn pools(&self) -> &[Pool] {
        self.pools.get_or_init(|| Box::new(pools::list(&self.symbols())))
    }
}
