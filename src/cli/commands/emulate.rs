//! `rmcp emulate`: one program on a card that is not there.
//!
//! It replaces itself by the program, so that exit status, process id and signals are the program's.

mod rocm;

use crate::installs::Machine;
use crate::launchers::ResolvedCommand;
use crate::output::print_error;
use crate::preparation::{exec_failure, obstacle};
use crate::{exit_status, preload};
use anyhow::{Context, Error, Result};
use rmcp_machine::{CARDS, Emulation};
use rmcp_stacks::{Release, Stack};
use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const NAME: &str = "rmcp emulate";
/// What the emulator takes as its machine where no card is named here.
const MACHINE: &str = "RMCP_KFD_MACHINE";

/// Runs a program on an emulated card: the driver answers, and kernels run on the processor.
///
/// The program and all that it starts find the card as ROCm's driver shows one. With its own ROCm, if it has one; with
/// --rocm the program itself, but nothing that it starts, runs with an unmodified ROCm from Debian, which is fetched into
/// ~/.cache/rmcp first. RMCP does not take part: put rmcp-run before PROGRAM for that.
#[derive(clap::Args)]
#[command(override_usage = "rmcp emulate [OPTIONS] [--] PROGRAM [ARGUMENT]...")]
#[command(after_help = after_help())]
pub struct Arguments {
    /// The card, or the path of a machine's description [default: RMCP_KFD_MACHINE, else gfx1010].
    #[arg(long, value_name = "CARD")]
    card: Option<String>,

    /// Runs the program with this ROCm release from Debian: 5.2.3, 5.7.1, 6.4.3 or 7.2.4.
    #[arg(long, value_name = "VERSION")]
    rocm: Option<Release>,

    /// Appends what reaches the kernel boundary to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// The program, of the release or searched for in PATH, and its arguments.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, required = true)]
    #[arg(value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

fn after_help() -> String {
    let cards: Vec<String> = CARDS.iter().map(|card| format!("  {:<8} {}", card.name, card.product)).collect();
    format!(
        "Cards:\n{}\n\nThe exit status is the program's, or:\n{}",
        cards.join("\n"),
        exit_status::help(exit_status::RUN)
    )
}

/// The subcommand. Returns only when no program was started, with the exit status. `before`: how many words of a command
/// line come before the program that another command of RMCP runs.
pub fn main(arguments: &Arguments, before: fn(&[OsString]) -> usize) -> ExitCode {
    let failure = match start(arguments, before) {
        Err(failure) => failure,
        Ok(never) => match never {},
    };
    match failure {
        Failure::Own(error) => fail(exit_status::RUN_FAILED, format_args!("{error:#}")),
        Failure::Program(called, error) => {
            let reason = exec_failure(&called, &error);
            if error.kind() != ErrorKind::NotFound {
                return fail(exit_status::NOT_EXECUTABLE, format_args!("{}: {reason}", called.display()));
            }
            let advice = match arguments.rocm {
                None => format!("; a ROCm release's own programs, such as rocminfo, run with --rocm {}", rocm::EXAMPLE),
                Some(_) => String::new(),
            };
            fail(exit_status::NOT_FOUND, format_args!("{}: {reason}{advice}", called.display()))
        }
    }
}

fn fail(status: u8, message: impl std::fmt::Display) -> ExitCode {
    print_error(NAME, message);
    status.into()
}

/// Why no program was started.
enum Failure {
    Own(Error),
    /// The program as it is called, and what exec says.
    Program(OsString, std::io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// Becomes the program.
fn start(arguments: &Arguments, before: fn(&[OsString]) -> usize) -> Result<Infallible, Failure> {
    let emulation = emulation(arguments)?;
    let here = Machine::local();
    let (before, words) = arguments.command.split_at(before(&arguments.command));
    let launched = ResolvedCommand::resolve(words, &here);
    let (mut command, rocm) = match arguments.rocm {
        None => {
            let mut command = Command::new(&arguments.command[0]);
            command.args(&arguments.command[1..]);
            (command, rocm::own(&launched)?)
        }
        Some(release) => {
            let stack = Stack::fetch(release)?;
            let command = rocm::command(&stack, before, &launched)?;
            (command, format!("ROCm {release} from Debian"))
        }
    };
    emulation.apply(&mut command, &env::var_os("LD_PRELOAD").unwrap_or_default());
    print_error(NAME, format_args!("the card {} is emulated; {rocm}", emulation.machine()));
    if let Some(emulation_obstacle) = emulation_obstacle(&launched) {
        print_error(NAME, emulation_obstacle);
    }
    let error = command.exec();
    Err(Failure::Program(command.get_program().to_owned(), error))
}

/// The card, its library and its log.
fn emulation(arguments: &Arguments) -> Result<Emulation> {
    let gate = preload::find_gate()?;
    let card = match &arguments.card {
        Some(card) => card.clone(),
        None => env::var(MACHINE).ok().filter(|machine| !machine.is_empty()).unwrap_or_else(|| CARDS[0].name.into()),
    };
    let emulation = Emulation::new(gate.with_file_name(rmcp_machine::LIBRARY), &card).map_err(Error::msg)?;
    let Some(log) = &arguments.log else { return Ok(emulation) };
    let opened = OpenOptions::new().append(true).create(true).open(log);
    opened.with_context(|| format!("cannot write the log {}", log.display()))?;
    Ok(emulation.log(&std::path::absolute(log).with_context(|| log.display().to_string())?))
}

/// What keeps the emulator out of the program; a sentence.
fn emulation_obstacle(launched: &ResolvedCommand) -> Option<String> {
    if launched.pinned.contains(&OsString::from("LD_PRELOAD")) {
        return Some(
            "the program sets LD_PRELOAD, by which it gets the card: set it before `rmcp emulate` instead".into(),
        );
    }
    let (file, obstacle) = obstacle(launched)?;
    let reached = if obstacle.passes_environment() { "; what it starts sees it" } else { "" };
    Some(format!("{} {}: it does not see the emulated card{reached}", file.display(), obstacle.fact()))
}
