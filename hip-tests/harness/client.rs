//! The HIP programs under `clients/`, compiled by this machine's compiler against a stack's real headers.

use crate::build::{Build, target_dir};
use crate::compiler::Compiler;
use crate::ways::{self, LoadMode};
use anyhow::{Context, Result};
use rmcp_stacks::Stack;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

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
    /// `compare.cpp`: hundreds of calls, everything that they return as text.
    Compare,
    /// `compare_options.cpp`: what one of the options is about.
    Options {
        /// `register`, `vram`, `threads` or `capabilities`.
        option: &'static str,
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
    /// `rccl.cpp`: RCCL between the GPUs of one process.
    Rccl,
    /// A program of the stack, or of Debian packages laid over it.
    Debian {
        /// The packages that bring it, beyond the stack.
        packages: Vec<&'static str>,
        /// Its name, or its path in the packages.
        program: &'static str,
        /// Its arguments.
        args: Vec<&'static str>,
    },
}

/// RCCL with its own tests and its headers.
pub const RCCL: [&str; 2] = ["librccl1-tests", "librccl-dev"];

/// The folder of the clients' sources.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Where what is made for a stack is kept between runs.
pub(crate) fn client_dir(stack: &Stack) -> Result<PathBuf> {
    let path = target_dir()?.join("hip-clients").join(stack.release().version());
    fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    Ok(path)
}

/// Tests run in parallel and want the same client.
pub(crate) fn compile_lock() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Whether `output` is younger than its source, the clients' headers and the stack.
pub(crate) fn is_fresh(output: &Path, source: &Path, stack: &Stack) -> Result<bool> {
    let folder = sources().read_dir().with_context(|| format!("list {}", sources().display()))?;
    let headers = folder.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "h"));
    let mut inputs = headers.chain([source.to_owned(), stack.prefix().to_owned()]);
    let built = fs::metadata(output).and_then(|file| file.modified());
    Ok(built.is_ok_and(|built| {
        inputs.all(|input| fs::metadata(input).and_then(|input| input.modified()).is_ok_and(|time| time < built))
    }))
}

/// Compiles `clients/<source>` for `stack` with more arguments for the linker, unless that was done before.
pub(crate) fn compile(stack: &Stack, source: &str, output: &Path, linker: &[&str]) -> Result<()> {
    let _guard = compile_lock();
    let source = sources().join(source);
    if is_fresh(output, &source, stack)? {
        return Ok(());
    }
    let partial = output.with_extension("partial");
    let mut command = compiler(stack);
    command.arg("-O1").arg(&source).arg("-o").arg(&partial);
    // No libstdc++: a new host's would not do on an old stack. The runtime finds its own libraries at run time.
    command.args(["-nodefaultlibs", "-Wl,--as-needed,--allow-shlib-undefined"]);
    command.args(stack.library_dirs().iter().flat_map(|dir| ["-L".as_ref(), dir.as_os_str()]));
    command.args(linker).args(["-lamdhip64", "-lhsa-runtime64", "-lc"]);
    run_compiler(&mut command, &source)?;
    fs::rename(&partial, output).with_context(|| format!("rename {}", partial.display()))
}

/// `clients/<name>.cpp` as a program with its own ROCm: it names the stack's loader and the stack's libraries.
///
/// # Errors
/// Without a compiler.
pub fn self_contained(stack: &Stack, name: &str) -> Result<PathBuf> {
    let program = client_dir(stack)?.join(format!("{name}-own"));
    let folders: Vec<String> = stack.library_dirs().iter().map(|folder| folder.display().to_string()).collect();
    let loader = format!("-Wl,--dynamic-linker,{}", stack.loader()?.display());
    // An RPATH, which holds for the libraries of libraries too.
    let path = format!("-Wl,--disable-new-dtags,-rpath,{}", folders.join(":"));
    // The runtime and LLVM have a RUNPATH, by which they do not find these.
    let others = ["libamd_comgr", "libxml2"].into_iter().filter_map(|library| stack.find_library(library).ok());
    let others: Vec<String> = others.map(|library| library.display().to_string()).collect();
    let mut linker = vec![loader.as_str(), &path, "-Wl,--no-as-needed"];
    linker.extend(others.iter().map(String::as_str).chain(["-Wl,--as-needed"]));
    compile(stack, &format!("{name}.cpp"), &program, &linker)?;
    Ok(program)
}

