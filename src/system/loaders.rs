//! The loaders of this machine, and what $LIB means to each.
//!
//! ld.so(8) says "lib or lib64"; Debian's says lib/x86_64-linux-gnu. So each loader is asked: it lists what it would
//! preload from a folder that has a library under every name that is known.

use super::list::GATE;
use super::stub::{self, Abi};
use super::{System, SystemError, io_error, write_synced};
use nix::errno::Errno;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The loader of 64-bit programs. ("System V ABI, AMD64 supplement")
pub const NATIVE: &str = "/lib64/ld-linux-x86-64.so.2";

/// What $LIB is known to mean: on Debian, Fedora and SUSE, Arch and others, and for the other ABIs there.
const LIB_FOLDERS: [&str; 8] = [
    "lib/x86_64-linux-gnu",
    "lib64",
    "lib",
    "lib/i386-linux-gnu",
    "lib/i686-linux-gnu",
    "lib32",
    "lib/x86_64-linux-gnux32",
    "libx32",
];

/// A loader that is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// None: that of RMCP's own ABI.
    pub abi: Option<Abi>,
    /// Its path.
    pub path: &'static str,
    /// What $LIB means to it.
    pub lib: &'static str,
}

/// The loaders of this machine, the native one first. One for whose programs the kernel has no support is none, as that for
/// x32 on a kernel without it: nothing can be started by it.
///
/// Runs each of them, on libraries in `scratch`.
pub fn find(system: &System, gate: &Path, scratch: &Path) -> Result<Vec<Loader>, SystemError> {
    if !system.path(NATIVE).exists() {
        return Err(SystemError::NoLoader);
    }
    let gate = fs::read(gate).map_err(io_error("read", gate))?;
    let native = (None, NATIVE, gate);
    let others = Abi::ALL.map(|abi| (Some(abi), abi.loader(), stub::program(abi)));
    let mut found = Vec::new();
    for (abi, path, program) in std::iter::once(native).chain(others) {
        let loader = system.path(path);
        if !loader.exists() {
            continue;
        }
        match lib_folder(&loader, &program, &scratch.join(path.replace('/', "_")))? {
            Some(lib) => found.push(Loader { abi, path, lib }),
            None if abi.is_none() => return Err(SystemError::NoLoader),
            None => {}
        }
    }
    Ok(found)
}

/// What $LIB means to a loader: it lists the library `program` with itself preloaded, by a path with $LIB in it. None where
/// the kernel cannot run the loader.
fn lib_folder(loader: &Path, program: &[u8], scratch: &Path) -> Result<Option<&'static str>, SystemError> {
    const PROBE: &str = "rmcp-probe.so";
    for folder_name in LIB_FOLDERS {
        let folder = scratch.join(folder_name);
        fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
        write_synced(&folder.join(PROBE), program, 0o644)?;
    }
    let file = scratch.join("program.so");
    write_synced(&file, program, 0o755)?;

    let mut command = Command::new(loader);
    command.arg("--list").arg(&file).env_clear().stdin(Stdio::null());
    command.env("LD_PRELOAD", scratch.join("$LIB").join(PROBE));
    let Some(output) = run(&mut command, loader)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&output.stdout);
    let listed = |folder_name: &&str| {
        let path: PathBuf = scratch.join(folder_name).join(PROBE);
        text.split_whitespace().any(|word| Path::new(word) == path)
    };
    LIB_FOLDERS.into_iter().find(listed).map(Some).ok_or_else(|| {
        let text = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        SystemError::NoLib { loader: loader.into(), output: text.trim().into() }
    })
}

/// Runs a loader. None where the kernel says that it is no program. (execve(2), ENOEXEC)
fn run(command: &mut Command, loader: &Path) -> Result<Option<Output>, SystemError> {
    match command.output() {
        Err(error) if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => Ok(None),
        output => output.map(Some).map_err(io_error("run", loader)),
    }
}

/// What the loaders of this machine say of RMCP's entry of the list; nothing where all find it.
///
/// Runs each of them, on programs in `scratch`.
pub fn complaints(system: &System, scratch: &Path) -> Result<Vec<String>, SystemError> {
    let mut complaints = Vec::new();
    let others = Abi::ALL.map(|abi| (abi.loader(), Some(abi)));
    for (loader, abi) in std::iter::once((NATIVE, None)).chain(others) {
        let loader = system.path(loader);
        if !loader.exists() {
            continue;
        }
        let program = match abi {
            None => PathBuf::from("/bin/true"),
            Some(abi) => {
                let program = scratch.join(format!("{abi:?}.so"));
                write_synced(&program, &stub::program(abi), 0o755)?;
                program
            }
        };
        let mut command = Command::new(&loader);
        command.arg("--list").arg(program).env_clear().stdin(Stdio::null());
        let Some(output) = run(&mut command, &loader)? else { continue };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        complaints.extend(text.lines().filter(|line| line.contains(GATE)).map(|line| line.trim().to_owned()));
    }
    Ok(complaints)
}
