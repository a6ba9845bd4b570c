//! One run of one client: which stack, which card, with RMCP or without, under which environment.

use crate::bounded::{self, Output};
use crate::build::Build;
use crate::client::Client;
use crate::prerequisite::require;
use anyhow::{Context, Result, bail, ensure};
use rmcp_kfd_log::Log;
use rmcp_machine::Emulation;
use rmcp_stacks::{Release, Stack};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// `promise` on every release, several at a time.
pub fn on_every_release(promise: impl Fn(Release) + Sync) {
    let promise = &promise;
    std::thread::scope(|scope| {
        for release in Release::ALL {
            let thread = std::thread::Builder::new().name(format!("ROCm {release}"));
            thread.spawn_scoped(scope, move || promise(release)).expect("a thread");
        }
    });
}

/// How RMCP gets into the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Interposition {
    Absent,
    Preloaded,
    RmcpRun,
}

/// The surroundings of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scene {
    release: Release,
    machine: String,
    interposition: Interposition,
    environment: BTreeMap<String, String>,
}

/// What one call of a client returned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Call {
    /// The call with its flags, as in `hipHostMalloc(Mapped)`; also the mark in the log.
    pub label: String,
    /// Its hipError_t or hsa_status_t; 0 is success.
    pub code: i32,
    /// The name of the error.
    #[serde(default)]
    pub error: String,
    /// The flags that the runtime says the memory has.
    #[serde(default)]
    pub flags: i64,
    /// What hipGetLastError said afterwards.
    #[serde(default)]
    pub last: i32,
    /// Bytes that came back wrong from a copy.
    #[serde(default)]
    pub wrong: u64,
    /// How often RMCP counted the call.
    #[serde(default)]
    pub counted: u64,
    /// The architecture by which the device names itself.
    #[serde(default)]
    pub arch: String,
    /// The runtimes that the process has mapped.
    #[serde(default)]
    pub runtimes: Vec<String>,
}

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it took place.
    pub scene: Scene,
    /// The client's calls, in order.
    pub calls: Vec<Call>,
    /// What reached the kernel boundary.
    pub log: Log,
    /// Everything the client printed.
    pub stdout: String,
    /// The runtime's and RMCP's complaints.
    pub stderr: String,
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// With which status.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// What reached the kernel boundary.
    pub log: Log,
}

impl Run {
    /// The call with this label.
    ///
    /// # Panics
    /// When the client made none.
    pub fn call(&self, label: &str) -> &Call {
        self.calls
            .iter()
            .find(|call| call.label == label)
            .unwrap_or_else(|| panic!("the client made no call {label}:\n{}", self.stdout))
    }

    /// Fails unless the client made so many calls, each with success and with no wrong result.
    ///
    /// # Panics
    /// Then.
    #[track_caller]
    pub fn assert_right(&self, calls: usize) {
        assert_eq!(self.calls.len(), calls, "{:?}:\n{}", self.scene, self.stdout);
        for call in &self.calls {
            assert_eq!((call.code, call.wrong), (0, 0), "{} in {:?}:\n{}", call.label, self.scene, self.stdout);
        }
    }
}

impl Scene {
    /// A card on a stack, without RMCP. `machine` is what `RMCP_KFD_MACHINE` takes.
    pub fn new(release: Release, machine: &str) -> Scene {
        Scene { release, machine: machine.into(), interposition: Interposition::Absent, environment: BTreeMap::new() }
    }

    /// The same with RMCP preloaded.
    pub fn with_rmcp(mut self) -> Scene {
        self.interposition = Interposition::Preloaded;
        self
    }

    /// The same started by `rmcp-run`.
    pub fn by_rmcp_run(mut self) -> Scene {
        self.interposition = Interposition::RmcpRun;
        self
    }

