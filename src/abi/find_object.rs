//! Which object holds an address, without a lock where the C library can tell.

use crate::link_map::LinkMap;
use crate::module::{self, Module};
use core::ffi::{c_int, c_ulonglong, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

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
pub fn dl_find_object() -> Option<FindObject> {
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
    let Some(find) = dl_find_object() else { return module::module_of_by_walk(address) };
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

/// What an object that holds `address` is recognised by, also after another has taken its place: a hash of where it lies and
/// of its path. None where only a lock would tell; 0 for code outside every object.
pub fn identity(address: usize) -> Option<u64> {
    dl_find_object()?;
    let Some(module) = module_of(address) else { return Some(0) };
    let spread = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let place = [module.start, module.end].into_iter().fold(0, |hash, word| spread(hash, word as u64));
    let (words, rest) = module.path().to_bytes().as_chunks::<8>();
    let path = words.iter().fold(place, |hash, word| spread(hash, u64::from_le_bytes(*word)));
    Some(rest.iter().fold(path, |hash, &byte| spread(hash, byte.into())))
}

/// The gate that the program's calls meet first. It need not have loaded the core: ROCr may have.
pub fn first_gate() -> Option<Module> {
    module_of(module::first_gate_export().addr()).filter(Module::is_rmcp)
}
