//! The HIP programs under `clients/`, compiled by this machine's compiler against a stack's real headers.

use crate::build::Build;
use crate::compiler::Compiler;
use crate::native::{client_dir, compile, program, sources};
use crate::table::{self, TableProgram};
use crate::ways::{self, LoadMode};
use anyhow::{Context, Result};
use rmcp_stacks::Stack;
use std::fs;
use std::process::Command;

/// A program to run on a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// `allocations.cpp`: every allocation call, one mark each.
    Allocations,
    /// `copies.cpp`: copies there and back; within the device too if `device`.
    Copies {
        /// Whether to copy within the device as well.
        device: bool,
    },
    /// `stream_copies.cpp`: threads that copy pageable memory, each on a stream of its own.
    StreamCopies {
        /// Threads, copies of each there and back, and bytes of each.
        args: [&'static str; 3],
    },
    /// `events.cpp`: events with each flag, before and after the first pinned memory.
    Events,
    /// `hsa_pools.cpp`: one allocation from each pool, without HIP.
    HsaPools,
    /// `agents.cpp`: the GPUs and their names, without HIP.
    Agents,
    /// `wheel/client.py`: Python on a wheel that bundles the runtime.
    Wheel,
    /// `ggml.cpp`: llama.cpp's HIP backend from Debian, through ggml's public C interface.
    Ggml,
    /// `ggml_compute.cpp`: the same backend's kernels.
    GgmlCompute,
    /// `ways*`: the same few calls on one of the ways to the runtime.
    Ways(LoadMode),
    /// `table*`: calls that RMCP meets in the runtime's own table.
    Table(TableProgram),
    /// `compare.cpp`: hundreds of calls, everything that they return as text.
    Compare,
    /// `compare_options.cpp`: what one of the options is about.
    Options {
        /// `register`, `vram`, `threads` or `capabilities`.
        option: &'static str,
    },
    /// `compare_reuse.cpp`: memory where other memory lay.
    Reuse {
        /// `answers`, `words`, or `many` and a number.
        args: Vec<&'static str>,
    },
    /// `atomics.cpp`, as `cargo xtask build` installs it for `rmcp demo --atomics`.
    Atomics,
    /// `programs.cpp` and others: kernels that the stack's own compiler makes when the program runs.
    Kernels {
        /// The name of the source.
        program: &'static str,
    },
    /// `compiled.cpp`: kernels that hipcc compiled for gfx1010 and gfx1030 ahead of time.
    Compiled {
        /// hipcc's flags.
        flags: Vec<&'static str>,
    },
    /// `threads_*.cpp`: programs of many threads.
    Threads {
        /// `hammer`, `gpus`, `fork` or `endings`.
        program: &'static str,
        /// Its arguments.
        args: Vec<&'static str>,
    },
    /// `loader_lock.cpp`: calls while the loader is at work for another thread, or has a word for this one.
    LoaderLock {
        /// `constructor` or `dlerror`.
        mode: &'static str,
    },
    /// `unwinding.cpp`: a real function that is left by an exception, or by the end of its thread.
    Unwinding {
        /// `throw`, `exit`, `cancel` or `jump`; the function; how often.
        args: [&'static str; 3],
    },
    /// `queue_sizes*`: a program on a stand-in for libhsa-runtime64 that asks for a queue a card, by sizes that its
    /// environment chooses.
    QueueSizes {
        /// Whether it reads the topology by open, and not by fopen.
        by_open: bool,
    },
    /// `queue_starts.cpp`: starts of that stand-in under circumstances.
    QueueStarts {
        /// `once`, `again`, `threads`, `sealed` or `copies`.
        mode: &'static str,
        /// The release of ROCm that `.info/version` of the runtime's prefix names; empty: there is no such file.
        release: &'static str,
        /// How the runtime is built and linked: flags for the compiler, after those by which its imports are read-only.
        flags: &'static [&'static str],
    },
    /// `rccl.cpp`: RCCL between the GPUs of one process.
    Rccl,
    /// `ipc.cpp`: two processes that share device memory and events.
    Ipc {
        /// The card of the second, and what they wait by: `streams` or `events`.
        args: [&'static str; 2],
    },
    /// A program of the stack, or of Debian packages laid over it.
    Debian {
        /// The packages that bring it, beyond the stack.
        packages: Vec<&'static str>,
        /// Its name, or its path in the packages.
        program: &'static str,
        /// Its arguments. One that begins with `usr/` is a file of the packages.
        args: Vec<&'static str>,
    },
}

/// RCCL with its own tests and its headers.
pub const RCCL: [&str; 2] = ["librccl1-tests", "librccl-dev"];

fn ggml(stack: &Stack, name: &str) -> Result<Command> {
    let stack = stack.clone().with_packages(&["libggml0"])?.with_only(&["libggml0-backend-hip", "libggml-dev"])?;
    let folder = client_dir(&stack)?;
    let program = program(&stack, &format!("{name}.cpp"), &["-l:libggml.so.0", "-l:libggml-base.so.0"])?;
    let blas = folder.join("ggml_blas.so");
    compile(&stack, "ggml_blas.cpp", &blas, &["-shared", "-fPIC"])?;
    for name in ["libhipblas.so.2", "librocblas.so.4"] {
        fs::copy(&blas, folder.join(name)).with_context(|| format!("copy {name}"))?;
    }
    let mut command = stack.command_with(&program, &[folder])?;
    command.arg(stack.file("usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-hip.so")?);
    Ok(command)
}

/// The stand-in has the name, the SONAME, the symbol versions and the protection of the real library.
fn queue_sizes(stack: &Stack, by_open: bool) -> Result<Command> {
    const RUNTIME: &str = "libhsa-runtime64.so.1";
    let folder = client_dir(stack)?.join(if by_open { "queue_sizes_open" } else { "queue_sizes_fopen" });
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let (runtime, program) = (folder.join(RUNTIME), folder.join("queue_sizes"));
    let soname = format!("-Wl,-soname,{RUNTIME}");
    let versions = format!("-Wl,--version-script={}", sources().join("queue_sizes_runtime.map").display());
    let library = ["-shared", "-fPIC", "-Wl,-z,relro,-z,now", &soname, &versions];
    let by_open = by_open.then_some("-DREAD_BY_OPEN");
    let flags: Vec<&str> = library.into_iter().chain(by_open).collect();
    compile(stack, "queue_sizes_runtime.cpp", &runtime, &flags)?;
    let runtime = runtime.to_str().context("a path in UTF-8")?;
    compile(stack, "queue_sizes.cpp", &program, &[runtime, "-Wl,-rpath,$ORIGIN,--disable-new-dtags"])?;
    stack.command(program)
}

/// The stand-in in a prefix of its own, and the program that starts it.
fn queue_starts(stack: &Stack, mode: &str, release: &str, flags: &[&str]) -> Result<Command> {
    let name = [&[release], flags].concat().join("_").replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    let prefix = client_dir(stack)?.join(format!("queue_starts_{name}"));
    let libraries = prefix.join("lib");
    fs::create_dir_all(&libraries).with_context(|| format!("create {}", libraries.display()))?;
    if !release.is_empty() {
        fs::create_dir_all(prefix.join(".info")).context("create .info")?;
        fs::write(prefix.join(".info/version"), format!("{release}-17\n")).context("write .info/version")?;
    }
    let versions = format!("-Wl,--version-script={}", sources().join("queue_sizes_runtime.map").display());
    let library = |name: &str, more: &[&str]| -> Result<String> {
        let file = libraries.join(name);
        let all = [&["-shared", "-fPIC", "-Wl,-z,relro,-z,now", &versions], more, flags].concat();
        compile(stack, "queue_sizes_runtime.cpp", &file, &all)?;
        file.into_os_string().into_string().ok().context("a path in UTF-8")
    };
    let runtime = library("libhsa-runtime64.so.1", &["-Wl,-soname,libhsa-runtime64.so.1"])?;
    let program = prefix.join("queue_starts");
    let rpath = "-Wl,-rpath,$ORIGIN/lib,--disable-new-dtags";
    compile(stack, "queue_starts.cpp", &program, &[&runtime, rpath])?;
    let mut command = stack.command(program)?;
    command.arg(mode).arg(if flags.iter().any(|flag| flag.contains("lazy")) { "lazy" } else { "now" });
    if mode == "copies" {
        // Without a SONAME it is asked for by its path, and is another library than the program's.
        let own = library("libhsa-runtime64.so.1.plugin", &[])?;
        let plugin = prefix.join("plugin.so");
        compile(stack, "queue_starts_plugin.cpp", &plugin, &["-shared", "-fPIC", &own])?;
        command.arg(plugin);
    }
    Ok(command)
}

impl Client {
    /// A command that runs this client on `stack`, built first if need be.
    ///
    /// # Errors
    /// Without compiler, or without a Debian mirror for the packages it needs.
    pub fn command(&self, stack: &Stack) -> Result<Command> {
        let native = |name: &str| stack.command(program(stack, &format!("{name}.cpp"), &[])?);
        match self {
            Client::Allocations => native("allocations"),
            Client::Copies { device } => {
                let mut command = native("copies")?;
                command.args(device.then_some("device"));
                Ok(command)
            }
            Client::StreamCopies { args } => {
                let mut command = native("stream_copies")?;
                command.args(args);
                Ok(command)
            }
            Client::Events => native("events"),
            Client::HsaPools => native("hsa_pools"),
            Client::Agents => native("agents"),
            Client::Wheel => crate::wheel::command(stack),
            Client::Ggml => ggml(stack, "ggml"),
            Client::GgmlCompute => ggml(stack, "ggml_compute"),
            Client::Ways(mode) => ways::command(stack, *mode),
            Client::Table(what) => table::command(stack, *what),
            Client::Compare => native("compare"),
            Client::Options { option } => {
                let mut command = native("compare_options")?;
                command.arg(option);
                Ok(command)
            }
            Client::Reuse { args } => {
                let mut command = native("compare_reuse")?;
                command.args(args);
                Ok(command)
            }
            Client::Atomics => {
                let stack = stack.clone().with_hiprtc()?;
                let mut command = stack.command(Build::find().expect("RMCP was built").atomics_client())?;
                command.arg("0").arg(stack.find_library("libamdhip64")?);
                Ok(command)
            }
            Client::Kernels { program: name } => {
                stack.clone().with_hiprtc()?.command(program(stack, &format!("{name}.cpp"), &[])?)
            }
            Client::Compiled { flags } => {
                let object = Compiler::fetch()?.object("compiled.cpp", &["gfx1010", "gfx1030"], flags)?;
                let name = object.file_stem().context("an object file has a name")?;
                let path = client_dir(stack)?.join(name);
                compile(stack, object.to_str().context("a path in UTF-8")?, &path, &[])?;
                stack.command(path)
            }
            Client::Threads { program, args } => {
                let mut command = native(&format!("threads_{program}"))?;
                command.args(args);
                Ok(command)
            }
            Client::LoaderLock { mode } => {
                let mut command = stack.command(program(stack, "loader_lock.cpp", &["-Wl,--export-dynamic"])?)?;
                command.arg(mode);
                for part in ["PLUGIN", "WAITER"] {
                    let library = client_dir(stack)?.join(format!("loader_lock_{part}.so"));
                    compile(stack, "loader_lock.cpp", &library, &["-shared", "-fPIC", &format!("-D{part}")])?;
                    command.arg(library);
                }
                Ok(command)
            }
            Client::Unwinding { args } => {
                let linker = ["-Wl,--export-dynamic", "-l:libstdc++.so.6", "-l:libgcc_s.so.1"];
                let mut command = stack.command(program(stack, "unwinding.cpp", &linker)?)?;
                command.args(args);
                Ok(command)
            }
            Client::QueueSizes { by_open } => queue_sizes(stack, *by_open),
            Client::QueueStarts { mode, release, flags } => queue_starts(stack, mode, release, flags),
            Client::Rccl => {
                let stack = stack.clone().with_packages(&RCCL)?;
                stack.command(program(&stack, "rccl.cpp", &["-lrccl"])?)
            }
            Client::Ipc { args } => {
                let mut command = stack.clone().with_hiprtc()?.command(program(stack, "ipc.cpp", &[])?)?;
                command.args(args);
                Ok(command)
            }
            Client::Debian { packages, program, args } => {
                let stack = match packages.as_slice() {
                    [] => stack.clone(),
                    packages => stack.clone().with_packages(packages)?,
                };
                let program = if program.contains('/') { stack.file(program)? } else { program.into() };
                let mut command = stack.command(program)?;
                for arg in args {
                    command.arg(if arg.starts_with("usr/") { stack.file(arg)? } else { arg.into() });
                }
                Ok(command)
            }
        }
    }
}
