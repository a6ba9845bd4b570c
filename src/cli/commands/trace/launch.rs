//! Runs the program as a child: its end is waited for, signals to `rmcp trace` are passed on, and what the recorder writes
//! is watched.
//!
//! The program stays in the foreground's process group, so what is typed at the terminal (Ctrl-C) reaches it by itself,
//! and is ignored here. A signal that somebody sends to `rmcp trace` is passed on.

use super::live::LiveLine;
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// The signals that are passed on.
const FORWARDED: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// siginfo's si_code of a signal that the kernel raised by itself, as for a key typed at the terminal. (sigaction(2))
const SI_KERNEL: i32 = 0x80;

/// Milliseconds between two looks at what was recorded.
const TICK: u16 = 250;

/// How a program ran.
pub struct ProgramRun {
    /// How it ended.
    pub status: ExitStatus,
    /// When it was started and when it ended, in ns of CLOCK_MONOTONIC.
    pub clock: (u64, u64),
    /// When it was started, in ns since 1970.
    pub started: u64,
    /// The heads whose processes ended or became other programs, and when.
    pub closed: Vec<(u64, OsString)>,
}

/// Why there was no run.
pub enum LaunchError {
    /// The program could not be started.
    Start(io::Error),
    /// Something else.
    Internal(anyhow::Error),
}

/// Now, in ns.
fn clock_ns(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// Runs `command`, which records into `folder`.
pub fn run(mut command: Command, folder: &Path, live: &mut LiveLine) -> Result<ProgramRun, LaunchError> {
    let own = |error: anyhow::Error| LaunchError::Internal(error);
    let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
    // A head stays mapped as long as its program runs, and is closed with it.
    let watch = watch.and_then(|watch| watch.add_watch(folder, AddWatchFlags::IN_CLOSE_WRITE).map(|_| watch));
    let watch = watch.context("cannot watch the folder of records").map_err(own)?;

    let (started, start) = (clock_ns(ClockId::CLOCK_REALTIME), clock_ns(ClockId::CLOCK_MONOTONIC));
    let mut child = command.spawn().map_err(LaunchError::Start)?;
    // Not before, or the program would have them blocked.
    let signals = Signals::block().map_err(own)?;
    let mut closed = Vec::new();
    let timeout = if live.is_shown() { PollTimeout::from(TICK) } else { PollTimeout::NONE };
    let status = loop {
        drain_closed_heads(&watch, &mut closed);
        if let Some(status) = child.try_wait().context("cannot wait for the program").map_err(own)? {
            break status;
        }
        live.tick();
        let mut events = [signals.0.as_fd(), watch.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut events, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(own(anyhow::Error::from(error).context("cannot wait for the program"))),
        }
        signals.forward(&child).map_err(own)?;
    };
    let end = clock_ns(ClockId::CLOCK_MONOTONIC);
    drain_closed_heads(&watch, &mut closed);
    live.clear();
    Ok(ProgramRun { status, clock: (start, end), started, closed })
}

fn drain_closed_heads(watch: &Inotify, closed: &mut Vec<(u64, OsString)>) {
    while let Ok(events) = watch.read_events() {
        let now = clock_ns(ClockId::CLOCK_MONOTONIC);
        closed.extend(events.into_iter().filter_map(|event| Some((now, event.name?))));
    }
}

/// The signals, taken in here instead of acting.
struct Signals(SignalFd);

impl Signals {
    fn block() -> Result<Self> {
        let mut set = SigSet::from_iter(FORWARDED);
        set.add(Signal::SIGCHLD);
        set.thread_block().context("cannot block signals")?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&set, flags).context("cannot take signals in")?))
    }

    fn forward(&self, child: &Child) -> Result<()> {
        while let Some(info) = self.0.read_signal().context("cannot take signals in")? {
            let signal = Signal::try_from(info.ssi_signo as i32);
            if let Ok(signal) = signal
                && FORWARDED.contains(&signal)
                && info.ssi_code != SI_KERNEL
            {
                // The program may have ended meanwhile.
                let _ = kill(Pid::from_raw(child.id() as i32), signal);
            }
        }
        Ok(())
    }
}

/// Ends this process by the signal that ended the program, so that a shell sees the same. Returns where that is not
/// possible, as for a signal that Rust's start-up has ignored.
pub fn raise(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    // The program has left its core file; another one of this process would be of no use.
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    let _ = SigSet::from(signal).thread_unblock();
    let _ = nix::sys::signal::raise(signal);
}
