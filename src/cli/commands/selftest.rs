//! `rmcp selftest`: whether what RMCP promises holds on this machine's card.
//!
//! Each category is a process of its own, without RMCP and with it: one that dies takes nothing with it, and what fails
//! without RMCP too is not RMCP's.

mod kernel_log;
mod torch;

use super::stage::{Choice, Interposition, Source, Stage, run};
use crate::output::{self, OutputArguments, Report};
use anyhow::Result;
use kernel_log::KernelLog;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Tries what RMCP promises on this machine's card, and makes a report to paste.
///
/// Where there is no RDNA1 or RDNA2 card it runs the unmodified ROCm user mode from Debian's packages on an emulated one.
/// Every category runs without RMCP and with it. Exit status 1 when one fails with RMCP.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only these categories; repeatable.
    #[arg(long, value_name = "NAME", value_parser = names())]
    category: Vec<String>,

    /// The python3 whose PyTorch is tried.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    output: OutputArguments,
}

/// A category: its name, and what it tries.
const CATEGORIES: [(&str, &str); 9] = [
    ("detection", "HIP sees the card, and RMCP is in the process"),
    ("queue", "a kernel starts: the driver takes the runtime's queue"),
    ("sizes", "device memory from 1 byte to more than there is"),
    ("pinned", "pinned and registered host memory, and its flags"),
    ("managed", "managed memory"),
    ("copies", "copies both ways, waiting and queued, byte by byte"),
    ("threads", "threads, and children of a process that uses the GPU"),
    (TORCH, "PyTorch computes and trains as on the CPU, where it is installed"),
    (SPEED, "how long the above takes"),
];
const TORCH: &str = "torch";
const SPEED: &str = "speed";

fn names() -> clap::builder::PossibleValuesParser {
    CATEGORIES.map(|(name, what)| clap::builder::PossibleValue::new(name).help(what)).into()
}

/// What was tried, and how it went.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tested {
    /// What it was tried on.
    source: Source,
    /// The running kernel.
    kernel: String,
    /// Whether nothing failed with RMCP.
    passed: bool,
    /// The categories that were tried.
    categories: Vec<Category>,
    /// How long things took.
    figures: Vec<Figure>,
    /// What the kernel's log said of GPUs meanwhile.
    kernel_log: KernelLog,
}

/// One category.
#[derive(Debug, Serialize, JsonSchema)]
struct Category {
    /// Its name.
    name: String,
    /// What it tries.
    what: String,
    /// Without RMCP.
    without: Outcome,
    /// With RMCP.
    with: Outcome,
}

/// How a category went in one of the two ways.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// So many checks, and all passed.
    Passed(usize),
    /// Checks that did not pass, or how the program ended.
    Failed(Vec<String>),
    /// Why it was not tried.
    Skipped(String),
}

/// How long something took.
#[derive(Debug, Serialize, JsonSchema)]
struct Figure {
    /// What.
    what: String,
    /// In which unit.
    unit: String,
    /// Without RMCP: the median of nine runs.
    without: f64,
    /// With RMCP, likewise.
    with: f64,
}

