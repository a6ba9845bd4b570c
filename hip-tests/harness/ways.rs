//! The ways on which a program can reach the runtime: `clients/ways*`.

use crate::native::{client_dir, compile, program};
use crate::wheel;
use anyhow::{Context, Result};
use rmcp_stacks::Stack;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// How a program comes by the runtime's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadMode {
    /// It is linked; its imports name symbol versions, such as hipHostMalloc@hip_4.2.
    Linked,
    /// It is linked; its imports name no versions.
    Unversioned,
    /// It loads a library that is linked, RTLD_LOCAL.
    Local,
    /// The same, RTLD_GLOBAL.
    Global,
    /// The same, RTLD_DEEPBIND.
    DeepBind,
    /// It loads two libraries that are linked against two copies of libamdhip64.
    TwoCopies,
    /// The same, but the second is loaded after the first has made its calls.
    LateCopy,
    /// It loads two libraries that are linked against two copies, the second first if `second_first`; their calls are jumps.
    Jumps {
        /// Whether the library of the second copy is loaded first.
        second_first: bool,
    },
    /// It is Python, and loads an extension that is linked against a runtime in its own folder.
    Wheel,
    /// It asks hipGetProcAddress, ROCm 6.1 and later.
    ProcAddress,
    /// It asks hipGetDriverEntryPoint, ROCm 7.1 and later.
    EntryPoint,
    /// It looks them up in the runtime by dlsym.
    Dlsym,
    /// The same, and its first HIP call allocates pinned memory; then it does so once more.
    DlsymAtOnce,
    /// It looks up hipGetProcAddress by dlsym, and asks that. ROCm 6.1 and later.
    DlsymProcAddress,
    /// It is Python, and makes its calls by ctypes.
    Ctypes,
}

const LIBRARY: [&str; 2] = ["-shared", "-fPIC"];

/// The command that runs the client of this way.
pub(crate) fn command(stack: &Stack, mode: LoadMode) -> Result<Command> {
    let arguments = |mut command: Command, arguments: &[&Path]| {
        command.args(arguments);
        command
    };
    let linked = |way: &str| Ok(arguments(stack.command(program(stack, "ways.cpp", &[])?)?, &[way.as_ref()]));
    let loader = |way: &str, loaded: &[&Path]| {
        let command = arguments(stack.command(program(stack, "ways_loader.cpp", &[])?)?, &[way.as_ref()]);
        Ok(arguments(command, loaded))
    };
    match mode {
        LoadMode::Linked => linked("linked"),
        LoadMode::ProcAddress => linked("hipGetProcAddress"),
        LoadMode::EntryPoint => linked("hipGetDriverEntryPoint"),
        LoadMode::Unversioned => Ok(arguments(stack.command(unversioned(stack)?)?, &["linked".as_ref()])),
        LoadMode::Local => loader("local", &[&library(stack)?]),
        LoadMode::Global => loader("global", &[&library(stack)?]),
        LoadMode::DeepBind => loader("deepbind", &[&library(stack)?, soname(stack)?.as_ref()]),
        LoadMode::Dlsym => loader("dlsym", &[soname(stack)?.as_ref()]),
        LoadMode::DlsymAtOnce => loader("first", &[soname(stack)?.as_ref()]),
        LoadMode::DlsymProcAddress => loader("proc", &[soname(stack)?.as_ref()]),
        LoadMode::Ctypes => {
            let mut command = wheel::python(stack, "ways_ctypes.py")?;
            command.arg(soname(stack)?);
            Ok(command)
        }
        LoadMode::TwoCopies | LoadMode::LateCopy => {
            let (second, copy) = second_library(stack, "ways_second.so", &[])?;
            let way = if mode == LoadMode::LateCopy { "late copy" } else { "copies" };
            loader(way, &[&library(stack)?, &second, soname(stack)?.as_ref(), &copy])
        }
        LoadMode::Jumps { second_first } => {
            const JUMPS: [&str; 1] = ["-foptimize-sibling-calls"];
            let first = client_dir(stack)?.join("ways_jumps.so");
            compile(stack, "ways.cpp", &first, &[LIBRARY[0], LIBRARY[1], JUMPS[0]])?;
            let (second, copy) = second_library(stack, "ways_second_jumps.so", &JUMPS)?;
            let (mut libraries, mut runtimes) = ([first, second], [soname(stack)?.into(), copy]);
            if second_first {
                libraries.reverse();
                runtimes.reverse();
            }
            loader("jumps", &[&libraries[0], &libraries[1], &runtimes[0], &runtimes[1]])
        }
        LoadMode::Wheel => {
            let site = client_dir(stack)?.join("site");
            wheel::install(stack, &site)?;
            let mut command = wheel::python(stack, "ways_wheel.py")?;
            let extension = site.join("pkg/_ways.so");
            compile(stack, "ways.cpp", &extension, &[LIBRARY[0], LIBRARY[1], wheel::RPATH])?;
            command.arg(extension);
            Ok(command)
        }
    }
}

