//! What each allocation call asks of the kernel.

use crate::commands::stage::{Interposition, Source, Stage, run};
use crate::output::{self, Report};
use crate::scratch::Scratch;
use anyhow::{Context, Result};
use rmcp_kfd_log::{Event, Log};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};

/// What each allocation call asks of the kernel, without RMCP and with it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Flags {
    /// What it was seen on.
    source: Source,
    /// The calls.
    calls: Vec<Call>,
}

/// One call.
#[derive(Debug, Serialize, JsonSchema)]
struct Call {
    /// The call with its flags.
    call: String,
    /// Without RMCP.
    without: Observation,
    /// With RMCP.
    with: Observation,
}

/// What became of a call.
#[derive(Debug, Serialize, JsonSchema)]
struct Observation {
    /// The name of its error; "hipSuccess" is none.
    error: String,
    /// What memory that is on gfx10; null where none was asked for.
    memory: Option<Memory>,
    /// The flags that reached the kernel, without those that every allocation carries.
    flags: String,
}

/// How a GPU of the gfx10 family sees a piece of memory. (Linux gmc_v10_0.c: COHERENT, EXT_COHERENT and UNCACHED each
/// give MTYPE_UC, none gives MTYPE_NC)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Memory {
    /// Not cached.
    Coherent,
    /// Cached.
    NonCoherent,
}

/// A line of the client.
#[derive(Deserialize)]
struct Line {
    label: String,
    error: String,
}

impl Flags {
    /// Has the client make the calls, without RMCP and with it.
    pub(super) fn observe_calls(stage: &Stage) -> Result<Self> {
        let without = observe(stage, Interposition::Without)?;
        let with = observe(stage, Interposition::With)?;
        let calls = without.into_iter().zip(with);
        let calls = calls.map(|((call, without), (_, with))| Call { call, without, with }).collect();
        Ok(Self { source: stage.source(), calls })
    }

    fn verdict(&self) -> String {
        let of = |holds: fn(&Call) -> bool| self.calls.iter().filter(|call| holds(call)).count();
        format!(
            "Of {} calls {} get non-coherent memory with RMCP and coherent memory without; {} fail with RMCP, {} without.",
            self.calls.len(),
            of(|call| call.without.memory == Some(Memory::Coherent) && call.with.memory == Some(Memory::NonCoherent)),
            of(|call| call.with.failed()),
            of(|call| call.without.failed())
        )
    }
}

/// Each call and what became of it.
fn observe(stage: &Stage, interposition: Interposition) -> Result<Vec<(String, Observation)>> {
    let folder = Scratch::new("demo")?;
    let log = folder.path().join("kfd.jsonl");
    let mut command = stage.command("rmcp-demo-client", &[], interposition, true)?;
    command.env("RMCP_KFD_LOG", &log);
    let (lines, stderr): (Vec<Line>, _) = run(command)?;
    let text = fs::read_to_string(&log)
        .with_context(|| format!("nothing was logged at the kernel boundary; the client said:\n{stderr}"))?;
    let log = Log::parse(&text)?;
    let observation = |line: Line| {
        let events = log.under(&line.label);
        (line.label, Observation { memory: Memory::of(&events), flags: flags(&events), error: line.error })
    };
    Ok(lines.into_iter().map(observation).collect())
}

impl Memory {
    /// What the last allocation or SVM range among the events is; None when there is none.
    fn of(events: &[&Event]) -> Option<Self> {
        const COHERENT: [&str; 3] = ["COHERENT", "EXT_COHERENT", "UNCACHED"];
        events.iter().fold(None, |known, event| match event.kind.as_str() {
            "alloc" if COHERENT.iter().any(|flag| event.has(flag)) => Some(Self::Coherent),
            "alloc" => Some(Self::NonCoherent),
            "svm" if event.svm("CLR_FLAGS", "COHERENT") => Some(Self::NonCoherent),
            // A new range is coherent unless told otherwise. (Linux kfd_svm.c, svm_range_set_default_attributes)
            "svm" => known.or(Some(Self::Coherent)),
            _ => known,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Coherent => "coherent (uncached)",
            Self::NonCoherent => "non-coherent (cached)",
        }
    }
}

impl Observation {
    fn failed(&self) -> bool {
        self.error != "hipSuccess"
    }

    fn text(&self) -> String {
        match self.memory {
            _ if self.failed() => self.error.clone(),
            Some(memory) => format!("{}: {}", memory.word(), self.flags),
            None => "no new memory".into(),
        }
    }
}

/// The flags, without those that every allocation carries.
fn flags(events: &[&Event]) -> String {
    const ALWAYS: [&str; 3] = ["WRITABLE", "EXECUTABLE", "NO_SUBSTITUTE"];
    let words = events.iter().filter_map(|event| match event.kind.as_str() {
        "alloc" => Some(event.flags().filter(|flag| !ALWAYS.contains(flag)).collect::<Vec<_>>().join(" ")),
        "svm" if event.svm("CLR_FLAGS", "COHERENT") => Some("COHERENT cleared".into()),
        "svm" => Some("SVM range, COHERENT by default".into()),
        _ => None,
    });
    words.collect::<Vec<String>>().join(", ")
}

impl Report for Flags {
    const SCHEMA: &'static str = "rmcp.demo/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let honest = if self.source.emulated {
            ": the flags are those that reach the kernel boundary; no card and no real driver took part"
        } else {
            ""
        };
        writeln!(out, "{}{honest}.\n", self.source)?;
        let mut table = output::table(["call", "without RMCP", "with RMCP"]);
        for call in &self.calls {
            table.add_row([call.call.clone(), call.without.text(), call.with.text()]);
        }
        writeln!(out, "{table}\n\n{}", self.verdict())
    }
}
