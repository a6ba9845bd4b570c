//! The commands: `rmcp`, one file per subcommand, and `rmcp-run`.

pub mod completions;
pub mod config;
pub mod demo;
pub mod detect;
pub mod doctor;
pub mod emulate;
pub mod explain;
pub mod inspect;
pub mod run;
pub mod schema;
pub mod selftest;
pub mod stage;
pub mod system;
pub mod trace;
pub mod update_problems;

use crate::{exit_status, output};
use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitCode, Termination};

/// Non-coherent GPU memory for RDNA1 and RDNA2 cards on ROCm: what RMCP does, shown and explained.
///
/// To run a program with it: rmcp-run PROGRAM.
#[derive(Parser)]
#[command(name = "rmcp", version, arg_required_else_help = true, after_help = exit_status::help(exit_status::RMCP))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Detect(detect::Arguments),
    Doctor(doctor::Arguments),
    UpdateProblems(update_problems::Arguments),
    Explain(explain::Arguments),
    Inspect(inspect::Arguments),
    Trace(trace::Arguments),
    Config(config::Arguments),
    Demo(demo::Arguments),
    Emulate(emulate::Arguments),
    Selftest(selftest::Arguments),
    Completions(completions::Arguments),
    Enable(system::Enable),
    Disable(system::Disable),
    Status(system::Status),
}

/// The command line of `rmcp`, for completions and the man pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// The command `rmcp`. [`exit_status::RMCP`] says what it returns.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            output::print_usage(&message);
            return ExitCode::from(message.exit_code() as u8);
        }
    };
    let result = match arguments.command {
        Command::Detect(arguments) => finish(detect::main(&arguments)),
        Command::Doctor(arguments) => finish(doctor::main(&arguments)),
        Command::UpdateProblems(arguments) => finish(update_problems::main(&arguments)),
        Command::Explain(arguments) => finish(explain::main(&arguments)),
        Command::Inspect(arguments) => finish(inspect::main(&arguments)),
        Command::Trace(arguments) => finish(trace::main(&arguments)),
        Command::Config(arguments) => finish(config::main(&arguments)),
        Command::Demo(arguments) => finish(demo::main(&arguments)),
        Command::Emulate(arguments) => Ok(emulate::main(&arguments, words_before_program)),
        Command::Selftest(arguments) => finish(selftest::main(&arguments)),
        Command::Completions(arguments) => finish(completions::main(&arguments, command(), run::command())),
        Command::Enable(arguments) => finish(system::enable(&arguments)),
        Command::Disable(arguments) => finish(system::disable(&arguments)),
        Command::Status(arguments) => finish(system::status(&arguments)),
    };
    match result {
        Ok(status) => status,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error("rmcp", format_args!("{error:#}"));
            ExitCode::from(exit_status::FAILURE)
        }
    }
}

/// How many words of a command line come before the program that `rmcp-run` or `rmcp trace` runs; none of another command.
fn words_before_program(words: &[OsString]) -> usize {
    let name = words.first().and_then(|word| Path::new(word).file_name());
    let program = match name.and_then(OsStr::to_str) {
        Some("rmcp-run") => run::program_words(words),
        Some("rmcp") => match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
            Ok(Command::Trace(arguments)) => Some(arguments.program_words()),
            _ => None,
        },
        _ => None,
    };
    program.filter(|program| *program > 0).map_or(0, |program| words.len() - program)
}

/// A subcommand that did its work is done with 0, unless it says another status.
fn finish(result: Result<impl Termination>) -> Result<ExitCode> {
    result.map(Termination::report)
}
