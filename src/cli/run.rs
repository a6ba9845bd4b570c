//! `rmcp-run`: one program with RMCP.
//!
//! It replaces itself by the program, so exit status, signals, process id and open files are the program's.

use super::library;
use crate::options::{self, Row};
use clap::Parser;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Runs a program with non-coherent GPU memory on RDNA1 and RDNA2 cards.
///
/// Puts librmcp.so first into LD_PRELOAD and becomes the program. On other GPUs the program runs as ever.
#[derive(Parser)]
#[command(name = "rmcp-run", version, after_help = after_help())]
struct Arguments {
    /// Sets an option for this run, such as host=keep; repeatable.
    #[arg(short, long, value_name = "OPTION=VALUE", value_parser = options::assignment)]
    set: Vec<(&'static Row, String)>,

    /// Prints the changes to the environment, one per line, and runs nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// The program, searched for in PATH, and its arguments.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, required_unless_present = "dry_run")]
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

/// The command. Returns only when no program was started.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            // A closed terminal is no reason to panic.
            let _ = message.print();
            return if message.use_stderr() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS };
        }
    };
    let changes = match changes(&arguments.set) {
        Ok(changes) => changes,
        Err(error) => return fail(FAILED, error),
    };
    if arguments.dry_run {
        return match print(&changes) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(FAILED, error),
        };
    }
    let [program, rest @ ..] = &arguments.command[..] else { unreachable!("clap requires it") };
    let error = Command::new(program).args(rest).envs(changes).exec();
    let status = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    fail(status, format_args!("{}: {}", program.display(), reason(program, &error)))
}

/// The environment variables that the program gets.
fn changes(set: &[(&'static Row, String)]) -> Result<Vec<(OsString, OsString)>, library::LibraryError> {
    let executable = env::current_exe().ok();
    let library = library::find(env::var_os("RMCP_LIBRARY"), executable.as_deref().and_then(|path| path.parent()))?;
    let preload = library::preload(&library, env::var_os("LD_PRELOAD").as_deref());
    let set = set.iter().map(|(row, value)| (row.env().into(), value.into()));
    Ok(std::iter::once(("LD_PRELOAD".into(), preload)).chain(set).collect())
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

/// exec(3) says the same of a missing program and of a script whose interpreter is missing.
fn reason(program: &OsStr, error: &io::Error) -> String {
    let has_slash = program.as_encoded_bytes().contains(&b'/');
    match error.kind() {
        ErrorKind::NotFound if !has_slash => "not found in PATH".into(),
        ErrorKind::NotFound if std::path::Path::new(program).exists() => {
            "cannot be run: its interpreter or loader does not exist".into()
        }
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "not executable".into(),
        _ => error.to_string(),
    }
}

fn fail(status: u8, message: impl std::fmt::Display) -> ExitCode {
    // Nothing is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "rmcp-run: {message}");
    ExitCode::from(status)
}
