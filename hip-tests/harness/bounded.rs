//! Programs that may hang.

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// After how many seconds a program counts as hung.
const LIMIT: u64 = 300;

/// How a program ended, and what it printed.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` to its end, with files in `scratch` as its output, so that what it leaves running holds up nobody.
///
/// # Errors
/// When it cannot be started, or did not end: then it and all that it started is killed.
pub(crate) fn output(command: &mut Command, scratch: &Path) -> Result<Output> {
    let paths = ["stdout", "stderr"].map(|name| scratch.join(name));
    let [stdout, stderr] = paths.each_ref().map(|path| File::create(path).context("make a file for its output"));
    let mut child = command.stdout(stdout?).stderr(stderr?).process_group(0).spawn().context("start it")?;
    let pid = Pid::from_child(&child);
    let process = pidfd_open(pid, PidfdFlags::empty()).context("watch it")?;
    let limit = Timespec { tv_sec: LIMIT as i64, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).context("wait for it")? == 1;
    if !ended {
        // Its pid is its own until `wait`.
        kill_process_group(pid, Signal::KILL).context("kill it")?;
    }
    let status = child.wait().context("wait for its end")?;
    let [stdout, stderr] = paths.map(|path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    let output = Output { status, stdout: stdout?, stderr: stderr? };
    ensure!(ended, "it did not end within {LIMIT} seconds:\n{}{}", output.stdout, output.stderr);
    Ok(output)
}
