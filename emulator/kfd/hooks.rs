//! The interposed libc functions.
//!
//! Most end in the system call itself: nothing is allocated, and no symbol has to be found, on the way.
//! They behave as libc's for every path and descriptor that is not ours.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::session::{self, Opened};
use crate::tree::{self, Device, Rewritten, Tree};
use crate::{dmabuf, drm, kfd, log, memory, uapi};

/// Sets errno as libc's functions do.
fn fail(errno: i32) -> c_int {
    // SAFETY: errno's address is always valid.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// The emulated machine, when `path` could belong to it.
///
/// # Safety
/// `path` must be a terminated string or null.
unsafe fn emulated<'a>(path: *const c_char) -> Option<(&'static Tree, &'a CStr)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    if !tree::may_be_emulated(path) {
        return None;
    }
    Some((crate::machine()?, path))
}

/// Runs `call` with the place of `path`: in the tree when it is the emulated machine's.
///
/// # Safety
/// `path` must be a terminated string or null.
unsafe fn placed<R>(path: *const c_char, call: impl FnOnce(*const c_char) -> R) -> R {
    // SAFETY: the caller's promise.
    if let Some((tree, name)) = unsafe { emulated(path) } {
        let mut room = Rewritten::new();
        if tree.rewrite(name, &mut room) {
            return call(room.as_ptr());
        }
    }
    call(path)
}

/// `open` and its relatives.
///
/// # Safety
/// As `openat`.
unsafe fn open_at(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's promise; the system call checks the rest.
    unsafe {
        if let Some((tree, name)) = emulated(path)
            && let Some(device) = tree.device(name)
        {
            let opened = catch_unwind(AssertUnwindSafe(|| session::open(tree, device, flags)));
            return opened.unwrap_or(Err(libc::ENOMEM)).unwrap_or_else(fail);
        }
        placed(path, |path| libc::syscall(libc::SYS_openat, dir, path, flags, mode) as c_int)
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {$(
        /// libc's function of this name.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> $result {
            // SAFETY: the caller keeps libc's promises, and the body passes them on.
            unsafe { $body }
        }
    )*};
}

