//! Which atomic operations act on which kind of memory.

use super::{BUS, bus};
use crate::commands::stage::{Interposition, Source, Stage, run};
use crate::output::{self, BAD, GOOD, Report, styled};
use anyhow::{Result, bail, ensure};
use comfy_table::Table;
use rmcp_domain::gfx::{Family, GfxTarget};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// What makes the memory non-coherent that RMCP leaves as it is by default.
const OPTIONS: &[(&str, &str)] = &[("host", "force"), ("register", "coarse")];

/// Which atomic operations act on which kind of memory: without RMCP, with it, and with more of its options.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Atomics {
    /// What it was seen on.
    source: Source,
    /// The options of `options` below, as `rmcp-run --set` takes them.
    set: Vec<String>,
    /// Each operation on each kind of memory.
    results: Vec<Pair>,
}

/// An operation on a kind of memory.
#[derive(Debug, Serialize, JsonSchema)]
struct Pair {
    /// The call that gave the memory, with its flags.
    memory: String,
    /// The operation.
    operation: String,
    /// What it operates on: uint32, int32, uint64, int64, float32 or float64.
    r#type: String,
    /// Without RMCP.
    without: Outcome,
    /// With RMCP.
    with: Outcome,
    /// With RMCP and the options of `set`.
    options: Outcome,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Outcome {
    /// Why it could not be tried; null where it was.
    error: Option<String>,
    /// Words that were wrong afterwards, or that it returned wrong.
    wrong: u32,
    /// Words that it was applied to.
    of: u32,
}

/// A line of the client.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    memory: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    wrong: u32,
    #[serde(default)]
    of: u32,
}

/// The three ways, as the table heads them.
const OUTCOMES: [fn(&Pair) -> &Outcome; 3] = [|pair| &pair.without, |pair| &pair.with, |pair| &pair.options];

impl Atomics {
    /// Has the client try everything, in three ways.
    pub(super) fn try_operations(stage: &Stage) -> Result<Self> {
        let mut source = stage.source();
        if source.emulated {
            let machine = &source.card;
            let family = machine.parse::<GfxTarget>().map(|target| target.family());
            if let Ok(Family::Other) = family {
                bail!(
                    "the emulated card runs kernels of gfx10 alone, and {machine} is another; choose gfx1010 or gfx1030"
                );
            }
            source.bus = Some(bus()?.0.to_owned());
        }
        let observe = |interposition| -> Result<Vec<Line>> {
            let mut command = stage.command("rmcp-atomics-client", &[], interposition, false)?;
            if let Some(bus) = &source.bus {
                command.env(BUS, bus).env("RMCP_KFD_EXECUTE", "1");
            }
            let (mut lines, _) = run::<Line>(command)?;
            lines.retain(|line| !line.memory.is_empty());
            Ok(lines)
        };
        let (without, with, options) = (
            observe(Interposition::Without)?,
            observe(Interposition::With)?,
            observe(Interposition::Options(OPTIONS))?,
        );
        ensure!(
            !without.is_empty() && without.len() == with.len() && with.len() == options.len(),
            "the demonstration's program tried {} pairs without RMCP, {} with it and {} with its options",
            without.len(),
            with.len(),
            options.len()
        );
        let results = without.into_iter().zip(with).zip(options).map(|((without, with), options)| Pair {
            with: with.into(),
            options: options.into(),
            memory: without.memory.clone(),
            operation: without.operation.clone(),
            r#type: without.r#type.clone(),
            without: without.into(),
        });
        let set = OPTIONS.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(Self { source, set, results: results.collect() })
    }

    /// The kinds of memory, in order.
    fn memory(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.results.iter().map(|pair| pair.memory.as_str()).collect();
        kinds.dedup();
        kinds
    }

