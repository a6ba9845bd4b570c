//! The ways on which a program can reach the runtime: `clients/ways*`.

use crate::native::{client_dir, compile, program};
use crate::wheel;
use anyhow::{Context, Result};
use rmcp_stacks::{Release, Stack};
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
    /// It is Python, and loads an extension that is linked against a runtime in its own folder.
    Wheel,
    /// It asks hipGetProcAddress, ROCm 6.1 and later.
    ProcAddress,
    /// It asks hipGetDriverEntryPoint, ROCm 7.1 and later.
    EntryPoint,
    /// It looks them up in the runtime by dlsym.
    Dlsym,
    /// The same, or as [`LoadMode::DeepBind`], or it looks up hipGetProcAddress so and asks that; and the runtime has handed its
    /// table to rocprofiler-register. ROCm 6.0 and later.
    Table(Bypass),
}

/// How a program gets past every preloaded library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bypass {
    /// See [`LoadMode::DeepBind`].
    DeepBind,
    /// See [`LoadMode::Dlsym`].
    Dlsym,
    /// It looks up hipGetProcAddress by dlsym.
    ProcAddress,
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
        LoadMode::Table(bypass) => {
            let program = program(stack, "ways_loader.cpp", &[])?;
            let (library, soname) = (library(stack)?, soname(stack)?);
            let mut command = stack.command_with(program, &rocprofiler_register()?)?;
            command.args(["table", &soname]);
            match bypass {
                Bypass::DeepBind => command.arg("deepbind").arg(library).arg(soname),
                Bypass::Dlsym => command.args(["dlsym", &soname]),
                Bypass::ProcAddress => command.args(["proc", &soname]),
            };
            Ok(command)
        }
        LoadMode::TwoCopies | LoadMode::LateCopy => {
            let (second, copy) = second_library(stack)?;
            let way = if mode == LoadMode::LateCopy { "late copy" } else { "copies" };
            loader(way, &[&library(stack)?, &second, soname(stack)?.as_ref(), &copy])
        }
        LoadMode::Wheel => {
            let site = client_dir(stack)?.join("site");
            let mut command = wheel::python(stack, &site, "ways_wheel.py")?;
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

/// The folders of the one rocprofiler-register that Debian has, built for 7.2.4. It knows nothing of a release.
fn rocprofiler_register() -> Result<Vec<PathBuf>> {
    let stack = Stack::fetch(Release::Rocm724)?;
    let known = stack.library_dirs();
    let more = stack.with_packages(&["librocprofiler-register-0"])?.library_dirs();
    Ok(more.into_iter().filter(|folder| !known.contains(folder)).collect())
}

/// What the runtime of `stack` is loaded as: `libamdhip64.so.6`.
fn soname(stack: &Stack) -> Result<String> {
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

/// A library that is linked against a second copy of libamdhip64, and that copy. The loader takes two files for one
/// library if they have the same SONAME, so the copy's is another one.
fn second_library(stack: &Stack) -> Result<(PathBuf, PathBuf)> {
    const NAME: &str = "libamdhip64-b.so";
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let folder = client_dir(stack)?;
    let copy = folder.join(NAME);
    {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());
        let original = stack.find_library("libamdhip64")?;
        let mut bytes = fs::read(&original).with_context(|| format!("read {}", original.display()))?;
        if fs::metadata(&copy).map(|file| file.len()).ok() != Some(bytes.len() as u64) {
            replace(&mut bytes, soname(stack)?.as_bytes(), NAME.as_bytes());
            fs::write(&copy, bytes).with_context(|| format!("write {}", copy.display()))?;
        }
    }
    let library = folder.join("ways_second.so");
    let runtime = copy.display().to_string();
    compile(stack, "ways.cpp", &library, &[LIBRARY[0], LIBRARY[1], &runtime, "-Wl,-rpath,$ORIGIN"])?;
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
