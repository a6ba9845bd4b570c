//! `rmcp doctor`: which known problems this machine and a log show.

mod checked;

use super::detect::Survey;
use crate::doctor::{self, Certainty, Facts, Finding, LogMatches, Problem, problems};
use crate::doctor::{
    facts::Evidence,
    problems::{Apply, Change, Severity, fill},
    scrub::Scrubber,
    trial::{self, Trial},
};
use crate::exit_status;
use crate::installs;
use crate::output::{self, BAD, FAINT, GOOD, OutputArguments, Report, STRONG, WARN, styled};
use crate::preload;
use crate::recipes::Confidence;
use anstyle::Style;
use anyhow::{Context, Result, bail, ensure};
use indicatif::ProgressBar;
use rmcp_domain::options;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Says which known problems this machine, and a program's log, show: what was seen, why it matters, what to type.
///
/// Reads files alone: without --try no GPU is started, and nothing is changed. A log is matched in the light of what the
/// machine is: the same words can have several causes.
#[derive(clap::Args)]
#[command(after_help = exit_status::help(exit_status::DOCTOR))]
pub struct Arguments {
    /// A program's output or a kernel log; - is standard input. Can be given more than once.
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,

    /// Writes what was seen to a file for somebody else, packed with gzip: facts, the lines of logs that were found and the
    /// last ones, without names, addresses, serial numbers and secrets. Look at it with zcat before you send it.
    #[arg(long, value_name = "FILE", conflicts_with = "symptom")]
    report: Option<PathBuf>,

    /// Diagnoses the machine that wrote such a file in place of this one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "report", "symptom"])]
    from: Option<PathBuf>,

    /// Shows the known problems that fit these words best, whatever the machine is.
    #[arg(long, value_name = "WORDS", conflicts_with = "log")]
    symptom: Option<String>,

    /// Also starts a kernel on every card that programs see, through every ROCm that is found, each in a process of its own,
    /// and says at which step it ended.
    #[arg(long, conflicts_with_all = ["from", "symptom", "root"])]
    r#try: bool,

    /// So many seconds a kernel's start may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "try")]
    try_limit: u64,

    /// Shows every fact that was looked at, with its value and where it was read.
    #[arg(short, long)]
    verbose: bool,

    /// Says of every known problem whether it shows, and what was missing where that is not known.
    #[arg(long)]
    all: bool,

    /// Where the machine's files begin. For tests, and for a disk mounted elsewhere.
    #[arg(long, value_name = "FOLDER", default_value = "/", hide = true)]
    root: PathBuf,

    #[command(flatten)]
    output: OutputArguments,
}

/// So many problems are shown for words.
const MOST_LIKELY: usize = 5;

