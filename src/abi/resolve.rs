//! Finding the function that a call goes to, without ever loading a library.
//!
//! The rule is that of `docs/how-it-works.md`: the function that the caller would be bound
//! to without the gate, and never one of our own.

use crate::Library;
use crate::gate::Holds;
use crate::link_map::{LinkMap, Origin};
use crate::process;
use core::ffi::{CStr, c_char, c_int, c_ulonglong, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// One object of the process, as the loader names it.
#[derive(Clone, Copy)]
pub struct Module {
    /// The loader's name for it; empty for the program itself. Lives as long as the object is loaded.
    pub name: *const c_char,
    /// First address of its lowest segment.
    pub start: usize,
    /// One past its highest segment.
    pub end: usize,
    /// Its dynamic section; null where it has none.
    pub dynamic: *const c_void,
}

impl Module {
    /// Its path; empty for the program itself.
    pub fn path(&self) -> &CStr {
        // SAFETY: the loader's names are NUL-terminated and live while the object is loaded; every caller of this
        // module works on objects that are on the call stack or pinned.
        unsafe { CStr::from_ptr(self.name) }
    }

    /// The file's name without its folder.
    pub fn file_name(&self) -> &[u8] {
        let path = self.path().to_bytes();
        match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => path.get(slash + 1..).unwrap_or(path),
            None => path,
        }
    }

    /// Whether an address is one of its.
    pub fn holds(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Whether it is a copy of the library whose file names begin with `prefix`.
    pub fn is(&self, prefix: &str) -> bool {
        self.file_name().starts_with(prefix.as_bytes())
    }

    /// Whether it is a copy of one of the runtimes.
    pub fn is_runtime(&self) -> bool {
        [Library::Hip, Library::Hsa].iter().any(|library| self.is(library.file_prefix()))
    }

    /// Whether it is the gate or the core.
    pub fn is_ours(&self) -> bool {
        self.is("librmcp.") || self.is("librmcp_core.")
    }

    /// A handle on the loaded object, which `close` gives back; null for the program itself.
    fn open(&self, mode: c_int) -> *mut c_void {
        // SAFETY: the name is NUL-terminated. RTLD_NOLOAD only finds what is loaded.
        unsafe {
            if *self.name == 0 {
                return null_mut();
            }
            libc::dlopen(self.name, libc::RTLD_NOLOAD | libc::RTLD_LAZY | mode)
        }
    }

    /// What this object, and then what came with it, define as `symbol`.
    pub fn lookup(&self, symbol: &CStr) -> *mut c_void {
        let handle = self.open(0);
        // A null handle means RTLD_DEFAULT to dlsym: the gate would find itself.
        if handle.is_null() {
            return null_mut();
        }
        // SAFETY: the handle is open until dlclose, which only drops the reference that `open` took.
        unsafe {
            let found = libc::dlsym(handle, symbol.as_ptr());
            libc::dlclose(handle);
            found
        }
    }

    /// Keeps the object mapped for the life of the process: a bound function must not vanish under its slot.
    fn pin(&self) {
        let handle = self.open(libc::RTLD_NODELETE);
        if !handle.is_null() {
            // SAFETY: drops the reference just taken; NODELETE stays.
            unsafe { libc::dlclose(handle) };
        }
    }
}

/// Calls `visit` with each loaded object, in load order, until it returns true.
pub fn each_module<F: FnMut(Module) -> bool>(mut visit: F) {
    unsafe extern "C" fn step<F: FnMut(Module) -> bool>(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader passes a valid description, and `data` is the closure that `each_module` holds.
        let (info, visit) = unsafe { (&*info, &mut *data.cast::<F>()) };
        let mut module = Module { name: info.dlpi_name, start: usize::MAX, end: 0, dynamic: null() };
        for i in 0..usize::from(info.dlpi_phnum) {
            // SAFETY: the loader says that there are dlpi_phnum headers.
            let header = unsafe { &*info.dlpi_phdr.add(i) };
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            if header.p_type == libc::PT_DYNAMIC {
                module.dynamic = start as *const c_void;
            }
            if header.p_type == libc::PT_LOAD {
                module.start = module.start.min(start);
                module.end = module.end.max(start.wrapping_add(header.p_memsz as usize));
            }
        }
        c_int::from(!module.name.is_null() && visit(module))
    }
    // SAFETY: `step` is given the closure for the time of the call.
    unsafe { libc::dl_iterate_phdr(Some(step::<F>), (&raw mut visit).cast()) };
}

/// struct dl_find_object of glibc, as on x86-64. (dlfcn.h)
#[repr(C)]
pub struct Found {
    flags: c_ulonglong,
    start: usize,
    end: usize,
    link_map: *const LinkMap,
    more: [c_ulonglong; 8],
}

/// The type of `_dl_find_object`: 0 where an object holds the address.
pub type FindObject = unsafe extern "C" fn(address: *const c_void, found: *mut Found) -> c_int;

/// `_dl_find_object`, which takes no lock: glibc has it from 2.35 on.
pub fn find_object() -> Option<FindObject> {
    /// Null until looked up; its own address when there is none.
    #[unsafe(link_section = ".data")]
    static FUNCTION: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let none = (&raw const FUNCTION).cast_mut().cast();

    let mut function = FUNCTION.load(Ordering::Relaxed);
    if function.is_null() {
        // SAFETY: a NUL-terminated name. The C library is in the global scope.
        function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
        if function.is_null() {
            function = none;
        }
        FUNCTION.store(function, Ordering::Relaxed);
    }
    // SAFETY: anything but `none` is the C library's function, whose type this is.
    (function != none).then(|| unsafe { transmute::<*mut c_void, FindObject>(function) })
}

/// The object that holds `address`.
///
/// Where the C library can tell, no lock is taken. dl_iterate_phdr takes one that a forked child finds held for ever if
/// any thread of its parent was inside.
pub fn module_of(address: usize) -> Option<Module> {
    let Some(find) = find_object() else { return walk_to(address) };
    let mut found = MaybeUninit::<Found>::zeroed();
    // SAFETY: any address may be asked about; there is more room than the function writes.
    if unsafe { find(address as *const c_void, found.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: all fields are integers and pointers, zeroed or written. The link map lives while its object is loaded, as
    // `file_name` relies on too.
    unsafe {
        let found = found.assume_init();
        let map = &*found.link_map;
        Some(Module { name: map.name, start: found.start, end: found.end, dynamic: map.dynamic.cast() })
    }
}

/// The same by a look at each object, with that lock.
pub fn walk_to(address: usize) -> Option<Module> {
    let mut found = None;
    each_module(|module| {
        let inside = module.holds(address);
        if inside {
            found = Some(module);
        }
        inside
    });
    found
}

/// `rmcp_version` of the gate that the program's calls meet first; null where none has it.
pub fn first_version() -> *mut c_void {
    // SAFETY: a NUL-terminated name. The global scope is that of the program's own calls.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"rmcp_version".as_ptr()) }
}

/// The first loaded copy of the library with this file prefix.
pub fn first_copy(prefix: &str) -> Option<Module> {
    let mut first = None;
    each_module(|module| {
        first = module.is(prefix).then_some(module);
        first.is_some()
    });
    first
}

/// How many objects have been unloaded so far; None in a child of the process that asked first, where the lock that this
/// takes may be held for ever.
pub fn unloads() -> Option<usize> {
    #[unsafe(link_section = ".data")]
    static FIRST: AtomicU64 = AtomicU64::new(0);
    unsafe extern "C" fn step(info: *mut libc::dl_phdr_info, _size: usize, unloads: *mut c_void) -> c_int {
        // SAFETY: the loader passes a valid description, and `unloads` is a number's place.
        unsafe { *unloads.cast() = (*info).dlpi_subs as usize };
        1
    }
    let mut unloads = 0_usize;
    if is_anothers(&FIRST) {
        return None;
    }
    // SAFETY: `step` is given the number's place for the time of the call.
    unsafe { libc::dl_iterate_phdr(Some(step), (&raw mut unloads).cast()) };
    Some(unloads)
}

/// Whether another process, which this one was forked from, was here before; otherwise notes that this one was.
pub fn is_anothers(first: &AtomicU64) -> bool {
    let process = process::number();
    let before = first.compare_exchange(0, process, Ordering::AcqRel, Ordering::Acquire);
    before.is_err_and(|first| first != process)
}

/// A function that a call goes to.
#[derive(Clone, Copy)]
pub struct Real {
    /// Its address.
    pub function: *mut c_void,
    /// Whether it is a runtime's, by its file's name. Then it stays mapped for the life of the process.
    pub of_runtime: bool,
    /// Whether every caller gets it, whatever is loaded later.
    pub for_all: bool,
}

impl Real {
    /// Which calls it serves.
    pub fn holds(&self) -> Holds {
        match (self.for_all, self.of_runtime) {
            (true, _) => Holds::ForAll,
            (false, true) => Holds::ForTheSite,
            // Its library may be unloaded, and another come to lie in its place.
            (false, false) => Holds::UntilUnload,
        }
    }
}

/// See [`crate::gate::Gate::next`].
pub type Next = unsafe extern "C" fn(symbol: *const c_char) -> *mut c_void;

/// The function that `symbol` means to the code at `caller`: the one that it would be bound to without the gate, and where
/// there is none such, that of the first runtime whose file name begins with `prefix`.
///
/// An object that was there when the program started sees the global scope alone. One that came by dlopen sees what was
/// global before it, then what came with it, then what became global after it.
pub fn real(symbol: &CStr, prefix: &str, caller: usize, next: Next) -> Option<Real> {
    let foreign = |found: *mut c_void| {
        let module = module_of(found as usize).filter(|module| !found.is_null() && !module.is_ours())?;
        Some((found, module))
    };
    // SAFETY: the symbol is NUL-terminated.
    let global = foreign(unsafe { next(symbol.as_ptr()) });
    let own = module_of(caller);
    let scopes = undisturbed(|| {
        let list = LinkMap::first()?;
        let global = global.and_then(|(_, module)| LinkMap::of(&module, list));
        let own = own.and_then(|own| LinkMap::of(&own, list));
        let caller = own.map(|own| Origin::of(own.caller_of(symbol, list)));
        Some(Scopes {
            global_is_for_all: global.is_some_and(|global| Origin::of(global).at_start),
            global_comes_first: match (&caller, global) {
                (Some(caller), Some(global)) => caller.at_start || global.is_before(caller.root),
                _ => true,
            },
            root: caller.filter(|caller| !caller.at_start).map(|caller| caller.root.module()),
        })
    });
    let scopes = scopes.unwrap_or(Scopes { global_is_for_all: false, global_comes_first: true, root: None });
    let local = || foreign(scopes.root?.lookup(symbol));
    let found = if scopes.global_comes_first { global.or_else(local) } else { local().or(global) };
    let first_copys = || foreign(first_copy(prefix)?.lookup(symbol));
    let (function, module) = found.or_else(first_copys)?;
    let of_runtime = module.is_runtime();
    if of_runtime {
        module.pin();
    }
    let for_all = scopes.global_is_for_all && global.is_some_and(|(global, _)| global == function);
    Some(Real { function, of_runtime, for_all })
}

/// Where a caller's functions are looked for.
struct Scopes {
    /// Whether what the gate finds behind itself was there when the program started.
    global_is_for_all: bool,
    /// Whether it comes before what was loaded with the caller.
    global_comes_first: bool,
    /// The object whose loading brought the caller; None for one that was there when the program started.
    root: Option<Module>,
}

/// Runs `look` while no object can be unloaded. A child of the process that was the first here goes without the lock, which
/// may be held for ever there: the thread that unloads is its parent's.
fn undisturbed<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    #[unsafe(link_section = ".data")]
    static FIRST: AtomicU64 = AtomicU64::new(0);
    if is_anothers(&FIRST) {
        return look();
    }
    let mut answer = None;
    each_module(|_| {
        answer = look();
        true
    });
    answer
}
