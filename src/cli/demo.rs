//! `rmcp demo`: what each allocation call asks of the kernel, without and with RMCP.

use super::library;
use crate::gfx::Family;
use crate::topology::{DEFAULT_ROOT, Masks, Topology};
use anyhow::{Context, Result, bail, ensure};
use comfy_table::{ContentArrangement, Table, presets};
use rmcp_kfd_log::{Event, Log};
use rmcp_stacks::{Release, Stack};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Shows what each allocation call asks of the kernel, without and with RMCP.
///
/// On a machine with an RDNA1 or RDNA2 card its own runtime and driver are used. Elsewhere the unmodified ROCm user
/// mode from Debian's packages runs on an emulated card.
#[derive(clap::Args)]
pub struct Arguments {
    /// Uses the emulated card even where there is a real one.
    #[arg(long)]
    emulated: bool,

    /// The emulated card: gfx1010, gfx1030, gfx1100, gfx90a, or the path of a description.
    #[arg(long, value_name = "NAME", default_value = "gfx1010")]
    machine: String,

    /// The ROCm release that runs on the emulated card.
    #[arg(long, value_name = "RELEASE", default_value = "6.4.3")]
    rocm: Release,

    /// The libamdhip64.so to use on a real card, where the loader does not find the right one.
    #[arg(long, value_name = "FILE", conflicts_with = "emulated")]
    runtime: Option<PathBuf>,
}

/// The names under which the loader may know the runtime, newest first.
const RUNTIMES: [&str; 5] =
    ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so", "/opt/rocm/lib/libamdhip64.so"];

/// What the demonstration runs on.
enum Stage {
    Card { name: String, runtimes: Vec<OsString> },
    Emulated { machine: String, stack: Stack },
}

/// What one run of the client showed.
struct Shown {
    /// Each call and the name of its error.
    calls: Vec<(String, String)>,
    log: Log,
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    let here = env::current_exe().ok();
    let gate = library::find(env::var_os("RMCP_LIBRARY"), here.as_deref().and_then(Path::parent))?;
    let stage = Stage::choose(arguments)?;
    println!("{}\n", stage.describe());
    let without = stage.show(&gate, false)?;
    let with = stage.show(&gate, true)?;
    println!("{}", table(&without, &with));
    println!("{}", verdict(&without, &with));
    Ok(())
}

impl Stage {
    fn choose(arguments: &Arguments) -> Result<Self> {
        let card = if arguments.emulated { None } else { card() };
        Ok(match card {
            Some(name) => {
                let names = RUNTIMES.map(OsString::from).to_vec();
                Self::Card { name, runtimes: arguments.runtime.as_ref().map_or(names, |file| vec![file.into()]) }
            }
            None if arguments.runtime.is_some() => {
                bail!("--runtime is for a real card, and {DEFAULT_ROOT} lists no RDNA1 or RDNA2 card")
            }
            None => {
                let stack = Stack::fetch(arguments.rocm)?;
                Self::Emulated { machine: arguments.machine.clone(), stack }
            }
        })
    }

    fn describe(&self) -> String {
        match self {
            Self::Card { name, .. } => format!("On this machine's {name}, with its own ROCm and driver."),
            Self::Emulated { machine, stack } => format!(
                "ROCm {} from Debian, unmodified, on an emulated {machine}: the flags are those that reach the kernel \
                 boundary; no card and no real driver took part.",
                stack.release()
            ),
        }
    }

