//! Where the lines of the log go, without harm to the process: a line that cannot be written at once is lost.
//!
//! No descriptor is kept, since a program may close what it does not know and open files of its own under that number. No
//! write waits, and the signals of a broken pipe and of a file-size limit do not arrive.

use rustix::fs::{FileType, Stat, fstat};
use rustix::io::{Errno, ReadWriteFlags, Result, pwritev2, write};
use rustix::net::{SendFlags, send};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
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

/// Which file a descriptor leads to: its device and inode.
pub type Identity = (u64, u64);

impl Sink {
    /// The process's standard error.
    pub fn stderr() -> Self {
        Self::Stderr(fstat(STDERR).ok().map(identity))
    }

    /// The file, which is made where it is not there; its folder is not.
    pub fn file(path: &Path) -> io::Result<Self> {
        let path = absolute(path)?;
        open(&path, true)?;
        Ok(Self::File(path))
    }

    /// Writes a line of at most PIPE_BUF bytes; how many of them were written.
    pub fn write(&self, line: &[u8]) -> usize {
        with_signals_blocked(|| match self {
            Self::File(path) => write(open(path, false).map_err(|_| Errno::NOENT)?, line),
            Self::Stderr(known) => {
                let status = fstat(STDERR)?;
                if *known == Some(identity(status)) { write_to_stderr(status, line) } else { Ok(0) }
            }
        })
    }
}

// SAFETY: nobody closes this number but the program, and then it is only used to find that out.
const STDERR: BorrowedFd = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };

fn identity(status: Stat) -> Identity {
    (status.st_dev, status.st_ino)
}

/// Opens a file for one line. A link is not followed: another user may have laid it, to a file that this one must not touch.
fn open(path: &Path, create: bool) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    let file = OpenOptions::new().append(true).create(create).custom_flags(flags).open(path)?;
    // The program may give a standard descriptor that it was started without a meaning. A clone is above them.
    if file.as_raw_fd() > libc::STDERR_FILENO { Ok(file) } else { file.try_clone() }
}

/// Writes to standard error, a file of this type, whose own flags are the program's.
fn write_to_stderr(status: Stat, line: &[u8]) -> Result<usize> {
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => write(STDERR, line),
        FileType::Socket => send(STDERR, line, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
        FileType::Fifo | FileType::CharacterDevice => {
            const CURRENT_OFFSET: u64 = u64::MAX;
            // Older kernels cannot promise not to wait for a pipe, and none for a terminal.
            match pwritev2(STDERR, &[IoSlice::new(line)], CURRENT_OFFSET, ReadWriteFlags::NOWAIT) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_reopened(line),
                written => written,
            }
        }
        // Nothing that lines are written to: an event, a timer.
        _ => Ok(0),
    }
}

/// Writes to the same pipe or terminal, opened anew with flags of its own, so that it does not wait.
fn write_reopened(line: &[u8]) -> Result<usize> {
    let open = |path| {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        OpenOptions::new().write(true).custom_flags(flags).open(path)
    };
    // Where another user made it only the process's own terminal can be opened, as after su; another pipe cannot.
    let own_terminal = || open("/dev/tty").ok().filter(|tty| terminal(tty.as_fd()) == terminal(STDERR));
    open("/proc/self/fd/2").ok().or_else(own_terminal).map_or(Ok(0), |again| write(again, line))
}

/// The number of a terminal, however it was opened; None: it is none.
fn terminal(fd: BorrowedFd) -> Option<libc::c_uint> {
    let mut number = 0;
    // SAFETY: writes one unsigned int.
    (unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGDEV, &mut number) } == 0).then_some(number)
}

/// Writes while this thread holds back the signals that writing can raise, and takes back what it raised.
fn with_signals_blocked(write: impl FnOnce() -> Result<usize>) -> usize {
    let signals = signal_set(&[libc::SIGPIPE, libc::SIGXFSZ]);
    let mut before = signal_set(&[]);
    let mut pending = signal_set(&[]);
    // SAFETY: the sets are initialised, and read or written.
    unsafe {
        libc::sigpending(&mut pending);
        libc::pthread_sigmask(libc::SIG_BLOCK, &signals, &mut before);
    }
    let written = write();
    let raised = match written {
        Err(Errno::PIPE) => libc::SIGPIPE,
        Err(Errno::FBIG) => libc::SIGXFSZ,
        _ => 0,
    };
    // SAFETY: as above; a signal that was pending before is the program's.
    unsafe {
        if raised != 0 && libc::sigismember(&pending, raised) == 0 {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            libc::sigtimedwait(&signal_set(&[raised]), null_mut(), &at_once);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, null_mut());
    }
    written.unwrap_or(0)
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
