//! The commands: `rmcp`, one file per subcommand, and `rmcp-run`.

pub mod config;
pub mod demo;
pub mod detect;
pub mod explain;
pub mod inspect;
pub mod library;
pub mod run;
pub mod selftest;
pub mod trace;

use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::process::ExitCode;

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
}

/// The command `rmcp`. Exit status: 0, 1 when a subcommand fails, 2 for a wrong command line.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Detect(arguments) => detect::main(&arguments),
        Command::Explain(arguments) => explain::main(&arguments),
        Command::Inspect(arguments) => inspect::main(&arguments),
        Command::Trace(arguments) => trace::main(&arguments),
        Command::Config(arguments) => config::main(&arguments),
        Command::Demo(arguments) => demo::main(&arguments),
        Command::Selftest(arguments) => selftest::main(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "rmcp: {error:#}");
            ExitCode::FAILURE
        }
    }
}
