//! The file that the runtime is shown: memory with the kernel's text, in which one number is another.

use crate::isolation::isolated;
use rmcp_domain::save_area::{is_properties, shown_properties};
use std::ffi::{CStr, c_char, c_int};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many files were shown otherwise.
static SHOWN: AtomicUsize = AtomicUsize::new(0);

/// How many files were shown otherwise in this process.
pub fn shown() -> usize {
    SHOWN.load(Ordering::Relaxed)
}

/// Whether it is the file of a node.
///
/// # Safety
/// `path` is NUL-terminated, or null.
pub unsafe fn is_read(path: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    !path.is_null() && is_properties(unsafe { CStr::from_ptr(path) }.to_bytes())
}

/// What the opener is given in place of `file`; `file` itself, at its beginning, where nothing is to be changed.
///
/// # Safety
/// `file` is an open stream that nobody has read from.
pub unsafe fn stream(file: *mut libc::FILE) -> *mut libc::FILE {
    let shown = isolated(|| {
        // SAFETY: the caller's promise.
        let own = unsafe { libc::fileno(file) };
        let memory = substitute_of(own)?;
        // SAFETY: the descriptor is this function's, and the stream's where one is made of it.
        let shown = unsafe { libc::fdopen(memory.as_raw_fd(), c"r".as_ptr()) };
        (!shown.is_null()).then(|| {
            let _ = memory.into_raw_fd();
            // SAFETY: nobody else has the stream.
            unsafe { libc::fclose(file) };
            shown
        })
    });
    count(shown.flatten()).unwrap_or(file)
}

/// The same of a descriptor, which was opened with these flags.
pub fn descriptor(file: c_int, flags: c_int) -> c_int {
    if flags & (libc::O_ACCMODE | libc::O_PATH) != libc::O_RDONLY {
        return file;
    }
    let shown = isolated(|| {
        let memory = substitute_of(file)?;
        // SAFETY: nobody else has the descriptor.
        unsafe { libc::close(file) };
        Some(memory.into_raw_fd())
    });
    count(shown.flatten()).unwrap_or(file)
}

fn count<T>(shown: Option<T>) -> Option<T> {
    shown.inspect(|_| _ = SHOWN.fetch_add(1, Ordering::Relaxed))
}

/// Memory with what is to be shown in place of an open file, which stays at its beginning. None: nothing is.
fn substitute_of(file: c_int) -> Option<OwnedFd> {
    /// A sysfs file is one page.
    const LIMIT: u64 = 64 * 1024;
    // SAFETY: the descriptor is open, and stays its owner's.
    let mut real = ManuallyDrop::new(unsafe { File::from_raw_fd(file) });
    let mut text = String::new();
    let read = (&*real).take(LIMIT).read_to_string(&mut text);
    real.rewind().ok()?;
    read.ok()?;
    let mut memory = File::from(memory_file(file)?);
    memory.write_all(shown_properties(&text)?.as_bytes()).and_then(|()| memory.rewind()).ok()?;
    Some(memory.into())
}

/// An empty file in memory, which exec closes where it closes the other.
fn memory_file(like: c_int) -> Option<OwnedFd> {
    // SAFETY: a NUL-terminated name; the descriptor is new.
    unsafe {
        let memory = libc::memfd_create(c"properties".as_ptr(), libc::MFD_CLOEXEC);
        if memory < 0 {
            return None;
        }
        let memory = OwnedFd::from_raw_fd(memory);
        let flags = libc::fcntl(like, libc::F_GETFD);
        (flags >= 0 && libc::fcntl(memory.as_raw_fd(), libc::F_SETFD, flags) == 0).then_some(memory)
    }
}
