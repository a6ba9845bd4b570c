//! `rmcp update-problems`: a newer table of known problems, between releases.

use super::config::write_file;
use crate::doctor::problems::{self, FORCED, InUse, SYSTEM_FILE};
use crate::output::{GOOD, OutputArguments, Report, styled};
use anyhow::{Context, Result, bail, ensure};
use rmcp_system::journal::sha256;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Puts a newer table of known problems beside the one that this command was built with.
///
/// `rmcp doctor`, `rmcp detect` and `rmcp explain problem` use the newest. Root installs it for all users, anybody else for
/// themselves. Nothing is fetched.
#[derive(clap::Args)]
pub struct Arguments {
    /// The table, a problems.toml; - is standard input.
    #[arg(required_unless_present_any = ["check", "reset"])]
    file: Option<PathBuf>,

    /// Installs nothing: says whether the file fits, or without one which table is in use.
    #[arg(long)]
    check: bool,

    /// Takes the installed table away.
    #[arg(long, conflicts_with_all = ["file", "check", "force"])]
    reset: bool,

    /// Takes a table that is older than the one in use.
    #[arg(long)]
    force: bool,

    /// For the user who calls this, who may be root.
    #[arg(long)]
    user: bool,

    #[command(flatten)]
    output: OutputArguments,
}

/// The table that is in use, or was checked.
#[derive(Serialize, JsonSchema)]
pub struct ProblemsTable {
    /// What was done.
    done: Done,
    /// Where it lies; null: in this command, or on standard input.
    file: Option<PathBuf>,
    /// The day on which it was last changed.
    version: String,
    /// How many problems it has.
    problems: usize,
    /// The SHA-256 of its text.
    sha256: String,
    /// The version that was in use before; null: nothing was changed.
    before: Option<String>,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Done {
    /// It is in use from now on.
    Installed,
    /// It fits, and was not installed.
    Checked,
    /// It is in use, and nothing was changed.
    Shown,
    /// What had been installed is gone, and this one is in use.
    Reset,
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    let report = match &arguments.file {
        Some(file) => take(file, arguments)?,
        None if arguments.reset => reset(&target(arguments.user)?)?,
        None => of(Done::Shown, problems::in_use(), None),
    };
    arguments.output.print(&report)
}

/// Where a table is installed.
fn target(user: bool) -> Result<PathBuf> {
    if nix::unistd::geteuid().is_root() && !user {
        return Ok(SYSTEM_FILE.into());
    }
    problems::user_file().context("neither HOME nor XDG_DATA_HOME is set, so there is no place for a table")
}

fn take(file: &Path, arguments: &Arguments) -> Result<ProblemsTable> {
    let stdin = file == Path::new("-");
    let text = if stdin { problems::read(io::stdin()) } else { File::open(file).and_then(problems::read) };
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let table = match problems::parse(&text) {
        Ok(table) => table,
        Err(why) => bail!("{} is no table of known problems that this rmcp reads: {}", file.display(), why.trim_end()),
    };
    let before = problems::table().version.clone();
    let shown = |done, file: Option<PathBuf>, before| ProblemsTable {
        done,
        file,
        version: table.version.clone(),
        problems: table.problems.len(),
        sha256: sha256(&text),
        before,
    };
    if arguments.check {
        return Ok(shown(Done::Checked, (!stdin).then(|| file.to_owned()), None));
    }
    let older = table.version < before;
    ensure!(
        !older || arguments.force,
        "{} is of {}, older than the table in use, of {before}; --force takes it nevertheless",
        file.display(),
        table.version
    );
    let target = target(arguments.user)?;
    let mark = if older && !text.starts_with(FORCED) { FORCED } else { "" };
    write_file(&target, &format!("{mark}{text}"))?;
    Ok(shown(Done::Installed, Some(target), Some(before)))
}

fn reset(target: &Path) -> Result<ProblemsTable> {
    let before = problems::table().version.clone();
    match fs::remove_file(target) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", target.display()))
        }
        _ => Ok(of(Done::Reset, &problems::read_in_use(), Some(before))),
    }
}

fn of(done: Done, table: &InUse, before: Option<String>) -> ProblemsTable {
    ProblemsTable {
        done,
        file: table.file.clone(),
        version: table.table.version.clone(),
        problems: table.table.problems.len(),
        sha256: sha256(&table.text),
        before,
    }
}

impl Report for ProblemsTable {
    const SCHEMA: &'static str = "rmcp.update-problems/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let done = match self.done {
            Done::Installed => "In use from now on",
            Done::Checked => "Fits, and was not installed",
            Done::Shown => "In use",
            Done::Reset => "In use again",
        };
        let place = self.file.as_ref().map_or("this command's own".into(), |file| file.display().to_string());
        writeln!(out, "{}: {} known problems of {}, {place}", styled(GOOD, done), self.problems, self.version)?;
        writeln!(out, "sha256 {}", self.sha256)?;
        match &self.before {
            Some(before) => writeln!(out, "before: of {before}"),
            None => Ok(()),
        }
    }
}
