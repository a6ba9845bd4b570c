//! What a machine and its logs show, in a file for somebody else.

use super::{Facts, LogMatches, Problem, scrub::Scrubber};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name and version of the file's form.
const FORM: &str = "rmcp.report/1";
/// A file that unpacks to more is none of ours, in bytes.
const LIMIT: u64 = 64 << 20;

/// The file: JSON, packed with gzip.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    form: String,
    /// The version of rmcp that wrote it.
    version: String,
    /// What is known of the machine.
    pub facts: Facts,
    /// Lines of the logs: those that had a part which some problem names, and the last ones.
    log: Option<String>,
}

/// Why a file is no report.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// It cannot be read, or is not packed with gzip.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It has another content.
    #[error("it is no report of rmcp doctor: {0}")]
    Content(#[from] serde_json::Error),
    /// It has another form.
    #[error("its form is {0}, and this rmcp reads {FORM}")]
    Form(String),
}

impl Report {
    /// What may leave the machine: of the environment those variables alone that problems ask about.
    pub fn new(facts: &Facts, log: Option<&LogMatches>, problems: &[Problem], scrubber: &Scrubber) -> Self {
        let signs = problems.iter().flat_map(|problem| &problem.signs);
        let asked: BTreeSet<&String> = signs.flat_map(|sign| sign.facts.keys()).collect();
        let mut facts = facts.clone();
        facts.machine.retain(|name, _| !name.starts_with("env.") || asked.contains(name));
        for fact in
            facts.machine.values_mut().chain(facts.cards.iter_mut().flatten().flat_map(|card| card.values_mut()))
        {
            fact.from = scrubber.scrub(&fact.from);
            fact.values.iter_mut().for_each(|value| *value = scrubber.scrub(value));
        }
        let log = log.map(|log| scrubber.scrub(&log.excerpt()));
        Self { form: FORM.into(), version: env!("CARGO_PKG_VERSION").into(), facts, log }
    }

    /// Writes it to a file that its user alone can read.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut packed = GzEncoder::new(file, Compression::default());
        serde_json::to_writer_pretty(&mut packed, self)?;
        packed.finish()?.flush()
    }

    /// Reads one that another machine wrote.
    pub fn read(path: &Path) -> Result<Self, NoReport> {
        let mut text = String::new();
        GzDecoder::new(std::fs::File::open(path)?).take(LIMIT).read_to_string(&mut text)?;
        let report: Self = serde_json::from_str(&text)?;
        if report.form == FORM { Ok(report) } else { Err(NoReport::Form(report.form)) }
    }

    /// What its log has of these problems, which may be other ones than those of the machine that wrote it.
    pub fn log(&self, problems: &[Problem]) -> io::Result<Option<LogMatches>> {
        self.log.as_ref().map(|log| LogMatches::read(log.as_bytes(), problems)).transpose()
    }
}
