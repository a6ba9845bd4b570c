//! The objects of the process, as the loader tells of them: the program and the libraries that are loaded.

use crate::Library;
use crate::process;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::AtomicU64;

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
    pub fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Whether it is a copy of the library whose file names begin with `prefix`.
    pub fn has_file_prefix(&self, prefix: &str) -> bool {
        self.file_name().starts_with(prefix.as_bytes())
    }

    /// Whether it is a copy of one of the runtimes.
    pub fn is_runtime(&self) -> bool {
        [Library::Hip, Library::Hsa].iter().any(|library| self.has_file_prefix(library.file_prefix()))
    }

    /// Whether it is the gate or the core.
    pub fn is_rmcp(&self) -> bool {
        self.has_file_prefix("librmcp.") || self.has_file_prefix("librmcp_core.")
    }

    /// Whether it is the program or a library of its: neither RMCP's nor a runtime's.
    pub fn is_program(&self) -> bool {
        !self.is_rmcp() && !self.is_runtime()
    }

    /// A handle on the loaded object, which `dlclose` gives back; null for the program itself.
    fn open(&self, mode: c_int) -> *mut c_void {
        // SAFETY: the name is NUL-terminated. RTLD_NOLOAD only finds what is loaded.
        unsafe {
            if *self.name == 0 {
                return null_mut();
            }
            libc::dlopen(self.name, libc::RTLD_NOLOAD | libc::RTLD_LAZY | mode)
        }
    }

    /// Keeps the object mapped for the life of the process: a bound function must not vanish under its slot.
    pub fn pin(&self) {
        let handle = self.open(libc::RTLD_NODELETE);
        if !handle.is_null() {
            // SAFETY: drops the reference just taken; NODELETE stays.
            unsafe { libc::dlclose(handle) };
        }
    }
}

/// Calls `visit` with each loaded object, in load order, until it returns true.
pub fn for_each_module<F: FnMut(Module) -> bool>(mut visit: F) {
    unsafe extern "C" fn step<F: FnMut(Module) -> bool>(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: the loader passes a valid description, and `data` is the closure that `for_each_module` holds.
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

/// The same by a look at each object, with that lock.
pub fn module_of_by_walk(address: usize) -> Option<Module> {
    let mut found = None;
    for_each_module(|module| {
        let inside = module.contains(address);
        if inside {
            found = Some(module);
        }
        inside
    });
    found
}

/// `rmcp_version` of the gate that the program's calls meet first; null where none has it.
pub fn first_gate_export() -> *mut c_void {
    // SAFETY: a NUL-terminated name. The global scope is that of the program's own calls.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"rmcp_version".as_ptr()) }
}

/// Runs `look` while no object can be unloaded. A child of the process that was the first here goes without the lock, which
/// may be held for ever there: the thread that unloads is its parent's.
pub fn with_loader_lock<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    #[unsafe(link_section = ".data")]
    static OWNER: AtomicU64 = AtomicU64::new(0);
    if process::belongs_to_ancestor(&OWNER) {
        return look();
    }
    let mut answer = None;
    for_each_module(|_| {
        answer = look();
        true
    });
    answer
}
