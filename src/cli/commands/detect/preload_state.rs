//! Whether librmcp.so is there, and whether the dynamic loader takes it.

use crate::effective_policy::{self, OptionValue};
use crate::preload;
use rmcp_system::System;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// librmcp.so and how it gets into processes.
pub struct PreloadState {
    /// Where it is, or why it cannot be used.
    pub library: Result<PathBuf, String>,
    /// Its entry in /etc/ld.so.preload, by which every process loads it.
    pub system_wide: Option<String>,
    /// The programs that it is for there; None: all.
    pub only: Option<OptionValue>,
    /// Whether LD_PRELOAD names it: what is started from here loads it.
    pub in_environment: bool,
}

/// Looks for it, and has a process load it.
pub fn read(root: &Path) -> PreloadState {
    let library = preload::find_gate().map_err(|why| why.to_string()).and_then(|library| {
        env::current_exe().map_or(Ok(()), |command| try_load(&command, &library))?;
        Ok(library)
    });
    let everywhere = System::with_root(root).entry().ok().flatten();
    let only = everywhere.as_deref().and_then(effective_policy::only_option);
    PreloadState { library, system_wide: everywhere, only, in_environment: preload::gate_in_environment() }
}

/// Starts this command with the gate and its core, which the gate would load at the first call.
fn try_load(exe: &Path, library: &Path) -> Result<(), String> {
    let mut preload = OsString::from(library);
    preload.push(":");
    preload.push(library.with_file_name(preload::CORE));
    let mut command = Command::new(exe);
    command.arg("--version").env("LD_PRELOAD", preload).stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let failed = |why: String| format!("{} cannot be loaded: {why}", library.display());
    // ld.so goes on without what it cannot load, and says so.
    match (stderr.lines().find(|line| line.contains("cannot be preloaded")), output.status.signal()) {
        (Some(line), _) => Err(failed(line.trim().to_owned())),
        (None, Some(signal)) => Err(failed(format!("a process that loads it ends by signal {signal}"))),
        (None, None) if !output.status.success() => Err(failed(stderr.trim().to_owned())),
        (None, None) => Ok(()),
    }
}
