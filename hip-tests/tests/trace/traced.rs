//! A program under `rmcp trace`.

use rmcp_hip_tests::{Build, Client, Release, Stack, require};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The release on which what does not depend on one is shown.
pub const RELEASE: Release = Release::Rocm643;

/// What came of it.
pub struct Traced {
    /// The command's end, with what the program printed.
    pub output: Output,
    /// The report; null where none was written.
    pub json: Value,
}

/// `rmcp trace`, about to run.
pub struct Trace {
    /// The command, with all but the program.
    pub command: Command,
    /// Where the report goes.
    report: PathBuf,
    folder: TempDir,
}

impl Trace {
    /// On a machine with this card, with these options.
    pub fn new(machine: &str, options: &[&str]) -> Trace {
        let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.json");
        // In the background of a shell SIGINT is ignored, by whatever is started there.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(build.rmcp())
            .args(["trace", "--json", "--output"])
            .arg(&report)
            .args(options)
            .arg("--");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path()).env("TMPDIR", folder.path());
        command.env("RMCP_CONFIG", "").env("RMCP_LIBRARY", build.gate()).env("LD_PRELOAD", build.kfd());
        command.env("RMCP_KFD_MACHINE", machine).env("RMCP_KFD_LOG", folder.path().join("kfd.log"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Trace { command, report, folder }
    }

    /// A folder that vanishes with this.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds the client's command; None where this machine cannot have a stack.
    pub fn client(mut self, release: Release, client: &Client) -> Option<Trace> {
        let stack = require("a ROCm stack", Stack::fetch(release))?;
        let client = require("a client", client.command(&stack))?;
        self.command.arg(client.get_program()).args(client.get_args());
        self.command.envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Some(self)
    }

    /// Runs it.
    pub fn run(&mut self) -> Traced {
        let output = self.command.output().unwrap_or_else(|error| panic!("start {:?}: {error}", self.command));
        self.traced(output)
    }

    /// What came of it, once it has ended.
    pub fn traced(&self, output: Output) -> Traced {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        let json = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Traced { output, json }
    }
}

/// `threads_endings HOW`.
pub fn endings_client(args: &[&'static str]) -> Client {
    Client::Threads { program: "endings", args: args.into() }
}

/// That client on gfx1010 with RELEASE.
pub fn run(args: &[&'static str]) -> Option<Traced> {
    Some(Trace::new("gfx1010", &[]).client(RELEASE, &endings_client(args))?.run())
}

impl Traced {
    /// The program's output.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it and the command said.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The rows of an array whose `key` is `value`.
    pub fn rows(&self, array: &str, key: &str, value: &str) -> Vec<&Value> {
        let rows = self.json[array].as_array().unwrap_or_else(|| panic!("no {array}: {}", self.stderr()));
        rows.iter().filter(|row| row[key] == value).collect()
    }

    /// The row of a function's calls.
    #[track_caller]
    pub fn calls(&self, function: &str) -> &Value {
        let rows = self.rows("calls", "function", function);
        rows.first().unwrap_or_else(|| panic!("no {function} in {}", self.json["calls"]))
    }

    /// A number of it.
    #[track_caller]
    pub fn number(&self, function: &str, field: &str) -> u64 {
        self.calls(function)[field].as_u64().unwrap()
    }

    /// The row of a kind of memory.
    pub fn memory(&self, kind: &str) -> &Value {
        self.rows("memory", "kind", kind)[0]
    }
}

/// The calls that `threads_endings` makes in each process.
#[track_caller]
pub fn assert_client_calls(traced: &Traced, times: u64) {
    assert_eq!(traced.number("hipMalloc", "calls"), times * 11, "{}", traced.json);
    assert_eq!(traced.number("hipMalloc", "failures"), times);
    assert_eq!(traced.calls("hipMalloc")["errors"][0]["name"], "hipErrorOutOfMemory");
    assert_eq!(traced.number("hipMalloc", "bytes"), times * 10 * 4096);
    assert_eq!(traced.number("hipMalloc", "never_freed"), times * 7);
    assert_eq!(traced.number("hipFree", "calls"), times * 3);
    assert_eq!(traced.number("hipHostMalloc", "never_freed_bytes"), times * 8192);
    assert_eq!(traced.memory("pinned")["never_freed"], times * 8192);
    for nothing in ["lost_calls", "unknown_frees", "unseen_frees"] {
        assert_eq!(traced.json[nothing], 0, "{nothing}");
    }
}
