//! `rmcp config`: the options in force, files checked, a file to begin with.

mod init;

use crate::effective_policy::{self, OptionValue};
use crate::output::{self, BAD, FAINT, GOOD, OutputArguments, Report, styled};
use crate::preparation;
use anyhow::{Context, Result, bail};
pub use init::{InitReport, write_file};
use rmcp_domain::options::{self, Complaint, Options, Place, Sources, TABLE};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Shows, checks or writes the configuration.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Show(Show),
    Check(Check),
    Init(init::Arguments),
}

/// Shows every option with its value and where that is set.
#[derive(clap::Args)]
struct Show {
    /// As this program would have them: its sections in the files count.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<OsString>,

    #[command(flatten)]
    output: OutputArguments,
}

/// Reports everything that is wrong in configuration files.
///
/// Without a file: those that a program reads which is started here, and the environment.
#[derive(clap::Args)]
struct Check {
    /// The files.
    files: Vec<PathBuf>,

    #[command(flatten)]
    output: OutputArguments,
}

/// The options in force.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Shown")]
pub struct EffectiveOptions {
    /// The program that --program names; null: any that no section of a file names.
    program: Option<String>,
    /// The files that are read, weak to strong.
    files: Vec<ConfigFile>,
    /// Whether the sections `[system]` of the files count: programs started here have RMCP from `rmcp enable --system`.
    system: bool,
    /// Why RMCP leaves this program alone; null: it does not.
    #[serde(rename = "left_alone")]
    inactive: Option<String>,
    /// Every option.
    options: Vec<OptionValue>,
    /// What is wrong, and ignored therefore.
    complaints: Vec<ComplaintRow>,
}

/// A configuration file.
#[derive(Serialize, JsonSchema)]
struct ConfigFile {
    /// Where it is looked for.
    path: String,
    /// Whether it is there.
    exists: bool,
}

/// Something wrong.
#[derive(Serialize, JsonSchema)]
struct ComplaintRow {
    /// The file; null: the environment.
    file: Option<String>,
    /// The line from 1; null: the file as a whole, or no file.
    line: Option<usize>,
    /// The variable, where it is the environment.
    variable: Option<String>,
    /// What, and what would be right.
    problem: String,
}

/// The outcome of a check.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Checked")]
pub struct CheckReport {
    /// What was looked at: files, and "environment".
    checked: Vec<String>,
    /// What is wrong; nothing where all is well.
    complaints: Vec<ComplaintRow>,
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Show(show) => show.output.print(&EffectiveOptions::new(show.program.as_ref())),
        Command::Check(check) => check.run(),
        Command::Init(init) => init.run(),
    }
}

impl EffectiveOptions {
    fn new(program: Option<&OsString>) -> Self {
        let mut sources = effective_policy::policy_sources(Path::new("/"));
        sources.program = program.map(|program| preparation::resolve_program(program));
        let loaded = Options::load(&sources);
        let file = |path: &PathBuf| ConfigFile { path: path.display().to_string(), exists: path.exists() };
        Self {
            program: program.map(|name| name.to_string_lossy().into_owned()),
            files: sources.files.iter().map(file).collect(),
            system: sources.system,
            inactive: loaded.exclusion.clone(),
            options: TABLE.iter().map(|row| OptionValue::new(row, &loaded)).collect(),
            complaints: loaded.complaints.iter().map(ComplaintRow::new).collect(),
        }
    }
}

impl Check {
    fn run(&self) -> Result<()> {
        let checked =
            if self.files.is_empty() { CheckReport::for_process()? } else { CheckReport::for_files(&self.files)? };
        self.output.print(&checked)?;
        match checked.complaints.len() {
            0 => Ok(()),
            1 => bail!("1 thing is wrong; docs/reference/options.md lists what each option takes"),
            several => bail!("{several} things are wrong; docs/reference/options.md lists what each option takes"),
        }
    }
}

