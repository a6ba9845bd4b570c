//! The commands: `rmcp`, one file per subcommand, and `rmcp-run`.

pub mod config;
pub mod demo;
pub mod detect;
pub mod explain;
pub mod inspect;
pub mod library;
mod machine;
pub mod run;
pub mod selftest;
pub mod show;
pub mod system;
pub mod trace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::process::{ExitCode, Termination};

/// Non-coherent GPU memory for RDNA1 and RDNA2 cards on ROCm: what RMCP does, shown and explained.
///
/// To run a program with it: rmcp-run PROGRAM.
#[derive(Parser)]
#[command(name = "rmcp", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Detect(detect::Arguments),
    Explain(explain::Arguments),
    Inspect(inspect::Arguments),
    Trace(trace::Arguments),
    Config(config::Arguments),
    Demo(demo::Arguments),
    Selftest(selftest::Arguments),
    Enable(system::Enable),
    Disable(system::Disable),
    Status(system::Status),
}

/// The command `rmcp`. Exit status: 0, 1 when a subcommand fails, 2 for a wrong command line.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Detect(arguments) => finish(detect::main(&arguments)),
        Command::Explain(arguments) => finish(explain::main(&arguments)),
        Command::Inspect(arguments) => finish(inspect::main(&arguments)),
        Command::Trace(arguments) => finish(trace::main(&arguments)),
        Command::Config(arguments) => finish(config::main(&arguments)),
        Command::Demo(arguments) => finish(demo::main(&arguments)),
        Command::Selftest(arguments) => finish(selftest::main(&arguments)),
        Command::Enable(arguments) => finish(system::enable(&arguments)),
        Command::Disable(arguments) => finish(system::disable(&arguments)),
        Command::Status(arguments) => finish(system::status(&arguments)),
    };
    match result {
        Ok(status) => status,
        Err(error) if show::reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "rmcp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A subcommand that did its work is done with 0, unless it says another status.
fn finish(result: Result<impl Termination>) -> Result<ExitCode> {
    result.map(Termination::report)
}