/// Compiles `clients/<source>` for its static assertions alone, with these macros.
///
/// # Errors
/// Without a compiler.
///
/// # Panics
/// With the compiler's messages, when an assertion does not hold.
pub fn compile_only(stack: &Stack, source: &str, macros: &[(String, i64)]) -> Result<()> {
    let source = sources().join(source);
    let mut command = compiler(stack);
    command.arg("-fsyntax-only").args(macros.iter().map(|(name, value)| format!("-D{name}={value}")));
    run_compiler(command.arg(&source), &source)
}

fn compiler(stack: &Stack) -> Command {
    let mut command = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    command.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-deprecated-declarations"]);
    command.arg("-D__HIP_PLATFORM_AMD__");
    command.args(stack.include_dirs().iter().flat_map(|dir| ["-isystem".as_ref(), dir.as_os_str()]));
    command
}

/// No compiler is a missing prerequisite; a program that it refuses is a failed test.
fn run_compiler(command: &mut Command, source: &Path) -> Result<()> {
    let output = command.output().context("run the C++ compiler (install g++ or set CXX)")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} does not compile:\n{messages}", source.display());
    Ok(())
}

fn ggml(stack: &Stack, name: &str) -> Result<Command> {
    let stack = stack.clone().with_packages(&["libggml0"])?.with_only(&["libggml0-backend-hip", "libggml-dev"])?;
    let folder = client_dir(&stack)?;
    let program = folder.join(name);
    compile(&stack, &format!("{name}.cpp"), &program, &["-l:libggml.so.0", "-l:libggml-base.so.0"])?;
    let blas = folder.join("ggml_blas.so");
    compile(&stack, "ggml_blas.cpp", &blas, &["-shared", "-fPIC"])?;
    for name in ["libhipblas.so.2", "librocblas.so.4"] {
        fs::copy(&blas, folder.join(name)).with_context(|| format!("copy {name}"))?;
    }
    let mut command = stack.command_with(&program, &[folder])?;
    command.arg(stack.file("usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-hip.so")?);
    Ok(command)
}

impl Client {
    /// A command that runs this client on `stack`, built first if need be.
    ///
    /// # Errors
    /// Without compiler, or without a Debian mirror for the packages it needs.
    pub fn command(&self, stack: &Stack) -> Result<Command> {
        let native = |name: &str| {
            let program = client_dir(stack)?.join(name);
            compile(stack, &format!("{name}.cpp"), &program, &[])?;
            stack.command(program)
        };
        match self {
            Client::Allocations => native("allocations"),
            Client::Copies { device } => {
                let mut command = native("copies")?;
                command.args(device.then_some("device"));
                Ok(command)
            }
            Client::Events => native("events"),
            Client::HsaPools => native("hsa_pools"),
            Client::Agents => native("agents"),
            Client::Wheel => crate::wheel::command(stack),
            Client::Ggml => ggml(stack, "ggml"),
            Client::GgmlCompute => ggml(stack, "ggml_compute"),
            Client::Ways(mode) => ways::command(stack, *mode),
            Client::Compare => native("compare"),
            Client::Options { option } => {
                let mut command = native("compare_options")?;
                command.arg(option);
                Ok(command)
            }
            Client::Atomics => {
                let stack = stack.clone().with_hiprtc()?;
                let mut command = stack.command(Build::find().expect("RMCP was built").atomics_client())?;
                command.arg("0").arg(stack.find_library("libamdhip64")?);
                Ok(command)
            }
            Client::Kernels { program } => {
                let path = client_dir(stack)?.join(program);
                compile(stack, &format!("{program}.cpp"), &path, &[])?;
                stack.clone().with_hiprtc()?.command(path)
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
            Client::Rccl => {
                let stack = stack.clone().with_packages(&RCCL)?;
                let program = client_dir(&stack)?.join("rccl");
                compile(&stack, "rccl.cpp", &program, &["-lrccl"])?;
                stack.command(program)
            }
            Client::Debian { packages, program, args } => {
                let stack = match packages.as_slice() {
                    [] => stack.clone(),
                    packages => stack.clone().with_packages(packages)?,
                };
                let program = if program.contains('/') { stack.file(program)? } else { program.into() };
                let mut command = stack.command(program)?;
                command.args(args);
                Ok(command)
            }
        }
    }
}