/// The subcommand. [`exit_status::DOCTOR`] says what it returns.
pub fn main(arguments: &Arguments) -> Result<ExitCode> {
    for refused in &doctor::problems::in_use().refused {
        output::print_error("rmcp doctor", refused);
    }
    if let Some(words) = &arguments.symptom {
        let fitting = doctor::by_symptom(words, problems());
        let findings = fitting.into_iter().take(MOST_LIKELY).map(Diagnosed::of_words).collect();
        arguments.output.print(&Diagnosis::of_words(findings))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (facts, log, trials) = match look(arguments) {
        Ok(seen) => seen,
        Err(error) => {
            output::print_error("rmcp doctor", format_args!("{error:#}"));
            return Ok(ExitCode::from(exit_status::DOCTOR_BLIND));
        }
    };
    let found = doctor::diagnose(problems(), &facts, log.as_ref());
    let report = Diagnosis {
        findings: found.iter().map(Diagnosed::new).collect(),
        known: problems().len(),
        unknown_facts: doctor::unknown_facts(problems(), &facts),
        well: doctor::well(&facts),
        trials,
        facts: if arguments.verbose { checked::seen(&facts) } else { Vec::new() },
        problems: if arguments.all { checked::decided(&facts, log.as_ref()) } else { Vec::new() },
    };
    arguments.output.print(&report)?;
    Ok(ExitCode::from(report.status()))
}

/// What this machine, the logs and trials show, or another machine's report.
fn look(arguments: &Arguments) -> Result<(Facts, Option<LogMatches>, Vec<Trial>)> {
    if let Some(path) = &arguments.from {
        let report = doctor::Report::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let log = report.log(problems())?;
        return Ok((report.facts, log, Vec::new()));
    }
    let machine = installs::Machine { root: arguments.root.clone(), ..installs::Machine::local() };
    let survey = Arc::new(Survey::read(machine));
    let mut facts = Facts::read(&survey);
    let trials = if arguments.r#try { start_kernels(&survey, arguments.try_limit)? } else { Vec::new() };
    facts.add_trials(&trials);
    let log = read_logs(&arguments.log, &trials)?;
    if let Some(path) = &arguments.report {
        let report = doctor::Report::new(&facts, log.as_ref(), problems(), &Scrubber::new(&survey));
        report.write(path).with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    Ok((facts, log, trials))
}

/// Starts a kernel on each card. Where there is nothing to try, that is said, and the rest is still worth reading.
fn start_kernels(survey: &Survey, limit: u64) -> Result<Vec<Trial>> {
    let program = preload::find_gate()?.with_file_name(trial::PROGRAM);
    ensure!(program.is_file(), "{} is missing; build RMCP with `cargo xtask build`", program.display());
    let runtimes = trial::runtimes(survey);
    let trials = trial::run(&program, survey, &runtimes, Duration::from_secs(limit));
    if trials.is_empty() {
        let lacks = if runtimes.is_empty() { "no ROCm is found" } else { "programs see no card" };
        output::print_error("rmcp doctor", format_args!("no kernel was started: {lacks}"));
    }
    Ok(trials)
}

/// `rmcp explain problem`: problems by their names.
pub fn explain(names: &[String], output: OutputArguments) -> Result<()> {
    if names.is_empty() {
        bail!("which problem? docs/reference/problems.md lists them, and rmcp doctor names those of this machine");
    }
    let find = |name: &String| -> Result<Vec<Diagnosed>> {
        let known: Vec<&Problem> =
            problems().iter().filter(|problem| problem.names().any(|known| known == name)).collect();
        if known.is_empty() {
            let hint = options::did_you_mean(name, problems().iter().flat_map(Problem::names));
            bail!("no known problem is called {name}{hint}");
        }
        Ok(known.into_iter().map(Diagnosed::of_words).collect())
    };
    let findings = names.iter().map(find).collect::<Result<Vec<_>>>()?.concat();
    output.print(&Diagnosis::of_words(findings))
}

/// The logs, and what runtimes said in trials.
fn read_logs(paths: &[PathBuf], trials: &[Trial]) -> Result<Option<LogMatches>> {
    let open = |path: &PathBuf| -> Result<Box<dyn Read>> {
        if path == Path::new("-") {
            return Ok(Box::new(io::stdin()));
        }
        let file = File::open(path).with_context(|| format!("cannot read the log {}", path.display()))?;
        // Nothing is drawn away from a terminal.
        let bar = ProgressBar::new(file.metadata().map_or(0, |metadata| metadata.len()));
        Ok(Box::new(bar.wrap_read(file)))
    };
    let mut logs: Vec<Box<dyn Read>> = paths.iter().map(open).collect::<Result<_>>()?;
    let said = trials.iter().map(|trial| trial.output.clone()).filter(|output| !output.is_empty());
    logs.extend(said.map(|output| Box::new(io::Cursor::new(output)) as Box<dyn Read>));
    let Some(all) = logs.into_iter().reduce(|one, other| Box::new(one.chain(&b"\n"[..]).chain(other))) else {
        return Ok(None);
    };
    Ok(Some(LogMatches::read(all, problems()).context("cannot read the log")?))
}

/// The known problems that show.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// The worst and the surest first.
    findings: Vec<Diagnosed>,
    /// How many problems are known.
    known: usize,
    /// Facts that could not be read, and without which some of the others are neither found nor ruled out.
    unknown_facts: BTreeSet<String>,
    /// What was found well, a few words each.
    well: Vec<String>,
    /// With --try how a kernel's start went, on each card with each ROCm.
    trials: Vec<Trial>,
    /// With --verbose every fact.
    facts: Vec<checked::Seen>,
    /// With --all what became of every known problem.
    problems: Vec<checked::Decided>,
}

/// A problem that shows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Diagnosed {
    /// Its name, which stays the same.
    id: String,
    /// Other names.
    aliases: Vec<String>,
    /// What is wrong.
    title: String,
    /// How bad it is.
    severity: Severity,
    /// How certain; null: it was asked for by words.
    certainty: Option<Certainty>,
    /// What was seen, and where.
    evidence: Vec<Evidence>,
    /// The facts that would decide it, where it is but possible.
    undecided: Vec<String>,
    /// Where it comes from.
    cause: String,
    /// What to do.
    fix: String,
    /// What can be typed for it.
    commands: Vec<String>,
    /// What the fix changes.
    apply: Apply,
    /// What can be changed for it by a program; empty: it is advice alone.
    changes: Vec<Change>,
    /// How sure the fix is.
    confidence: Confidence,
    /// What must not be tried, and why.
    harmful: Vec<String>,
    /// Where it is known from.
    sources: Vec<String>,
}

