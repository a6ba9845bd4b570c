//! Which ROCm a program on the emulated card runs with: its own, or a release from Debian.

use super::{Failure, NAME};
use crate::installs::{Program, ProgramError, Python, Runtime, installations};
use crate::launchers::{ResolvedCommand, Unresolved, is_script};
use crate::preparation::obstacle;
use anyhow::{Result, anyhow, bail};
use rmcp_stacks::{Release, Stack};
use rustix::fs::{Access, access};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{Error, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The libraries by which a program has ROCm.
const RUNTIMES: [&str; 2] = ["libamdhip64.so", "libhsa-runtime64.so"];
/// The release to name where none is chosen.
pub(super) const EXAMPLE: Release = Release::Rocm643;

/// What is said of the program's own ROCm. It is looked for where the loader and Python do: among the libraries that the
/// program is linked with, in its Python's packages, in LD_LIBRARY_PATH, and in the installations of this machine.
pub(super) fn own(launched: &ResolvedCommand) -> Result<String, Failure> {
    let Some(file) = &launched.file else {
        return Err(Failure::Program(launched.command[0].clone(), ErrorKind::NotFound.into()));
    };
    let machine = &launched.machine;
    let found = |path: &Path| Ok(format!("its own ROCm is {}", path.display()));
    if let Ok(program) = Program::read(file, machine) {
        let needs = |name: &str| RUNTIMES.iter().any(|runtime| name.starts_with(runtime));
        if let Some(library) = program.libraries.iter().find(|library| needs(&library.name)) {
            return match &library.path {
                Some(path) => found(path),
                None => Err(anyhow!(
                    "{} needs {}, which the loader does not find: add --rocm {EXAMPLE}, or set LD_LIBRARY_PATH",
                    file.display(),
                    library.name
                )
                .into()),
            };
        }
    }
    let python = Python::find(file, machine);
    let frameworks = python.map(|python| python.frameworks(machine));
    let bundled = frameworks.into_iter().flatten().find_map(|framework| framework.runtime);
    let path = machine.variable("LD_LIBRARY_PATH").unwrap_or_default();
    let on_the_path = || env::split_paths(path).find_map(|folder| Runtime::in_folder(&machine.resolve(folder)));
    let installed = || installations(machine).into_iter().find_map(|rocm| rocm.runtime);
    match bundled.or_else(on_the_path).or_else(installed) {
        Some(runtime) => found(&runtime.hip),
        None => Ok(format!("no ROCm was found here: if the program brings none, add --rocm {EXAMPLE}")),
    }
}

/// The command that runs the program behind `before` (rmcp-run and its options) and behind launchers with the stack's
/// libraries.
pub(super) fn command(stack: &Stack, before: &[OsString], launched: &ResolvedCommand) -> Result<Command, Failure> {
    let loaded = stack.command(file(stack, launched)?)?;
    let arguments = launched.command[1..].iter().map(OsString::as_os_str);
    let words = before.iter().chain(launchers(stack, launched)?).map(OsString::as_os_str);
    let words: Vec<&OsStr> = words.chain([loaded.get_program()]).chain(loaded.get_args()).chain(arguments).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    Ok(command)
}

/// The program's file: that of the stack where it is called by a name that the stack has.
fn file(stack: &Stack, launched: &ResolvedCommand) -> Result<PathBuf, Failure> {
    let called = &launched.command[0];
    if !called.as_bytes().contains(&b'/')
        && let Ok(file) = stack.find_program(called)
    {
        return Ok(file);
    }
    let refused = |error: Error| Failure::Program(called.clone(), error);
    let file = launched.file.clone().ok_or_else(|| refused(ErrorKind::NotFound.into()))?;
    access(&file, Access::EXEC_OK).map_err(|error| refused(error.into()))?;
    if let Some((file, obstacle)) = obstacle(launched) {
        return Err(anyhow!("{} {}: --rocm has no effect on it", file.display(), obstacle.fact()).into());
    }
    match Program::read(&file, &launched.machine) {
        Err(ProgramError::NotElf(_)) => Err(refused(Error::from_raw_os_error(libc::ENOEXEC))),
        _ => Ok(file),
    }
}

/// The words of launchers such as env and timeout, which are started as ever.
fn launchers<'a>(stack: &Stack, launched: &'a ResolvedCommand) -> Result<&'a [OsString]> {
    let release = stack.release();
    let shell = matches!(launched.unresolved, Some(Unresolved::Text(_)));
    if launched.script.is_some() || shell {
        bail!(
            "--rocm reaches the program alone, and a shell script starts others: write `{NAME} --rocm {release} -- \
             PROGRAM` in the script"
        );
    }
    let is_script = launched.launchers.first().is_some_and(|file| is_script(file));
    match launched.words_before() {
        Some(words) if launched.unresolved.is_none() && !launched.no_program => Ok(words),
        // A script's own line names its interpreter.
        None if is_script && launched.pinned.is_empty() => Ok(&[]),
        _ => bail!(
            "--rocm reaches one program alone, and which one is not known here: put `{NAME} --rocm {release} --` before \
             that program itself"
        ),
    }
}
