//! One process under RMCP, and what it reports.

use anyhow::{Result, ensure};
use rmcp_hip_tests::{Build, Stubs, require};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A process to start.
#[derive(Clone, Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<OsString>,
    before: Vec<PathBuf>,
    preload: Vec<PathBuf>,
    environment: Vec<(OsString, OsString)>,
}

/// What a process left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its lines: a command, then fields separated by tabs.
    pub lines: Vec<String>,
    /// Standard error.
    pub stderr: String,
}

impl Process {
    /// A program linked with the runtime.
    pub fn linked() -> Process {
        Process::of(Stubs::get().program())
    }

    /// The same on a runtime that lacks some functions.
    pub fn on_old_runtime() -> Process {
        Process::of(Stubs::get().old_program())
    }

    /// A program that knows no runtime and loads clients: `how` is `local`, `global` or `deepbind`.
    pub fn loading(clients: &[(&str, PathBuf)]) -> Process {
        let mut process = Process::of(Stubs::get().loader());
        process.arguments = clients
            .iter()
            .map(|(how, path)| [OsStr::new(&format!("--{how}=")), path.as_os_str()].join(OsStr::new("")))
            .collect();
        process
    }

    /// This program.
    pub fn of(program: PathBuf) -> Process {
        let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
        let (arguments, before, environment) = (Vec::new(), Vec::new(), Vec::new());
        let process = Process { program, arguments, before, preload: vec![build.gate()], environment };
        process.env("RMCP_CONFIG", "")
    }

    /// On a machine with these GPUs.
    pub fn gpus(self, targets: &[&str]) -> Process {
        let topology = Stubs::get().topology(targets);
        self.env("RMCP_TOPOLOGY", topology)
    }

    /// With a variable of the environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Process {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With an argument before the commands.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Process {
        self.arguments.push(argument.into());
        self
    }

    /// With one more library preloaded, after RMCP.
    pub fn preload(mut self, library: PathBuf) -> Process {
        self.preload.push(library);
        self
    }

    /// With one more library preloaded, before RMCP.
    pub fn preload_before(mut self, library: PathBuf) -> Process {
        self.before.push(library);
        self
    }

    /// With this file in RMCP's place.
    pub fn gate(mut self, gate: &Path) -> Process {
        self.preload[0] = gate.into();
        self
    }

    /// Without RMCP.
    pub fn bare(mut self) -> Process {
        self.preload.remove(0);
        self
    }

    /// With a second gate, as a process has that LD_PRELOAD and /etc/ld.so.preload both give one.
    pub fn gate_again(mut self, gate: &Path) -> Process {
        self.preload.push(gate.into());
        self
    }

    fn libraries(&self) -> impl Iterator<Item = &PathBuf> {
        self.before.iter().chain(&self.preload)
    }

    /// The command line, with nothing of the caller's environment.
    pub fn command(&self, commands: &str) -> Command {
        let mut command = Command::new(&self.program);
        let preload = self.libraries().map(|path| path.as_os_str()).collect::<Vec<_>>();
        command
            .args(&self.arguments)
            .args(commands.split_whitespace())
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("LD_PRELOAD", preload.join(OsStr::new(":")))
            .stdin(Stdio::null());
        command
    }

    /// Runs these commands.
    ///
    /// # Panics
    /// When the process does not end with success.
    #[track_caller]
    pub fn run(&self, commands: &str) -> Report {
        Report::of(&mut self.command(commands))
    }

    /// Runs them as root. None, after a loud word, where nobody can become root.
    #[track_caller]
    pub fn run_as_root(&self, commands: &str) -> Option<Report> {
        let inner = self.command(commands);
        let mut command = require("a way to become root", as_root())?;
        command.args(["env", "-i"]);
        let variables = inner.get_envs().filter_map(|(name, value)| Some([name, value?].join(OsStr::new("="))));
        command.args(variables).arg(inner.get_program()).args(inner.get_args());
        Some(Report::of(&mut command))
    }

    /// Runs them in a setgid program, with the libraries in an /etc/ld.so.preload that only this process sees. None,
    /// after a loud word, where nobody can become root.
    #[track_caller]
    pub fn run_secure(&self, commands: &str) -> Option<Report> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        let list: Vec<_> = self.libraries().map(|path| path.to_str().unwrap()).collect();
        fs::write(folder.path().join("etc/ld.so.preload"), list.join("\n") + "\n").unwrap();
        let mut command = require("a way to become root", as_root())?;
        command.args(["env", "-i"]);
        command.args(self.environment.iter().map(|(name, value)| [name.as_os_str(), value].join(OsStr::new("="))));
        command.args(["unshare", "--mount", "sh", "-euc", IN_PRIVATE_ETC, "sh"]);
        command.arg(folder.path()).arg(&self.program).args(&self.arguments).args(commands.split_whitespace());
        Some(Report::of(&mut command))
    }
}

/// Hides /etc behind `$1/etc`, makes a setgid copy of the program `$2` and runs it in another group than its own.
const IN_PRIVATE_ETC: &str = "
    folder=$1 program=$1/program
    cp \"$2\" \"$program\"; chown 0:0 \"$program\"; chmod 2755 \"$program\"; shift 2
    mount --bind \"$folder/etc\" /etc
    exec setpriv --regid=65534 --clear-groups \"$program\" \"$@\"";

/// A command to which a command line for root is appended.
pub fn as_root() -> Result<Command> {
    let id = Command::new("id").arg("--user").output()?;
    if id.stdout == b"0\n" {
        return Ok(Command::new("env"));
    }
    let mut sudo = Command::new("sudo");
    sudo.arg("--non-interactive");
    let output = Command::new("sudo").args(["--non-interactive", "true"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(sudo)
}

impl Report {
    #[track_caller]
    fn of(command: &mut Command) -> Report {
        let output = command.output().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?} ended with {}:\n{stdout}{stderr}", output.status);
        Report { lines: stdout.lines().map(String::from).collect(), stderr }
    }
}