impl CheckReport {
    fn for_files(files: &[PathBuf]) -> Result<Self> {
        let mut all = Self { checked: Vec::new(), complaints: Vec::new() };
        for file in files {
            // Nobody may have written into it yet, and nothing is not right.
            if file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
                bail!("{} cannot be checked: it is a FIFO or a pipe, and no file", file.display());
            }
            let mut complaints =
                options::check(file).with_context(|| format!("{} cannot be checked", file.display()))?;
            complaints.sort_by_key(|complaint| match complaint.place {
                Place::File(_, line) => line,
                Place::Environment(_) => 0,
            });
            all.checked.push(file.display().to_string());
            all.complaints.extend(complaints.iter().map(ComplaintRow::new));
        }
        Ok(all)
    }

    /// What a program reads that is started here.
    fn for_process() -> Result<Self> {
        let mut sources = Sources::from_command();
        let files = std::mem::take(&mut sources.files);
        let there: Vec<PathBuf> = files.into_iter().filter(|file| file.exists()).collect();
        let mut all = Self::for_files(&there)?;
        all.checked.push("environment".into());
        all.complaints.extend(Options::load(&sources).complaints.iter().map(ComplaintRow::new));
        Ok(all)
    }
}

impl ComplaintRow {
    fn new(complaint: &Complaint) -> Self {
        let problem = complaint.problem.clone();
        match &complaint.place {
            Place::File(path, line) => {
                let line = (*line > 0).then_some(*line);
                Self { file: Some(path.display().to_string()), line, variable: None, problem }
            }
            Place::Environment(name) => Self { file: None, line: None, variable: Some(name.clone()), problem },
        }
    }

    fn location(&self) -> String {
        match (&self.file, self.line, &self.variable) {
            (Some(file), Some(line), _) => format!("{file}:{line}"),
            (Some(file), None, _) => file.clone(),
            (None, _, variable) => variable.clone().unwrap_or_default(),
        }
    }
}

impl Report for EffectiveOptions {
    const SCHEMA: &'static str = "rmcp.config-show/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for file in &self.files {
            let unread = self.complaints.iter().any(|wrong| wrong.line.is_none() && wrong.concerns(&file.path));
            let state = match (file.exists, unread) {
                (false, _) => "not there",
                (true, true) => "not read, see below",
                (true, false) => "read",
            };
            writeln!(out, "{} ({state})", file.path)?;
        }
        let state = if self.system { "in force" } else { "not in force: programs here have no RMCP from the list" };
        writeln!(out, "[system] ({state})")?;
        if let Some(why) = &self.inactive {
            writeln!(out, "{}", styled(BAD, format!("RMCP is inactive in this program: it is {why}")))?;
        }
        let mut table = output::table(["option", "value", "set by"]);
        for option in &self.options {
            let style = if option.origin == "default" { FAINT } else { GOOD };
            table.add_row([option.name, &option.value, &styled(style, &option.origin)]);
        }
        writeln!(out, "\n{table}")?;
        for wrong in &self.complaints {
            writeln!(out, "{} {}: {}", styled(BAD, "wrong:"), wrong.location(), wrong.problem)?;
        }
        Ok(())
    }
}

impl Report for CheckReport {
    const SCHEMA: &'static str = "rmcp.config-check/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for wrong in &self.complaints {
            writeln!(out, "{}: {}", wrong.location(), wrong.problem)?;
        }
        let checked = self.checked.iter().filter(|name| !self.complaints.iter().any(|wrong| wrong.concerns(name)));
        checked.into_iter().try_for_each(|name| writeln!(out, "{name}: {}", styled(GOOD, "nothing wrong")))
    }
}

impl ComplaintRow {
    /// Whether it is about what [`CheckReport::checked`] calls so.
    fn concerns(&self, checked: &str) -> bool {
        self.file.as_deref().unwrap_or("environment") == checked
    }
}
