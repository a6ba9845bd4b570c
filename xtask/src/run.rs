//! Running programs: each is shown before it runs, and its failure ends the task.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root")
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program about to run in the root.
pub struct Task(Command);

/// `program`, without arguments so far.
pub fn program(program: impl AsRef<OsStr>) -> Task {
    let mut command = Command::new(program);
    command.current_dir(root());
    Task(command)
}

/// `cargo` with arguments separated by blanks.
pub fn cargo(arguments: &str) -> Task {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments.split(' '))
}

impl Task {
    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// More arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.0.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it, and returns what it prints.
    pub fn stdout(mut self) -> Result<String> {
        stdout_of(self.0.stderr(Stdio::inherit()))
    }

    /// Runs it.
    pub fn run(mut self) -> Result<()> {
        let shown = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        let shown = shown.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        eprintln!("+ {shown}");
        let status = self.0.status().with_context(|| format!("cannot run {shown}"))?;
        ensure!(status.success(), "{shown} failed: {status}");
        Ok(())
    }
}

/// What a program prints, where it succeeds.
pub fn stdout_of(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").output().with_context(|| format!("cannot run {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}\n{text}{error}", output.status);
    Ok(text)
}
