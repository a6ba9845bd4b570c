//! `rmcp-run`: one program with RMCP.
//!
//! It replaces itself by the program, so exit status, process id, open files and the treatment of signals are the
//! program's. The standard library would not do: its start-up ignores SIGPIPE and opens closed descriptors, and its
//! exec resets SIGPIPE, so that a service which systemd started with SIGPIPE ignored would die of it. Therefore the
//! binary has a C `main`, and exec is called directly.

pub mod report;

use crate::exit_status;
use crate::output::{self, OutputArguments};
use crate::preparation::{Preparation, PreparationArguments, exec_failure, prepare};
use clap::{CommandFactory, Parser};
use rmcp_domain::options;
use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;

/// Runs a program with non-coherent GPU memory on RDNA1 and RDNA2 cards, and with the environment that it needs there.
///
/// Puts librmcp.so first into LD_PRELOAD, applies the recipes of docs/reference/recipes.md, and becomes the program. What you have
/// set in the environment stays, unless the card is known to fault under it. On other GPUs the program runs as ever.
#[derive(Parser)]
#[command(name = "rmcp-run", version, after_help = after_help())]
#[command(override_usage = "rmcp-run [OPTIONS] PROGRAM [ARGUMENT]...")]
struct Arguments {
    #[command(flatten)]
    preparation: PreparationArguments,

    /// Prints the changes to the environment, one per line, and runs nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Says why: with --dry-run below each change, else on standard error before the program starts.
    #[arg(short = 'v', long)]
    explain: bool,

    /// Lists the profiles and what each is for.
    #[arg(long)]
    list_profiles: bool,

    /// With --dry-run: prints JSON; docs/reference/json.md describes it.
    #[arg(long, requires = "dry_run")]
    json: bool,

    /// The program, searched for in PATH, and its arguments.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    #[arg(required_unless_present_any = ["dry_run", "list_profiles"])]
    #[arg(value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

fn after_help() -> String {
    format!(
        "Options for --set, also as environment variables (RMCP_HOST=keep) and in /etc/rmcp.toml and \
         ~/.config/rmcp/config.toml:\n{}\n\
         The exit status is the program's, or:\n{}",
        options::usage(),
        exit_status::help(exit_status::RUN)
    )
}

/// The command line, for completions and the man page.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// The words of a command line of rmcp-run that are the program and its arguments.
pub fn program_words(words: &[OsString]) -> Option<usize> {
    Arguments::try_parse_from(words).ok().map(|arguments| arguments.command.len())
}

/// The command. Returns only when no program was started, with the exit status.
pub fn main() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            output::print_usage(&message);
            return if message.use_stderr() { exit_status::RUN_FAILED } else { 0 };
        }
    };
    if arguments.list_profiles {
        return report_status(report::profiles().map_err(Into::into));
    }
    let prepared = match prepare(&arguments.preparation, &arguments.command) {
        Ok(prepared) => prepared,
        Err(error) => return fail(exit_status::RUN_FAILED, error),
    };
    if arguments.dry_run {
        let report = report::DryRun::new(&prepared, arguments.explain);
        if !arguments.explain && !arguments.json {
            prepared.print_warnings("rmcp-run");
        }
        return report_status(OutputArguments { json: arguments.json }.print(&report));
    }
    prepared.print_warnings("rmcp-run");
    if arguments.explain {
        let _ = report::DryRun::new(&prepared, true).explain(&mut output::stderr());
    }
    let [program, rest @ ..] = &arguments.command[..] else { unreachable!("clap requires it") };
    let error = exec(program, rest, &prepared);
    let status = if error.kind() == ErrorKind::NotFound { exit_status::NOT_FOUND } else { exit_status::NOT_EXECUTABLE };
    fail(status, format_args!("{}: {}", program.display(), exec_failure(program, &error)))
}

/// Becomes the program. Returns only with the error that prevented it.
fn exec(program: &OsStr, arguments: &[OsString], prepared: &Preparation) -> io::Error {
    // No argument and no variable of a process can hold a NUL.
    let c_string = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let command: Vec<_> =
        std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str)).map(c_string).collect();
    let mut environment: BTreeMap<OsString, OsString> = env::vars_os().collect();
    for change in &prepared.changes {
        match &change.value {
            Some(value) => environment.insert(change.variable.clone(), value.clone()),
            None => environment.remove(&change.variable),
        };
    }
    let environment: Vec<_> =
        environment.into_iter().map(|(name, value)| c_string(&[name, value].join("=".as_ref()))).collect();
    let Err(error) = nix::unistd::execvpe(&command[0], &command, &environment);
    error.into()
}

fn report_status(result: anyhow::Result<()>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(error) if crate::output::is_closed_pipe(&error) => 0,
        Err(error) => fail(exit_status::RUN_FAILED, error),
    }
}

fn fail(status: u8, message: impl std::fmt::Display) -> u8 {
    output::print_error("rmcp-run", message);
    status
}
