//! `rmcp-run`: one program with RMCP.
//!
//! It replaces itself by the program, so exit status, process id, open files and the treatment of signals are the
//! program's. The standard library would not do: its start-up ignores SIGPIPE and opens closed descriptors, and its
//! exec resets SIGPIPE, so that a service which systemd started with SIGPIPE ignored would die of it. Therefore the
//! binary has a C `main`, and exec is called directly.

use super::library;
use crate::options::{self, Mode, Options, Program, Register, Row, SYSTEM_FENCES, Sources};
use anyhow::{Result, bail};
use clap::{CommandFactory, Parser};
use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Runs a program with non-coherent GPU memory on RDNA1 and RDNA2 cards.
///
/// Puts librmcp.so first into LD_PRELOAD, sets AMD_OPT_FLUSH=0 if the option register is coarse, and becomes the
/// program. On other GPUs the program runs as ever.
#[derive(Parser)]
#[command(name = "rmcp-run", version, after_help = after_help())]
#[command(override_usage = "rmcp-run [OPTIONS] PROGRAM [ARGUMENT]...")]
struct Arguments {
    /// Sets an option for this run, such as host=keep; repeatable.
    #[arg(short, long, value_name = "OPTION=VALUE", value_parser = options::assignment)]
    set: Vec<(&'static Row, String)>,

    /// Prints the changes to the environment, one per line, and runs nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// The program, searched for in PATH, and its arguments.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, required_unless_present = "dry_run")]
    #[arg(value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

/// What `env`, `nice` and `timeout` return when the fault is their own, the program cannot be executed, or there is
/// none.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

fn after_help() -> String {
    format!(
        "Options for --set, also as environment variables (RMCP_HOST=keep) and in /etc/rmcp.toml and \
         ~/.config/rmcp/config.toml:\n{}\n\
         Exit status: the program's; {FAILED} if rmcp-run itself fails, {NOT_EXECUTABLE} if the program cannot be \
         executed, {NOT_FOUND} if there is none.",
        options::usage()
    )
}

/// The command line, for completions and the man page.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// The command. Returns only when no program was started, with the exit status.
pub fn main() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            // A closed terminal is no reason to panic.
            let _ = message.print();
            return if message.use_stderr() { FAILED } else { 0 };
        }
    };
    let changes = match changes(&arguments) {
        Ok(changes) => changes,
        Err(error) => return fail(FAILED, error),
    };
    if arguments.dry_run {
        return match print(&changes) {
            Ok(()) => 0,
            Err(error) => fail(FAILED, error),
        };
    }
    let [program, rest @ ..] = &arguments.command[..] else { unreachable!("clap requires it") };
    let error = execute(program, rest, changes);
    let status = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    fail(status, format_args!("{}: {}", program.display(), reason(program, &error)))
}

/// The environment variables that the program gets.
fn changes(arguments: &Arguments) -> Result<Vec<(OsString, OsString)>> {
    let executable = env::current_exe().ok();
    let library = library::find(env::var_os("RMCP_LIBRARY"), executable.as_deref().and_then(|path| path.parent()))?;
    let preload = library::preload(&library, env::var_os("LD_PRELOAD").as_deref());
    let mut changes = vec![("LD_PRELOAD".into(), preload)];
    changes.extend(arguments.set.iter().map(|(row, value)| (row.env().into(), value.into())));
    let fences = system_fences(arguments.command.first(), &changes)?;
    changes.extend(fences);
    Ok(changes)
}

/// The variable that `register = "coarse"` needs, where that holds for this program and the variable is not set.
fn system_fences(program: Option<&OsString>, changes: &[(OsString, OsString)]) -> Result<Option<(OsString, OsString)>> {
    let (name, value) = SYSTEM_FENCES;
    let fences = (name.into(), value.into());
    let mut sources = Sources::from_process();
    sources.program = program.map_or_else(Program::default, |program| Program {
        exe: find(program).and_then(|path| path.canonicalize().ok()).unwrap_or_default(),
        called: program.into(),
    });
    sources.environment.extend(changes.iter().chain([&fences]).cloned());
    let loaded = Options::load(&sources);
    let wanted = loaded.options.register == Register::Coarse && loaded.options.policy == Mode::Auto;
    if !wanted || loaded.excluded.is_some() {
        return Ok(None);
    }
    match env::var_os(name) {
        None => Ok(Some(fences)),
        Some(set) if set == value => Ok(None),
        Some(set) => {
            let origin = loaded.origin("register").map(ToString::to_string).unwrap_or_default();
            bail!(
                "register=coarse ({origin}) needs {name}={value}, and {name} is {set:?}; unset it, or add --set \
                 register=keep"
            )
        }
    }
}

/// Becomes the program. Returns only with the error that prevented it.
fn execute(program: &OsStr, arguments: &[OsString], changes: Vec<(OsString, OsString)>) -> io::Error {
    // No argument and no variable of a process can hold a NUL.
    let c_string = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let command: Vec<_> =
        std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str)).map(c_string).collect();
    let mut environment: BTreeMap<_, _> = env::vars_os().collect();
    environment.extend(changes);
    let environment: Vec<_> =
        environment.into_iter().map(|(name, value)| c_string(&[name, value].join("=".as_ref()))).collect();
    let Err(error) = nix::unistd::execvpe(&command[0], &command, &environment);
    error.into()
}

fn print(changes: &[(OsString, OsString)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, value) in changes {
        for part in [name, OsStr::new("="), value, OsStr::new("\n")] {
            out.write_all(part.as_encoded_bytes())?;
        }
    }
    Ok(())
}

/// The file of a program: its path, or that name in PATH.
fn find(program: &OsStr) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return Path::new(program).exists().then(|| program.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// exec(3) says the same of a missing program and of one whose interpreter is missing.
fn reason(program: &OsStr, error: &io::Error) -> String {
    let by_path = program.as_encoded_bytes().contains(&b'/');
    let exists = find(program).is_some();
    match error.kind() {
        ErrorKind::NotFound if exists => "its interpreter or loader does not exist".into(),
        ErrorKind::NotFound if by_path => "no such file".into(),
        ErrorKind::NotFound => "not found in PATH".into(),
        ErrorKind::PermissionDenied => "not executable".into(),
        _ => error.to_string(),
    }
}

fn fail(status: u8, message: impl std::fmt::Display) -> u8 {
    // Nothing is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "rmcp-run: {message}");
    status
}