    /// The same with a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Scene {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// The stack of this scene.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Runs `client` here; once a process, however many tests ask. `None` as by [`require`], where the stack or the client
    /// cannot be had.
    ///
    /// # Panics
    /// When RMCP was not built, or the client dies, does not end or prints what is no report.
    pub fn run(&self, client: Client) -> Option<Arc<Run>> {
        type Cell = Arc<OnceLock<Result<Arc<Run>, String>>>;
        static RUNS: LazyLock<Mutex<HashMap<(Scene, Client), Cell>>> = LazyLock::new(Mutex::default);
        let cell = {
            let mut runs = RUNS.lock().unwrap_or_else(|broken| broken.into_inner());
            Arc::clone(runs.entry((self.clone(), client.clone())).or_default())
        };
        // A missing prerequisite is an error to report; a client that fails is a failed test.
        let run = cell.get_or_init(|| {
            let stack = Stack::fetch(self.release).map_err(|error| format!("{error:#}"))?;
            let command = client.command(&stack).map_err(|error| format!("{error:#}"))?;
            Ok(Arc::new(self.start(command).unwrap_or_else(|error| panic!("{client:?} in {self:?}: {error:#}"))))
        });
        require("a ROCm stack", run.clone().map_err(anyhow::Error::msg))
    }

    /// Runs `client` here, and here with RMCP preloaded; as [`Scene::run`].
    ///
    /// # Panics
    /// As [`Scene::run`].
    pub fn run_both(&self, client: Client) -> Option<(Arc<Run>, Arc<Run>)> {
        Some((self.run(client.clone())?, self.clone().with_rmcp().run(client)?))
    }

    fn start(&self, command: Command) -> Result<Run> {
        let Ended { status, stdout, stderr, log } = self.output(&command)?;
        if !status.success() {
            let how = status.signal().map(|signal| format!("signal {signal}"));
            bail!("the client ended with {}:\n{stdout}{stderr}", how.unwrap_or_else(|| status.to_string()));
        }
        ensure!(!log.events.is_empty(), "the emulator logged nothing:\n{stderr}");
        let reports = stdout.lines().filter(|line| line.starts_with('{'));
        let calls = reports.map(|line| serde_json::from_str(line).with_context(|| format!("the report `{line}`")));
        Ok(Run { scene: self.clone(), calls: calls.collect::<Result<_>>()?, log, stdout, stderr })
    }

    /// Runs a command here, each time that a test asks, and says how it ended, whatever that was.
    ///
    /// # Errors
    /// When RMCP was not built, or the program does not end.
    pub fn output(&self, command: &Command) -> Result<Ended> {
        let build = Build::find()?;
        let scratch = tempfile::tempdir().context("make a scratch directory")?;
        Scene::lsmod(scratch.path()).context("write lsmod")?;
        let log_file = scratch.path().join("kfd.log");
        let mut command = self.prepare(command, &build, scratch.path(), &log_file)?;
        let Output { status, stdout, stderr } =
            bounded::output(command.stdin(Stdio::null()), scratch.path()).context("run the client")?;
        let text = std::fs::read_to_string(&log_file).context("read the emulator's log")?;
        Ok(Ended { status, stdout, stderr, log: Log::parse(&text)? })
    }

    /// 5.2.3's rocminfo asks lsmod whether the driver is loaded; what the emulator lists stands in for kmod.
    fn lsmod(scratch: &Path) -> Result<()> {
        let path = scratch.join("lsmod");
        std::fs::write(&path, "#!/bin/sh\nexec cat /proc/modules\n")?;
        Ok(std::fs::set_permissions(&path, Permissions::from_mode(0o755))?)
    }

    /// The client's command in this scene. Nothing of the caller's environment reaches it.
    fn prepare(&self, client: &Command, build: &Build, scratch: &Path, log_file: &Path) -> Result<Command> {
        let mut command = match self.interposition {
            Interposition::RmcpRun => {
                let mut command = Command::new(build.rmcp_run());
                command.arg(client.get_program());
                command
            }
            Interposition::Absent | Interposition::Preloaded => Command::new(client.get_program()),
        };
        command
            .args(client.get_args())
            .current_dir(scratch)
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", scratch.display()))
            .env("HOME", scratch);
        let environment = || client.get_envs().filter_map(|(name, value)| Some((name, value?)));
        // What the client preloads comes before RMCP.
        let mut preload: OsString =
            environment().filter(|(name, _)| *name == "LD_PRELOAD").map(|(_, value)| value).collect();
        if self.interposition == Interposition::Preloaded {
            preload.push(":");
            preload.push(build.gate());
        }
        let emulation = Emulation::new(build.kfd(), &self.machine).map_err(anyhow::Error::msg)?;
        emulation.log(log_file).apply(&mut command, &preload);
        command.envs(environment().filter(|(name, _)| *name != "LD_PRELOAD")).envs(&self.environment);
        Ok(command)
    }
}