impl Diagnosed {
    fn new(finding: &Finding) -> Self {
        Self {
            title: finding.title(),
            certainty: Some(finding.certainty),
            evidence: finding.evidence.clone(),
            undecided: finding.undecided.clone(),
            changes: finding.changes(),
            ..Self::about(finding.problem, |text| finding.fill(text))
        }
    }

    fn of_words(problem: &Problem) -> Self {
        Self::about(problem, |text| fill(text, |_| None))
    }

    /// A problem, with its texts as they are said.
    fn about(problem: &Problem, fill: impl Fn(&str) -> String) -> Self {
        let all = |texts: &[String]| texts.iter().map(|text| fill(text)).collect();
        Self {
            id: problem.id.clone(),
            aliases: problem.aliases.clone(),
            title: fill(&problem.title),
            severity: problem.severity,
            certainty: None,
            evidence: Vec::new(),
            undecided: Vec::new(),
            cause: fill(&problem.cause),
            fix: fill(&problem.fix),
            commands: all(&problem.commands),
            apply: problem.apply,
            changes: problem.changes.clone(),
            confidence: problem.confidence,
            harmful: all(&problem.harmful),
            sources: problem.sources.clone(),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let style = match self.severity {
            Severity::Error => BAD,
            Severity::Warning => WARN,
            Severity::Note => STRONG,
        };
        let word = match self.certainty {
            Some(Certainty::Possible) => format!("possible {}", self.severity.word()),
            _ => self.severity.word().to_owned(),
        };
        writeln!(out, "{}: {} ({})", styled(style, word), styled(STRONG, &self.title), self.id)?;
        let mut line = |name: &str, style: Style, text: &str| {
            writeln!(out, "  {} {}", styled(style, format!("{name:<7}")), output::escape_line(text))
        };
        for seen in &self.evidence {
            line("seen", FAINT, &format!("{} ({})", seen.what, seen.from))?;
        }
        if !self.undecided.is_empty() {
            line("unknown", FAINT, &self.undecided.join(", "))?;
        }
        line("why", FAINT, &self.cause)?;
        line("do", GOOD, &self.fix)?;
        for command in &self.commands {
            line("type", GOOD, command)?;
        }
        for harmful in &self.harmful {
            line("do not", BAD, harmful)?;
        }
        line("source", FAINT, &format!("{} (confidence {:?})", self.sources.join(", "), self.confidence))
    }
}

impl Diagnosis {
    /// Problems that were asked for, whatever the machine is.
    fn of_words(findings: Vec<Diagnosed>) -> Self {
        Self {
            findings,
            known: problems().len(),
            unknown_facts: BTreeSet::new(),
            well: Vec::new(),
            trials: Vec::new(),
            facts: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn status(&self) -> u8 {
        let sure = self.findings.iter().filter(|finding| finding.certainty == Some(Certainty::Found));
        match sure.map(|finding| finding.severity).min() {
            Some(Severity::Error) => exit_status::DOCTOR_ERRORS,
            Some(Severity::Warning) => exit_status::DOCTOR_WARNINGS,
            Some(Severity::Note) | None => 0,
        }
    }
}

impl Report for Diagnosis {
    const SCHEMA: &'static str = "rmcp.doctor/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.facts.is_empty() {
            checked::write_seen(&self.facts, out)?;
        }
        if !self.problems.is_empty() {
            checked::write_decided(&self.problems, out)?;
        }
        for trial in &self.trials {
            let (style, how) = match &trial.why {
                None => (GOOD, "a kernel ran, and its result is right".to_owned()),
                Some(why) => (BAD, format!("ended at the step {}: {why}", trial.step)),
            };
            let text = format!("{} at {} with {}: {how}", trial.target, trial.pci, trial.runtime);
            writeln!(out, "{} {}", styled(style, "Tried"), output::escape_line(text))?;
        }
        for finding in &self.findings {
            finding.write(out)?;
            writeln!(out)?;
        }
        if self.findings.is_empty() {
            writeln!(out, "{}", styled(GOOD, format!("None of {} known problems shows.", self.known)))?;
        }
        if !self.well.is_empty() {
            writeln!(out, "{} {}.", styled(GOOD, "Well:"), output::escape_line(self.well.join("; ")))?;
        }
        if !self.unknown_facts.is_empty() {
            let names: Vec<&str> = self.unknown_facts.iter().map(String::as_str).collect();
            let text = format!("Could not be read, so that problems with them are not ruled out: {}", names.join(", "));
            writeln!(out, "{}", styled(FAINT, text))?;
        }
        Ok(())
    }
}