// Variadic in C; the mode is in the same register either way on x86-64, and ignored without O_CREAT.
forward! {
    open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int = open_at(libc::AT_FDCWD, path, flags, mode);
    open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int = open_at(libc::AT_FDCWD, path, flags, mode);
    openat(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int = open_at(dir, path, flags, mode);
    openat64(dir: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int = open_at(dir, path, flags, mode);
    __open_2(path: *const c_char, flags: c_int) -> c_int = open_at(libc::AT_FDCWD, path, flags, 0);
    __open64_2(path: *const c_char, flags: c_int) -> c_int = open_at(libc::AT_FDCWD, path, flags, 0);
    __openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int = open_at(dir, path, flags, 0);
    __openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int = open_at(dir, path, flags, 0);

    access(path: *const c_char, mode: c_int) -> c_int =
        placed(path, |path| libc::syscall(libc::SYS_access, path, mode) as c_int);
    chdir(path: *const c_char) -> c_int = placed(path, |path| libc::syscall(libc::SYS_chdir, path) as c_int);

    stat(path: *const c_char, out: *mut libc::stat) -> c_int = stat_at(libc::AT_FDCWD, path, out, 0);
    stat64(path: *const c_char, out: *mut libc::stat) -> c_int = stat_at(libc::AT_FDCWD, path, out, 0);
    lstat(path: *const c_char, out: *mut libc::stat) -> c_int =
        stat_at(libc::AT_FDCWD, path, out, libc::AT_SYMLINK_NOFOLLOW);
    lstat64(path: *const c_char, out: *mut libc::stat) -> c_int =
        stat_at(libc::AT_FDCWD, path, out, libc::AT_SYMLINK_NOFOLLOW);
    fstatat(dir: c_int, path: *const c_char, out: *mut libc::stat, flags: c_int) -> c_int =
        stat_at(dir, path, out, flags);
    fstatat64(dir: c_int, path: *const c_char, out: *mut libc::stat, flags: c_int) -> c_int =
        stat_at(dir, path, out, flags);
    fstat(fd: c_int, out: *mut libc::stat) -> c_int = stat_at(fd, c"".as_ptr(), out, libc::AT_EMPTY_PATH);
    fstat64(fd: c_int, out: *mut libc::stat) -> c_int = stat_at(fd, c"".as_ptr(), out, libc::AT_EMPTY_PATH);
    // What programs built before glibc 2.33 call.
    __xstat(_version: c_int, path: *const c_char, out: *mut libc::stat) -> c_int =
        stat_at(libc::AT_FDCWD, path, out, 0);
    __xstat64(_version: c_int, path: *const c_char, out: *mut libc::stat) -> c_int =
        stat_at(libc::AT_FDCWD, path, out, 0);
    __lxstat(_version: c_int, path: *const c_char, out: *mut libc::stat) -> c_int =
        stat_at(libc::AT_FDCWD, path, out, libc::AT_SYMLINK_NOFOLLOW);
    __lxstat64(_version: c_int, path: *const c_char, out: *mut libc::stat) -> c_int =
        stat_at(libc::AT_FDCWD, path, out, libc::AT_SYMLINK_NOFOLLOW);
    __fxstat(_version: c_int, fd: c_int, out: *mut libc::stat) -> c_int =
        stat_at(fd, c"".as_ptr(), out, libc::AT_EMPTY_PATH);
    __fxstat64(_version: c_int, fd: c_int, out: *mut libc::stat) -> c_int =
        stat_at(fd, c"".as_ptr(), out, libc::AT_EMPTY_PATH);
    __fxstatat(_version: c_int, dir: c_int, path: *const c_char, out: *mut libc::stat, flags: c_int) -> c_int =
        stat_at(dir, path, out, flags);
    __fxstatat64(_version: c_int, dir: c_int, path: *const c_char, out: *mut libc::stat, flags: c_int) -> c_int =
        stat_at(dir, path, out, flags);
    statx(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut libc::statx) -> c_int =
        statx_at(dir, path, flags, mask, out);

    readlink(path: *const c_char, out: *mut c_char, size: usize) -> isize =
        placed(path, |path| libc::syscall(libc::SYS_readlink, path, out, size) as isize);
    readlinkat(dir: c_int, path: *const c_char, out: *mut c_char, size: usize) -> isize =
        placed(path, |path| libc::syscall(libc::SYS_readlinkat, dir, path, out, size) as isize);
    __readlink_chk(path: *const c_char, out: *mut c_char, size: usize, _room: usize) -> isize =
        placed(path, |path| libc::syscall(libc::SYS_readlink, path, out, size) as isize);

    uname(out: *mut libc::utsname) -> c_int = {
        let result = libc::syscall(libc::SYS_uname, out) as c_int;
        if result == 0 && let Some(tree) = crate::machine() {
            let release = tree.machine.kernel.release().bytes().chain([0]);
            (*out).release.iter_mut().zip(release).for_each(|(to, byte)| *to = byte as c_char);
        }
        result
    };
    mmap(at: *mut c_void, size: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void =
        map_file(at, size, protection, flags, fd, offset);
    mmap64(at: *mut c_void, size: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void =
        map_file(at, size, protection, flags, fd, offset);
    lseek(fd: c_int, offset: i64, from: c_int) -> i64 = seek(fd, offset, from);
    lseek64(fd: c_int, offset: i64, from: c_int) -> i64 = seek(fd, offset, from);
    munmap(address: *mut c_void, size: usize) -> c_int = {
        release(address as u64, size as u64);
        let result = libc::syscall(libc::SYS_munmap, address, size) as c_int;
        if result == 0 {
            forget(address as u64, size as u64);
        }
        result
    };
    ioctl(fd: c_int, request: c_ulong, arg: *mut c_void) -> c_int = any_ioctl(fd, request, arg);
}

/// The end of a dma-buf tells its size (`dma_buf_llseek`), and no other descriptor that is refused has one.
unsafe fn seek(fd: c_int, offset: i64, from: c_int) -> i64 {
    // SAFETY: the caller keeps lseek's promises; after ESPIPE the descriptor is open.
    unsafe {
        let result = libc::syscall(libc::SYS_lseek, fd, offset, from);
        if result < 0 && *libc::__errno_location() == libc::ESPIPE {
            let size = session::current().and_then(|_| dmabuf::open(BorrowedFd::borrow_raw(fd)).ok());
            return match (size, from, offset) {
                (None, ..) => fail(libc::ESPIPE).into(),
                (Some(opened), libc::SEEK_END, 0) => opened.label.size as i64,
                (Some(_), libc::SEEK_SET, 0) => 0,
                _ => fail(libc::EINVAL).into(),
            };
        }
        result
    }
}

/// What a render node shows of a buffer of another process lies in another file.
unsafe fn map_file(
    at: *mut c_void,
    size: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> *mut c_void {
    let shown = match memory::window_of(offset as u64) {
        Some((id, into)) => session::current().and_then(|session| session.shown(fd, id, into)),
        None => None,
    };
    let (file, offset) =
        shown.as_ref().map_or((fd, offset), |(import, offset)| (import.card.as_raw_fd(), *offset as i64));
    // SAFETY: the caller keeps mmap's promises.
    unsafe { libc::syscall(libc::SYS_mmap, at, size, protection, flags, file, offset) as *mut c_void }
}

/// libc's next definition of a function, found once.
macro_rules! real {
    ($name:literal as $type:ty) => {{
        use std::sync::atomic::{AtomicPtr, Ordering};
        static FOUND: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
        let mut found = FOUND.load(Ordering::Relaxed);
        if found.is_null() {
            found = libc::dlsym(libc::RTLD_NEXT, $name.as_ptr());
            FOUND.store(found, Ordering::Relaxed);
        }
        if found.is_null() { None } else { Some(std::mem::transmute::<*mut c_void, $type>(found)) }
    }};
}

type OpenStream = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut libc::FILE;
type OpenDir = unsafe extern "C" fn(*const c_char) -> *mut libc::DIR;
type RealPath = unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut c_char;
type ScanDir = unsafe extern "C" fn(*const c_char, *mut c_void, *mut c_void, *mut c_void) -> c_int;
type FileAccess = unsafe extern "C" fn(c_int, *const c_char, c_int, c_int) -> c_int;

forward! {
    fopen(path: *const c_char, mode: *const c_char) -> *mut libc::FILE = match real!(c"fopen" as OpenStream) {
        Some(real) => open_stream(path, mode, real),
        None => std::ptr::null_mut(),
    };
    fopen64(path: *const c_char, mode: *const c_char) -> *mut libc::FILE = match real!(c"fopen64" as OpenStream) {
        Some(real) => open_stream(path, mode, real),
        None => std::ptr::null_mut(),
    };
    opendir(path: *const c_char) -> *mut libc::DIR = match real!(c"opendir" as OpenDir) {
        Some(real) => placed(path, |path| real(path)),
        None => std::ptr::null_mut(),
    };
    faccessat(dir: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int =
        match real!(c"faccessat" as FileAccess) {
            Some(real) => placed(path, |path| real(dir, path, mode, flags)),
            None => fail(libc::ENOSYS),
        };
    scandir(path: *const c_char, list: *mut c_void, filter: *mut c_void, order: *mut c_void) -> c_int =
        match real!(c"scandir" as ScanDir) {
            Some(real) => placed(path, |path| real(path, list, filter, order)),
            None => fail(libc::ENOSYS),
        };
    scandir64(path: *const c_char, list: *mut c_void, filter: *mut c_void, order: *mut c_void) -> c_int =
        match real!(c"scandir64" as ScanDir) {
            Some(real) => placed(path, |path| real(path, list, filter, order)),
            None => fail(libc::ENOSYS),
        };
    realpath(path: *const c_char, out: *mut c_char) -> *mut c_char = resolve(path, out);
    __realpath_chk(path: *const c_char, out: *mut c_char, _room: usize) -> *mut c_char = resolve(path, out);
    canonicalize_file_name(path: *const c_char) -> *mut c_char = resolve(path, std::ptr::null_mut());
}

/// A stream over a device node needs a descriptor of ours; any other path only its place.
unsafe fn open_stream(path: *const c_char, mode: *const c_char, real: OpenStream) -> *mut libc::FILE {
    // SAFETY: the caller keeps fopen's promises.
    unsafe {
        match emulated(path).and_then(|(tree, name)| tree.device(name)) {
            Some(_) => {
                let fd = open_at(libc::AT_FDCWD, path, libc::O_RDWR | libc::O_CLOEXEC, 0);
                if fd < 0 { std::ptr::null_mut() } else { libc::fdopen(fd, mode) }
            }
            None => placed(path, |path| real(path, mode)),
        }
    }
}

/// `realpath` of a path in the tree, without the tree's root.
unsafe fn resolve(path: *const c_char, out: *mut c_char) -> *mut c_char {
    // SAFETY: the caller keeps realpath's promises; the result is a terminated string that only gets shorter.
    unsafe {
        let Some(real) = real!(c"realpath" as RealPath) else { return std::ptr::null_mut() };
        let found = placed(path, |path| real(path, out));
        if !found.is_null()
            && let Some((tree, _)) = emulated(path)
        {
            let full = CStr::from_ptr(found).to_bytes();
            let visible = tree.visible(full);
            if visible.len() < full.len() {
                let (start, len) = (visible.as_ptr(), visible.len());
                std::ptr::copy(start, found.cast::<u8>(), len);
                *found.add(len) = 0;
            }
        }
        found
    }
}

/// The device node that a path, or with an empty path a descriptor, is.
unsafe fn device(dir: c_int, path: *const c_char, flags: c_int) -> Option<Device> {
    // SAFETY: the caller keeps the promises of fstatat.
    unsafe {
        if !path.is_null() && *path == 0 && flags & libc::AT_EMPTY_PATH != 0 {
            return match session::identify(dir)? {
                Opened::Node(_, device) | Opened::ParentsNode(device) => Some(device),
            };
        }
        let (tree, name) = emulated(path)?;
        tree.device(name)
    }
}

unsafe fn stat_at(dir: c_int, path: *const c_char, out: *mut libc::stat, flags: c_int) -> c_int {
    // SAFETY: the caller keeps the promises of fstatat; a device is only patched after success.
    unsafe {
        let result = placed(path, |path| libc::syscall(libc::SYS_newfstatat, dir, path, out, flags) as c_int);
        if result == 0
            && let Some(device) = device(dir, path, flags)
        {
            let (major, minor) = device.numbers();
            (*out).st_mode = libc::S_IFCHR | 0o666;
            (*out).st_rdev = libc::makedev(major, minor);
            (*out).st_size = 0;
        }
        result
    }
}

unsafe fn statx_at(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut libc::statx) -> c_int {
    // SAFETY: the caller keeps the promises of statx; a device is only patched after success.
    unsafe {
        let result = placed(path, |path| libc::syscall(libc::SYS_statx, dir, path, flags, mask, out) as c_int);
        if result == 0
            && let Some(device) = device(dir, path, flags)
        {
            ((*out).stx_rdev_major, (*out).stx_rdev_minor) = device.numbers();
            (*out).stx_mode = (libc::S_IFCHR | 0o666) as u16;
            (*out).stx_size = 0;
        }
        result
    }
}

thread_local! {
    /// Whether this thread is inside an emulated call.
    static ANSWERING: Cell<bool> = const { Cell::new(false) };
}

/// The cards lose memory that the program unmaps, as the kernel's MMU notifiers arrange.
/// Lets no card's cache keep memory that the program is about to unmap.
fn release(address: u64, size: u64) {
    if ANSWERING.get() {
        return;
    }
    let Some(session) = session::current() else { return };
    session.release_caches(address..address.saturating_add(size));
}

fn forget(address: u64, size: u64) {
    // An allocator other than libc's may unmap while one of our locks is held.
    if ANSWERING.get() {
        return;
    }
    let Some(session) = session::current() else { return };
    if !session.memory().svm.is_empty() {
        session.memory_mut().svm.forget(address, size.next_multiple_of(4096));
    }
}

unsafe fn any_ioctl(fd: c_int, request: c_ulong, arg: *mut c_void) -> c_int {
    let kind = uapi::ioc_type(request);
    if kind == uapi::BASE || kind == drm::BASE {
        let address = arg as u64;
        // SAFETY: the caller passes the argument of its request.
        let call = || unsafe {
            match session::identify(fd)? {
                Opened::Node(session, Device::Kfd) if kind == uapi::BASE => Some(kfd::ioctl(session, request, address)),
                Opened::Node(session, Device::Drm { gpu, .. }) if kind == drm::BASE => {
                    Some(drm::ioctl(session, gpu, request, address))
                }
                // The kernel lets only the opener use a KFD descriptor.
                Opened::ParentsNode(Device::Kfd) => Some(Err(libc::EBADF)),
                _ => Some(Err(libc::ENOTTY)),
            }
        };
        ANSWERING.set(true);
        let answer = catch_unwind(AssertUnwindSafe(call));
        ANSWERING.set(false);
        match answer {
            Ok(None) => {}
            Ok(Some(Ok(()))) => return 0,
            Ok(Some(Err(errno))) => return fail(errno),
            Err(_) => return fail(libc::EINVAL),
        }
    }
    // SAFETY: the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, fd as c_long, request, arg) as c_int };
    if kind == uapi::BASE {
        // SAFETY: as above.
        unsafe { observe(fd, request, arg as u64, result) };
    }
    result
}

/// Logs a call that the real `/dev/kfd` has answered.
unsafe fn observe(fd: c_int, request: c_ulong, arg: u64, result: c_int) {
    if !log::is_enabled() || crate::machine().is_some() {
        return;
    }
    let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let link = format!("/proc/self/fd/{fd}");
    if std::fs::read_link(link).is_ok_and(|target| target.as_os_str() == "/dev/kfd") {
        // SAFETY: the caller passes the argument of the request, which the kernel has read.
        unsafe { log::call(request, arg, if result == 0 { 0 } else { errno }) };
    }
    if result != 0 {
        fail(errno);
    }
}
