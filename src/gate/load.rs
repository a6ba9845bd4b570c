//! Loading the core: the file beside the gate, and no other that has come to bear its name since.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use rmcp_abi::find_object::module_of;
use rmcp_abi::gate::{CORE_BIND, CORE_FILE};
use rmcp_abi::module::{self, Module};
use rmcp_abi::process::map_zeros;

/// [`CORE_BIND`] of the core, loaded; null where there is none to be had, and for every gate but the first: a process has
/// two that has one by LD_PRELOAD and one through /etc/ld.so.preload, and a call that the first has met must not be hooked
/// at the second.
pub fn core_bind() -> *mut c_void {
    // SAFETY: cannot fail. A setuid program is left alone.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return null_mut();
    }
    let core = module_of(core_bind as *const () as usize).filter(is_first).and_then(|gate| core_of(&gate));
    // SAFETY: a handle and a NUL-terminated name.
    core.map_or(null_mut(), |core| unsafe { libc::dlsym(core, CORE_BIND.as_ptr()) })
}

/// Whether it is the gate that the program's calls meet first.
fn is_first(gate: &Module) -> bool {
    let first = module::first_gate_export();
    first.is_null() || gate.contains(first.addr())
}

/// The core in the folder of the file that the gate's path leads to; the packages have a link to the gate in the loader's own
/// folders, for `LD_PRELOAD=librmcp.so`.
///
/// After chroot, in another mount namespace or after an update that path may lead elsewhere, and what lies beside it then
/// may be anybody's. So it must lead to the very file that the loader has mapped, and the core must belong to that file's
/// owner or to root.
fn core_of(gate: &Module) -> Option<*mut c_void> {
    /// Before the path: the loader compares names first, and files only where no name is the same.
    const PREFIX: &CStr = c"/./";
    const SIZE: usize = PREFIX.count_bytes() + libc::PATH_MAX as usize + CORE_FILE.count_bytes();
    // A thread's stack may have no room for it.
    let prefixed: *mut c_char = map_zeros(SIZE)?.cast();
    // SAFETY: realpath writes at most PATH_MAX bytes, its result has a slash, and what replaces the file's name from there on
    // fits behind those.
    unsafe {
        libc::strcpy(prefixed, PREFIX.as_ptr());
        let path = prefixed.add(PREFIX.count_bytes());
        let core = if libc::realpath(gate.path().as_ptr(), path).is_null() || !is_mapped(prefixed, gate) {
            None
        } else {
            open_beside(path)
        };
        libc::munmap(prefixed.cast(), SIZE);
        core
    }
}

/// The core in the folder of the file at `path`.
///
/// # Safety
/// The path is NUL-terminated, has a slash, and room behind it for [`CORE_FILE`].
unsafe fn open_beside(path: *mut c_char) -> Option<*mut c_void> {
    // SAFETY: the caller's promise.
    unsafe {
        let owner = owner(path)?;
        libc::strcpy(libc::strrchr(path, c_int::from(b'/')), CORE_FILE.as_ptr());
        let trusted = self::owner(path).is_some_and(|cores| cores == owner || cores == 0);
        let open = || libc::dlopen(path, libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE);
        trusted.then(open).filter(|core| !core.is_null())
    }
}

/// Whether the file at `path` is the one that was mapped as `gate`. The loader knows each object by device and inode, and
/// finds one that is loaded under another name so.
///
/// # Safety
/// The path is NUL-terminated.
unsafe fn is_mapped(path: *const c_char, gate: &Module) -> bool {
    // SAFETY: RTLD_NOLOAD loads nothing; the handle is given back.
    unsafe {
        let handle = libc::dlopen(path, libc::RTLD_NOLOAD | libc::RTLD_LAZY);
        if handle.is_null() {
            return false;
        }
        let found = libc::dlsym(handle, c"rmcp_version".as_ptr());
        libc::dlclose(handle);
        gate.contains(found.addr())
    }
}

/// Who owns the file at `path`. By a system call: the function `stat` came with glibc 2.33.
///
/// # Safety
/// The path is NUL-terminated.
unsafe fn owner(path: *const c_char) -> Option<libc::uid_t> {
    let mut status = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel writes this struct; zeros are one too.
    unsafe {
        let failed = libc::syscall(libc::SYS_newfstatat, libc::AT_FDCWD, path, status.as_mut_ptr(), 0);
        (failed == 0).then(|| status.assume_init().st_uid)
    }
}
