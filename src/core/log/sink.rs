//! Where the lines of the log go, without harm to the process: a line that cannot be written at once is lost.
//!
//! No descriptor is kept, since a program may close what it does not know and open files of its own under that number. No
//! write waits, and the signals of a broken pipe and of a file-size limit do not arrive.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf, absolute};
use std::ptr::null_mut;

/// A place for lines.
pub enum Sink {
    /// What was standard error when the log began; None: it was closed.
    Stderr(Option<Identity>),
    /// A file, by its path from the root.
    File(PathBuf),
}

/// Which file a descriptor leads to.
#[derive(PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Sink {
    /// The process's standard error.
    pub fn stderr() -> Self {
        Self::Stderr(status(STDERR).map(|status| Identity::of(&status)))
    }

    /// The file, which is made where it is not there; its folder is not.
    pub fn file(path: &Path) -> io::Result<Self> {
        let path = absolute(path)?;
        open(&path, true)?;
        Ok(Self::File(path))
    }

    /// Writes a line of at most PIPE_BUF bytes; how many of them were written.
    pub fn write(&self, line: &[u8]) -> usize {
        match self {
            Self::File(path) => open(path, false).map_or(0, |file| with_signals_blocked(|| write(file.as_fd(), line))),
            Self::Stderr(identity) => match status(STDERR) {
                Some(status) if *identity == Some(Identity::of(&status)) => {
                    with_signals_blocked(|| write_to_stderr(status.st_mode & libc::S_IFMT, line))
                }
                _ => 0,
            },
        }
    }
}

// SAFETY: nobody closes this number but the program, and then it is only used to find that out.
const STDERR: BorrowedFd = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };

impl Identity {
    fn of(status: &libc::stat) -> Self {
        Self { device: status.st_dev, inode: status.st_ino }
    }
}

/// None: the descriptor is closed.
fn status(fd: BorrowedFd) -> Option<libc::stat> {
    // SAFETY: plain data, for which zeros are a value.
    let mut status: libc::stat = unsafe { zeroed() };
    // SAFETY: writes one stat.
    (unsafe { libc::fstat(fd.as_raw_fd(), &mut status) } == 0).then_some(status)
}

/// Opens a file for one line. A link is not followed: another user may have laid it, to a file that this one must not touch.
fn open(path: &Path, create: bool) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    let file = OpenOptions::new().append(true).create(create).custom_flags(flags).open(path)?;
    // The program may give a standard descriptor that it was started without a meaning. A clone is above them.
    if file.as_raw_fd() > libc::STDERR_FILENO { Ok(file) } else { file.try_clone() }
}

/// Writes to what never waits: a file, or what was opened with O_NONBLOCK.
fn write(fd: BorrowedFd, line: &[u8]) -> usize {
    // SAFETY: the bytes are those of the slice.
    byte_count(unsafe { libc::write(fd.as_raw_fd(), line.as_ptr().cast(), line.len()) })
}

fn byte_count(result: isize) -> usize {
    usize::try_from(result).unwrap_or(0)
}

/// Writes to standard error, a file of this type, whose own flags are the program's.
fn write_to_stderr(kind: libc::mode_t, line: &[u8]) -> usize {
    match kind {
        libc::S_IFREG => write(STDERR, line),
        libc::S_IFSOCK => {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the bytes are those of the slice.
            byte_count(unsafe { libc::send(libc::STDERR_FILENO, line.as_ptr().cast(), line.len(), flags) })
        }
        libc::S_IFIFO | libc::S_IFCHR => write_nowait(line).unwrap_or_else(|| write_reopened(line)),
        // Nothing that lines are written to: an event, a timer.
        _ => 0,
    }
}

/// Writes to standard error unless that would wait; None where the kernel cannot promise it, as older ones of a pipe and
/// all of a terminal.
fn write_nowait(line: &[u8]) -> Option<usize> {
    const CURRENT_OFFSET: libc::off_t = -1;
    let bytes = libc::iovec { iov_base: line.as_ptr().cast_mut().cast(), iov_len: line.len() };
    // SAFETY: the one slice is read.
    let result = unsafe { libc::pwritev2(libc::STDERR_FILENO, &bytes, 1, CURRENT_OFFSET, libc::RWF_NOWAIT) };
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOSYS) if result < 0 => None,
        _ => Some(byte_count(result)),
    }
}

/// Writes to the same pipe or terminal, opened anew with flags of its own, so that it does not wait.
fn write_reopened(line: &[u8]) -> usize {
    let open = |path| {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        OpenOptions::new().write(true).custom_flags(flags).open(path)
    };
    // Where another user made it only the process's own terminal can be opened, as after su; another pipe cannot.
    let own_terminal = || open("/dev/tty").ok().filter(|tty| terminal(tty.as_fd()) == terminal(STDERR));
    open("/proc/self/fd/2").ok().or_else(own_terminal).map_or(0, |again| write(again.as_fd(), line))
}

/// The number of a terminal, however it was opened; None: it is none.
fn terminal(fd: BorrowedFd) -> Option<libc::c_uint> {
    let mut number = 0;
    // SAFETY: writes one unsigned int.
    (unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGDEV, &mut number) } == 0).then_some(number)
}

/// Writes while this thread holds back the signals that writing can raise, and takes back what it raised.
fn with_signals_blocked(write: impl FnOnce() -> usize) -> usize {
    let signals = signal_set(&[libc::SIGPIPE, libc::SIGXFSZ]);
    let mut before = signal_set(&[]);
    let mut pending = signal_set(&[]);
    // SAFETY: the sets are initialised, and read or written.
    unsafe {
        libc::sigpending(&mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &signals, &mut before);
    }
    let written = write();
    let raised = match io::Error::last_os_error().raw_os_error() {
        Some(libc::EPIPE) => libc::SIGPIPE,
        Some(libc::EFBIG) => libc::SIGXFSZ,
        _ => 0,
    };
    // SAFETY: as above; a signal that was pending before is the program's.
    unsafe {
        if written == 0 && raised != 0 && libc::sigismember(&pending, raised) == 0 {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            libc::sigtimedwait(&signal_set(&[raised]), null_mut(), &at_once);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, null_mut());
    }
    written
}

fn signal_set(signals: &[libc::c_int]) -> libc::sigset_t {
    // SAFETY: the set is plain data, and initialised before it is used; the signals exist.
    unsafe {
        let mut set = zeroed();
        libc::sigemptyset(&mut set);
        signals.iter().for_each(|&signal| {
            libc::sigaddset(&mut set, signal);
        });
        set
    }
}