fn library(stack: &Stack) -> Result<PathBuf> {
    let library = client_dir(stack)?.join("ways.so");
    compile(stack, "ways.cpp", &library, &LIBRARY)?;
    Ok(library)
}

/// What the runtime of `stack` is loaded as: `libamdhip64.so.6`.
pub(crate) fn soname(stack: &Stack) -> Result<String> {
    wheel::soname(&stack.find_library("libamdhip64")?)
}

/// The program of [`LoadMode::Unversioned`]: what stands in for the runtime goes before it on the linker's command line.
fn unversioned(stack: &Stack) -> Result<PathBuf> {
    let folder = client_dir(stack)?.join("unversioned");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let stub = |name: &str, define: &str| -> Result<String> {
        let soname = wheel::soname(&stack.find_library(name)?)?;
        let stub = folder.join(&soname);
        let soname = format!("-Wl,-soname,{soname}");
        compile(stack, "ways_unversioned.cpp", &stub, &[LIBRARY[0], LIBRARY[1], &soname, define])?;
        Ok(stub.display().to_string())
    };
    let (hip, hsa) = (stub("libamdhip64", "-DHIP")?, stub("libhsa-runtime64", "-DHSA")?);
    let program = folder.join("ways");
    compile(stack, "ways.cpp", &program, &[&hip, &hsa])?;
    let bytes = fs::read(&program).with_context(|| format!("read {}", program.display()))?;
    assert!(find_all(&bytes, b"hip_4.2").is_empty(), "{} names symbol versions", program.display());
    Ok(program)
}

/// A second copy of libamdhip64. The loader takes two files for one library if they have the same SONAME, so the copy's is
/// another one.
pub(crate) fn copy_of_runtime(stack: &Stack) -> Result<PathBuf> {
    const NAME: &str = "libamdhip64-b.so";
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());
    let copy = client_dir(stack)?.join(NAME);
    let original = stack.find_library("libamdhip64")?;
    let mut bytes = fs::read(&original).with_context(|| format!("read {}", original.display()))?;
    if fs::metadata(&copy).map(|file| file.len()).ok() != Some(bytes.len() as u64) {
        replace(&mut bytes, soname(stack)?.as_bytes(), NAME.as_bytes());
        fs::write(&copy, bytes).with_context(|| format!("write {}", copy.display()))?;
    }
    Ok(copy)
}

/// A library that is linked against a second copy of libamdhip64, and that copy.
fn second_library(stack: &Stack, name: &str, flags: &[&str]) -> Result<(PathBuf, PathBuf)> {
    let copy = copy_of_runtime(stack)?;
    let library = client_dir(stack)?.join(name);
    let runtime = copy.display().to_string();
    compile(stack, "ways.cpp", &library, &[&LIBRARY, flags, &[&runtime, "-Wl,-rpath,$ORIGIN"]].concat())?;
    Ok((library, copy))
}

/// Replaces one name by another of the same length.
fn replace(bytes: &mut [u8], name: &[u8], by: &[u8]) {
    let places = find_all(bytes, name);
    assert!(!places.is_empty(), "{} is not in the library", String::from_utf8_lossy(name));
    places.into_iter().for_each(|at| bytes[at..][..name.len()].copy_from_slice(by));
}

fn find_all(bytes: &[u8], name: &[u8]) -> Vec<usize> {
    (0..bytes.len() - name.len()).filter(|&at| &bytes[at..][..name.len()] == name).collect()
}