    /// The operations, in order.
    fn operations(&self) -> impl Iterator<Item = (&str, &str)> {
        let first = self.memory().first().copied().unwrap_or_default();
        let pairs = self.results.iter().filter(move |pair| pair.memory == first);
        pairs.map(|pair| (pair.operation.as_str(), pair.r#type.as_str()))
    }

    /// The kinds of memory with a letter each, and how many operations go wrong there.
    fn kinds(&self) -> Table {
        let mut table = output::table(["", "memory", "without RMCP", "with RMCP", "with options"]);
        for (letter, memory) in LETTERS.zip(self.memory()) {
            let pairs: Vec<&Pair> = self.results.iter().filter(|pair| pair.memory == memory).collect();
            let cells = OUTCOMES.map(|outcome| {
                let tried: Vec<&Outcome> = pairs.iter().map(|pair| outcome(pair)).collect();
                sum(&tried)
            });
            table.add_row([letter.to_string(), memory.to_owned()].into_iter().chain(cells));
        }
        table
    }

    /// Every operation on every kind of memory.
    fn pairs(&self) -> Table {
        let kinds = self.memory();
        let letters = LETTERS.take(kinds.len()).map(String::from);
        let mut table = output::table(["operation".to_owned()].into_iter().chain(letters));
        for (index, (operation, r#type)) in self.operations().enumerate() {
            // Every kind of memory has the same operations in the same order.
            let of_each = self.results.iter().skip(index).step_by(self.results.len() / kinds.len());
            let cells = of_each.map(|pair| OUTCOMES.map(|outcome| outcome(pair).mark()).concat());
            table.add_row([format!("{operation} {type}")].into_iter().chain(cells));
        }
        table
    }

    fn verdict(&self) -> String {
        let wrong = OUTCOMES.map(|outcome| self.results.iter().filter(|pair| outcome(pair).wrong > 0).count());
        let untried =
            self.results.iter().filter(|pair| OUTCOMES.iter().any(|outcome| outcome(pair).error.is_some())).count();
        let untried = if untried > 0 { format!(" {untried} could not be tried.") } else { String::new() };
        let set = self.set.join(" and ");
        let (pairs, [without, with, options]) = (self.results.len(), wrong);
        format!(
            "Of {pairs} pairs of operation and memory {without} are wrong without RMCP, {with} with it, {options} with \
             {set}.{untried}"
        )
    }
}

const LETTERS: std::ops::RangeInclusive<char> = 'A'..='Z';

impl From<Line> for Outcome {
    fn from(line: Line) -> Self {
        let error = (line.error != "hipSuccess").then_some(line.error);
        Self { error, wrong: line.wrong, of: line.of }
    }
}

impl Outcome {
    fn mark(&self) -> String {
        match self {
            Self { error: Some(_), .. } => "-".into(),
            Self { wrong: 0, .. } => ".".into(),
            Self { .. } => styled(BAD, "X"),
        }
    }
}

/// What becomes of all operations on one kind of memory.
fn sum(tried: &[&Outcome]) -> String {
    let wrong = tried.iter().filter(|outcome| outcome.wrong > 0).count();
    let errors: Vec<&str> = tried.iter().filter_map(|outcome| outcome.error.as_deref()).collect();
    match (wrong, errors.as_slice()) {
        (0, [error, ..]) if errors.len() == tried.len() => (*error).to_owned(),
        (0, _) => styled(GOOD, "right"),
        _ => styled(BAD, format!("{wrong} wrong")),
    }
}

impl Report for Atomics {
    const SCHEMA: &'static str = "rmcp.demo.atomics/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let source = &self.source;
        match source.bus.as_deref().and_then(|name| super::BUSES.iter().find(|(known, _)| *known == name)) {
            Some((name, what)) => writeln!(
                out,
                "{source}.\nNo card and no real bus took part. The bus is a model, {BUS}={name}:\nof the atomic \
                 operations {what} act on memory\nthat the card does not cache.\n"
            )?,
            None => writeln!(out, "{source}:\nthis is what the card did.\n")?,
        }
        let operations = self.operations().count();
        writeln!(
            out,
            "{operations} operations on each kind of memory, by kernels that hiprtc compiled.\nThe options are {}.\n",
            self.set.join(" and ")
        )?;
        writeln!(out, "{}\n", self.kinds())?;
        writeln!(
            out,
            "Each of them: three marks for without RMCP, with it, with the options.\nA dot is right, X is wrong, - could not \
             be tried.\n"
        )?;
        writeln!(out, "{}\n\n{}", self.pairs(), self.verdict())
    }
}