    /// Runs the client once.
    fn show(&self, gate: &Path, with_rmcp: bool) -> Result<Shown> {
        let beside = |name: &str| {
            let file = gate.with_file_name(name);
            ensure!(file.is_file(), "{} is missing; build RMCP with `cargo xtask build`", file.display());
            Ok(file)
        };
        let client = beside("rmcp-demo-client")?;
        let observer = beside("librmcp_kfd.so")?;
        let folder = tempfile::tempdir().context("cannot make a folder for the log")?;
        let log = folder.path().join("kfd.jsonl");

        let mut command = match self {
            Self::Card { runtimes, .. } => {
                let mut command = Command::new(client);
                command.args(runtimes);
                command
            }
            Self::Emulated { machine, stack } => {
                let mut command = stack.command(client)?;
                command.arg(stack.find_library("libamdhip64")?);
                command.env("RMCP_KFD_MACHINE", machine);
                command
            }
        };
        let preload = if with_rmcp { library::preload(gate, Some(observer.as_os_str())) } else { observer.into() };
        command.env("LD_PRELOAD", preload).env("RMCP_KFD_LOG", &log);
        let output = command.stdin(Stdio::null()).output().context("cannot run the demonstration's client")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the demonstration's client failed ({}):\n{}", output.status, said.trim_end());
        let text = fs::read_to_string(&log).with_context(|| {
            format!("nothing was logged at the kernel boundary; the client said:\n{}", said.trim_end())
        })?;
        Ok(Shown { calls: calls(&String::from_utf8_lossy(&output.stdout))?, log: Log::parse(&text)? })
    }
}

/// The first RDNA1 or RDNA2 card that HIP would see.
fn card() -> Option<String> {
    let topology = Topology::read(Path::new(DEFAULT_ROOT)).ok()?;
    let gpus = topology.visible(&Masks::from_process());
    let gpu = gpus.into_iter().find(|gpu| gpu.target.family() != Family::Other)?;
    Some(format!("{} at {}", gpu.target, gpu.pci))
}

fn calls(lines: &str) -> Result<Vec<(String, String)>> {
    let read = |line: &str| -> Result<_> {
        let value: serde_json::Value = serde_json::from_str(line)?;
        let text = |key: &str| value[key].as_str().map(str::to_owned).context("not the client's");
        Ok((text("label")?, text("error")?))
    };
    lines.lines().map(|line| read(line).with_context(|| format!("the client's line {line:?}"))).collect()
}

fn table(without: &Shown, with: &Shown) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["call", "without RMCP", "with RMCP"]);
    for ((label, error), (_, error_with)) in without.calls.iter().zip(&with.calls) {
        table.add_row([label.clone(), cell(&without.log, label, error), cell(&with.log, label, error_with)]);
    }
    table
}

/// What reached the kernel for one call, and what kind of memory that is on gfx10.
fn cell(log: &Log, label: &str, error: &str) -> String {
    let events = log.under(label);
    match (error, Memory::of(&events)) {
        ("hipSuccess", Some(memory)) => format!("{}: {}", memory.word(), asked(&events)),
        ("hipSuccess", None) => "no new memory".into(),
        (error, _) => error.into(),
    }
}

/// How a GPU of the gfx10 family sees a piece of memory. (Linux gmc_v10_0.c: COHERENT, EXT_COHERENT and UNCACHED each
/// give MTYPE_UC, none gives MTYPE_NC)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Coherent,
    NonCoherent,
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

/// The flags, without those that every allocation carries.
fn asked(events: &[&Event]) -> String {
    const ALWAYS: [&str; 3] = ["WRITABLE", "EXECUTABLE", "NO_SUBSTITUTE"];
    let words = events.iter().filter_map(|event| match event.kind.as_str() {
        "alloc" => Some(event.flags().filter(|flag| !ALWAYS.contains(flag)).collect::<Vec<_>>().join(" ")),
        "svm" if event.svm("CLR_FLAGS", "COHERENT") => Some("COHERENT cleared".into()),
        "svm" => Some("SVM range, COHERENT by default".into()),
        _ => None,
    });
    words.collect::<Vec<String>>().join(", ")
}

fn verdict(without: &Shown, with: &Shown) -> String {
    let memory = |shown: &Shown, label: &str| Memory::of(&shown.log.under(label));
    let labels = || without.calls.iter().map(|(label, _)| label.as_str());
    let freed = labels().filter(|label| {
        memory(without, label) == Some(Memory::Coherent) && memory(with, label) == Some(Memory::NonCoherent)
    });
    let failed = |shown: &Shown| shown.calls.iter().filter(|(_, error)| error != "hipSuccess").count();
    format!(
        "\nOf {} calls {} get non-coherent memory with RMCP and coherent memory without; {} fail with RMCP, {} without.",
        without.calls.len(),
        freed.count(),
        failed(with),
        failed(without)
    )
}
