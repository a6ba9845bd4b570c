//! The programs of these tests on a runtime that knows addresses and flags alone.

use rmcp_hip_tests::{Build, Stubs};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};

/// A process to start under RMCP.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    preload: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

impl Program {
    /// `clients/threads_<name>.cpp`, linked with the runtime, on a machine with these GPUs.
    pub fn new(name: &str, gpus: &[&str]) -> Program {
        let runtime = runtime("libamdhip64.so.6");
        Program::at_path(compile(name, name, &link(&runtime)), gpus)
    }

    /// The same without the runtime: it loads libraries that bring theirs.
    pub fn without_runtime(name: &str, gpus: &[&str]) -> Program {
        Program::at_path(compile(name, name, &[]), gpus)
    }

    fn at_path(path: PathBuf, gpus: &[&str]) -> Program {
        let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
        let program = Program { path, preload: build.gate(), environment: Vec::new() };
        program.env("RMCP_CONFIG", "").env("RMCP_TOPOLOGY", Stubs::get().topology(gpus))
    }

    /// With a variable of the environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Program {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs it.
    pub fn output(&self, arguments: &[&OsStr]) -> Output {
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        command.env("LD_PRELOAD", &self.preload).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("start {command:?}: {error}"))
    }

    /// What it prints.
    ///
    /// # Panics
    /// When it does not end with success.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> String {
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        let output = self.output(&arguments);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}:\n{stdout}{stderr}", output.status);
        stdout
    }
}

/// The runtime under this file name.
pub fn runtime(file: &str) -> PathBuf {
    compile("runtime", file, &["-shared".into(), "-fPIC".into(), format!("-Wl,-soname,{file}").into()])
}

/// `clients/threads_library.cpp` under this file name, linked with the runtime of that one.
pub fn library(file: &str, runtime_file: &str) -> PathBuf {
    let arguments = [vec!["-shared".into(), "-fPIC".into()], link(&runtime(runtime_file))].concat();
    compile("library", file, &arguments)
}

fn link(runtime: &Path) -> Vec<OsString> {
    let folder = runtime.parent().expect("a file lies in a folder");
    vec![
        "-Wl,--no-as-needed".into(),
        runtime.into(),
        [OsStr::new("-Wl,-rpath,"), folder.as_os_str()].join(OsStr::new("")),
    ]
}

/// Compiles `clients/threads_<source>.cpp`, once a process.
fn compile(source: &str, output: &str, arguments: &[OsString]) -> PathBuf {
    static BUILT: LazyLock<Mutex<HashMap<String, PathBuf>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap_or_else(|broken| broken.into_inner());
    let make = || {
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("threads");
        fs::create_dir_all(&folder).unwrap();
        let (path, new) = (folder.join(output), folder.join(format!("{output}.{}", std::process::id())));
        let mut command = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
        command.args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]);
        command.arg(clients.join(format!("threads_{source}.cpp"))).args(arguments).arg("-ldl").arg("-o").arg(&new);
        let output = command.output().unwrap_or_else(|error| panic!("run the C++ compiler: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // In one step: another test process may hold the old file.
        fs::rename(&new, &path).unwrap();
        path
    };
    built.entry(output.into()).or_insert_with(make).clone()
}
