//! What is measured: the small sources of `clients/`, compiled for the stub drivers and for a real runtime.

use rmcp_hip_tests::{Stack, Stubs, target_dir};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The runtime that the calls reach.
#[derive(Clone, Copy)]
pub enum Runtime<'a> {
    /// A driver that answers at once.
    Stub,
    /// ROCm, unmodified.
    Rocm(&'a Stack),
}

/// Programs that make calls of a runtime.
pub struct Clients<'a> {
    runtime: Runtime<'a>,
    folder: PathBuf,
}

/// One of them; `clients/worker.c`.
pub struct Program<'a> {
    runtime: Runtime<'a>,
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program<'_> {
    /// A command that runs it on its runtime.
    ///
    /// # Panics
    /// Where the runtime is not whole.
    pub fn command(&self) -> Command {
        let mut command = match self.runtime {
            Runtime::Stub => Command::new(&self.path),
            Runtime::Rocm(stack) => stack.command(&self.path).unwrap_or_else(|error| panic!("{error:#}")),
        };
        command.env_clear().args(&self.arguments);
        if let Runtime::Stub = self.runtime {
            command.env("LD_LIBRARY_PATH", Stubs::get().drivers());
        }
        command
    }
}

impl<'a> Clients<'a> {
    /// Compiles the library that makes the calls.
    ///
    /// # Panics
    /// Without a C compiler.
    pub fn of(runtime: Runtime<'a>) -> Self {
        let name = match runtime {
            Runtime::Stub => "stub",
            Runtime::Rocm(stack) => stack.release().version(),
        };
        let clients = Self { runtime, folder: folder().join(name) };
        fs::create_dir_all(&clients.folder).expect("create a folder");
        let mut compiler = compiler("calls.c", &clients.library());
        for (folder, file) in clients.runtime_libraries() {
            compiler.arg("-L").arg(folder).arg(concat("-l:", &file));
        }
        run(&mut compiler);
        clients
    }

    /// A program that is linked with so many libraries, each of which makes the calls in turn.
    pub fn linked(&self, libraries: usize) -> Program<'a> {
        let names: Vec<_> = (0..libraries).map(|nth| format!("libcalls{nth}.so")).collect();
        for name in &names {
            fs::copy(self.library(), self.folder.join(name)).expect("copy a library");
        }
        self.worker(&format!("worker{libraries}"), names.iter().map(OsString::from).collect(), &names)
    }

    /// A program that loads such a library by dlopen with RTLD_LOCAL, as Python does.
    pub fn loaded(&self) -> Program<'a> {
        self.worker("worker", vec![self.library().into()], &[])
    }

    fn library(&self) -> PathBuf {
        self.folder.join("libcalls.so")
    }

    fn worker(&self, name: &str, arguments: Vec<OsString>, libraries: &[String]) -> Program<'a> {
        let path = self.folder.join(name);
        let mut compiler = compiler("worker.c", &path);
        // Of what the libraries need, the program knows nothing.
        compiler.arg("-Wl,--allow-shlib-undefined,-rpath,$ORIGIN").arg("-L").arg(&self.folder);
        run(compiler.args(libraries.iter().map(|name| format!("-l:{name}"))));
        Program { runtime: self.runtime, path, arguments }
    }

    /// The libraries of the runtime: the folder and the file.
    fn runtime_libraries(&self) -> Vec<(PathBuf, OsString)> {
        let of_stack = |stack: &Stack, name| {
            let path = stack.find_library(name).unwrap_or_else(|error| panic!("{error:#}"));
            let folder = path.parent().expect("a file lies in a folder");
            (folder.to_owned(), path.file_name().expect("a file").to_owned())
        };
        match self.runtime {
            Runtime::Stub => ["libamdhip64.so.6", "libhsa-runtime64.so.1"]
                .map(|name| (Stubs::get().drivers(), OsString::from(name)))
                .into(),
            Runtime::Rocm(stack) => ["libamdhip64", "libhsa-runtime64"].map(|name| of_stack(stack, name)).into(),
        }
    }
}

/// The same command, run by a tool that is given these arguments.
pub fn run_by(tool: &str, arguments: &[&str], command: &Command) -> Command {
    let mut by_tool = Command::new(tool);
    by_tool.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    by_tool.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    by_tool.args(arguments).arg(command.get_program()).args(command.get_args());
    by_tool
}

/// Another way between a program and the runtime, to stand beside RMCP: `jumps`, `next`, `audit` or `tool` of `clients/`.
///
/// # Panics
/// Without a C compiler.
pub fn peer(name: &str) -> PathBuf {
    let library = folder().join(format!("lib{name}.so"));
    fs::create_dir_all(folder()).expect("create a folder");
    run(&mut compiler(&format!("{name}.c"), &library));
    library
}

fn folder() -> PathBuf {
    target_dir().unwrap_or_else(|error| panic!("{error:#}")).join("bench-clients")
}

fn concat(one: &str, other: &OsStr) -> OsString {
    let mut both = OsString::from(one);
    both.push(other);
    both
}

/// The compiler about to make a program, or a library where `output` is called one.
fn compiler(source: &str, output: &Path) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    command.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-Wl,--no-as-needed"]);
    command.arg("-I").arg(here.join("../include"));
    if output.extension() == Some(OsStr::new("so")) {
        command.arg("-shared");
    }
    command.arg("-o").arg(output).arg(here.join("clients").join(source));
    command
}

fn run(command: &mut Command) {
    let output = command.arg("-ldl").output().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