/// A line of a program.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Check { check: String, passed: bool },
    Figure { figure: String, unit: String, value: f64 },
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<ExitCode> {
    let stage = Stage::choose(&arguments.choice)?;
    let selected =
        |name: &str| arguments.category.is_empty() || arguments.category.iter().any(|selected| selected == name);
    let watch = KernelLog::watch();
    let mut categories = Vec::new();
    let mut figures = Vec::new();
    for (name, what) in CATEGORIES.into_iter().filter(|(name, _)| selected(name)) {
        let observe = |interposition| match name {
            TORCH => torch::run(&arguments.python, &stage, interposition),
            _ => stage
                .command("rmcp-selftest-client", &[name], interposition, false)
                .and_then(run)
                .map(|(lines, _)| lines),
        };
        let (without, with) = (observe(Interposition::Without), observe(Interposition::With));
        let pairs = match (&without, &with) {
            (Ok(without), Ok(with)) if name == SPEED => Figure::pairs(without, with),
            _ => None,
        };
        if let Some(pairs) = pairs {
            figures = pairs;
        } else {
            let (without, with) = (Outcome::of(without), Outcome::of(with));
            categories.push(Category { name: name.into(), what: what.into(), without, with });
        }
    }
    let tested = Tested {
        source: stage.source(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
        passed: !categories.iter().any(|category| matches!(category.with, Outcome::Failed(_))),
        categories,
        figures,
        kernel_log: watch.end(),
    };
    arguments.output.print(&tested)?;
    Ok(if tested.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Outcome {
    fn of(lines: Result<Vec<Line>>) -> Self {
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) if error.is::<torch::Absent>() => return Self::Skipped(error.to_string()),
            Err(error) => return Self::Failed(vec![format!("{error:#}")]),
        };
        let failed = |line: &Line| match line {
            Line::Check { check, passed: false } => Some(check.clone()),
            _ => None,
        };
        let failures: Vec<_> = lines.iter().filter_map(failed).collect();
        match lines.len() {
            0 => Self::Failed(vec!["the program checked nothing".into()]),
            count if failures.is_empty() => Self::Passed(count),
            _ => Self::Failed(failures),
        }
    }

    fn word(&self) -> String {
        match self {
            Self::Passed(1) => output::styled(output::GOOD, "1 check passed"),
            Self::Passed(count) => output::styled(output::GOOD, format!("{count} checks passed")),
            Self::Failed(failures) => output::styled(output::BAD, format!("{} failed", failures.len())),
            Self::Skipped(_) => output::styled(output::FAINT, "not tried"),
        }
    }

    /// What there is to say beyond the word.
    fn details(&self) -> Vec<&str> {
        match self {
            Self::Passed(_) => Vec::new(),
            Self::Failed(failures) => failures.iter().map(String::as_str).collect(),
            Self::Skipped(why) => vec![why],
        }
    }
}

impl Figure {
    /// None where a call failed, which is told in place of the figures that follow it.
    fn pairs(without: &[Line], with: &[Line]) -> Option<Vec<Self>> {
        let pair = |lines: (&Line, &Line)| match lines {
            (Line::Figure { figure, unit, value }, Line::Figure { value: with, .. }) => {
                Some(Self { what: figure.clone(), unit: unit.clone(), without: *value, with: *with })
            }
            _ => None,
        };
        (without.len() == with.len()).then(|| without.iter().zip(with).map(pair).collect())?
    }
}

impl Report for Tested {
    const SCHEMA: &'static str = "rmcp.selftest/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "RMCP {}, kernel {}.", env!("CARGO_PKG_VERSION"), self.kernel)?;
        writeln!(out, "{}.", self.source)?;
        if self.source.emulated {
            writeln!(out, "No card and no real driver took part; times say nothing of a card.")?;
        }
        let mut table = output::table(["category", "tries", "without RMCP", "with RMCP"]);
        for category in &self.categories {
            let words = [category.without.word(), category.with.word()];
            let [without, with] = words;
            table.add_row([category.name.clone(), category.what.clone(), without, with]);
        }
        writeln!(out, "\n{table}")?;
        for category in &self.categories {
            for (way, outcome) in [("without RMCP", &category.without), ("with RMCP", &category.with)] {
                for line in outcome.details() {
                    writeln!(out, "{}, {way}: {line}", category.name)?;
                }
            }
        }
        if !self.figures.is_empty() {
            let mut table = output::table(["speed", "unit", "without RMCP", "with RMCP"]);
            for figure in &self.figures {
                let number = |value: f64| format!("{value:.2}");
                table.add_row([figure.what.clone(), figure.unit.clone(), number(figure.without), number(figure.with)]);
            }
            writeln!(out, "\n{table}")?;
        }
        self.kernel_log.text(out)?;
        let verdict = if self.passed {
            output::styled(output::GOOD, "Nothing failed with RMCP.")
        } else {
            output::styled(output::BAD, "With RMCP something failed; what fails without it too is not its doing.")
        };
        writeln!(out, "\n{verdict}")
    }
}
