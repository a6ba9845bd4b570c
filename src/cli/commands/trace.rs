//! `rmcp trace`: runs a program and reports what it did with the memory that HIP and HSA know of.
//!
//! The program is a child with the environment that rmcp-run would give it, and the option `trace`. Its input and output
//! are its own; the report goes to standard error or to a file. No HIP or HSA function is called here.

mod html;
mod launch;
mod live;
pub mod report;
mod text;
mod wording;

use crate::exit_status;
use crate::output::{self, EscapingWriter, Report};
use crate::preparation::{self, PreparationArguments};
use crate::scratch::Scratch;
use crate::trace::files;
use crate::trace::replay::replay;
use anstream::AutoStream;
use anyhow::{Context, Result, bail};
use launch::{LaunchError, ProgramRun};
use live::LiveLine;
use report::{Ending, TraceReport};
use rmcp_domain::options;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Runs a program and reports what it allocated: how much, when, with which flags, and what became of it.
///
/// The program gets the environment that rmcp-run would give it. On GPUs that RMCP leaves alone its calls are recorded
/// all the same, and none is changed. The report goes to standard error, so that the program's output stays its own.
#[derive(clap::Args)]
#[command(override_usage = "rmcp trace [OPTIONS] [--] PROGRAM [ARGUMENT]...")]
#[command(after_help = after_help())]
pub struct Arguments {
    /// Writes the report to this file instead of to standard error.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Writes the report as a page with plots too: one file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// The report as JSON; docs/reference/json.md describes it.
    #[arg(long)]
    json: bool,

    /// Shows no line on the terminal while the program runs.
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    preparation: PreparationArguments,

    /// The program, searched for in PATH, and its arguments.
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, required = true)]
    #[arg(value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<OsString>,
}

impl Arguments {
    /// The words of the command line that are the program and its arguments.
    pub fn program_words(&self) -> usize {
        self.command.len()
    }
}

fn after_help() -> String {
    format!("The exit status is the program's, or:\n{}", exit_status::help(exit_status::RUN))
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<ExitCode> {
    Ok(run_traced(arguments).unwrap_or_else(|error| fail(exit_status::RUN_FAILED, format_args!("{error:#}"))))
}

fn fail(status: u8, message: impl Display) -> ExitCode {
    output::print_error("rmcp trace", message);
    status.into()
}

fn run_traced(arguments: &Arguments) -> Result<ExitCode> {
    let disabled = env::var_os("RMCP_DISABLE");
    if options::is_disabled(disabled.as_ref().map(|value| value.as_encoded_bytes())) {
        bail!(
            "RMCP_DISABLE is set, so nothing would be recorded; unset it. To see the program's calls as they are without \
             RMCP, add --set policy=keep"
        );
    }
    // Before the program runs: its work may take hours.
    let mut output = arguments.output.as_deref().map(ReportFile::open).transpose()?;
    let mut html = arguments.html.as_deref().map(ReportFile::open).transpose()?;
    let folder = Scratch::new("trace")?;

    let prepared = preparation::prepare(&arguments.preparation, &arguments.command)?;
    prepared.print_warnings("rmcp trace");
    let words = &arguments.command;
    let [program, rest @ ..] = &words[..] else { unreachable!("clap requires it") };
    let mut command = Command::new(program);
    command.args(rest);
    for change in &prepared.changes {
        match &change.value {
            Some(value) => command.env(&change.variable, value),
            None => command.env_remove(&change.variable),
        };
    }
    command.env("RMCP_TRACE", fs::canonicalize(folder.path()).unwrap_or_else(|_| folder.path().into()));

    let mut live = LiveLine::new(folder.path(), !arguments.quiet);
    let run = match launch::run(command, folder.path(), &mut live) {
        Ok(run) => run,
        Err(LaunchError::Internal(error)) => return Err(error),
        Err(LaunchError::Start(error)) => {
            let status =
                if error.kind() == ErrorKind::NotFound { exit_status::NOT_FOUND } else { exit_status::NOT_EXECUTABLE };
            return Ok(fail(
                status,
                format_args!("{}: {}", program.display(), preparation::exec_failure(program, &error)),
            ));
        }
    };
    let status = run.status;
    let ending = Ending {
        command: words.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        exit_status: status.code(),
        signal: status.signal(),
        clock: run.clock,
        started: run.started,
        ends: Vec::new(),
        obstacle: prepared.obstacle.as_ref().map(|(_, obstacle)| *obstacle),
        inactive: prepared.inactive.clone(),
    };
    let traced = read_report(folder.path(), run, ending).context("cannot read what was recorded")?;
    write_report(&traced, arguments.json, output.as_mut())?;
    if let Some(html) = &mut html {
        html.write(|out| out.write_all(html::page(&traced).as_bytes()))?;
    }
    // A signal's default action may end this process before anything is dropped.
    folder.close().context("cannot remove the records")?;
    if let Some(signal) = status.signal() {
        launch::raise(signal);
        return Ok(ExitCode::from(128u8.wrapping_add(signal as u8)));
    }
    Ok(ExitCode::from(status.code().unwrap_or_default() as u8))
}

/// The report from the records in `folder`.
fn read_report(folder: &Path, run: ProgramRun, mut ending: Ending) -> Result<TraceReport> {
    let processes = files::processes(folder)?;
    let number = |head: &OsStr| processes.iter().position(|process| process.head_name() == *head);
    ending.ends = run.closed.iter().filter_map(|(at, head)| Some((*at, number(head)?))).collect();
    let replay = replay(&processes, &ending.ends, ending.clock.0, ending.clock.1)?;
    Ok(TraceReport::new(ending, &processes, replay))
}

fn write_report(traced: &TraceReport, json: bool, output: Option<&mut ReportFile>) -> Result<()> {
    let print = |out: &mut dyn Write| -> io::Result<()> {
        if json { output::write_json(out, traced).map_err(io::Error::other) } else { traced.text(out) }
    };
    match output {
        Some(target) => target.write(|file| print(&mut EscapingWriter(AutoStream::never(file)))),
        None => {
            let mut out = output::stderr();
            print(&mut out).and_then(|()| out.flush()).context("cannot write the report")
        }
    }
}

/// A file for a report, open since before the program ran.
struct ReportFile {
    path: PathBuf,
    file: File,
}

impl ReportFile {
    /// What the file holds stays until there is a report.
    fn open(path: &Path) -> Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write {}; the program was not started", path.display()))?;
        Ok(Self { path: path.into(), file })
    }

    fn write(&mut self, print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<()> {
        let mut text = Vec::new();
        let written = print(&mut text).and_then(|()| {
            // A terminal or a pipe has no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
                self.file.rewind()?;
            }
            self.file.write_all(&text)
        });
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}
