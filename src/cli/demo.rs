//! `rmcp demo`: what RMCP changes, shown on the machine's card or on an emulated one.

mod atomics;
mod flags;

use super::library;
use super::show::Output;
use crate::gfx::Family;
use crate::options::SYSTEM_FENCES;
use crate::topology::{DEFAULT_ROOT, Masks, Topology};
use anyhow::{Context, Result, bail, ensure};
pub use atomics::Atomics;
pub use flags::Flags;
use rmcp_stacks::{Release, Stack};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Shows what each allocation call asks of the kernel, without and with RMCP.
///
/// On a machine with an RDNA1 or RDNA2 card its own runtime and driver are used. Elsewhere the unmodified ROCm user
/// mode from Debian's packages runs on an emulated card.
#[derive(clap::Args)]
pub struct Arguments {
    /// Shows instead which atomic operations act on which kind of memory, as in ROCm/clr#285.
    #[arg(long)]
    atomics: bool,

    /// Uses the emulated card even where there is a real one.
    #[arg(long)]
    emulated: bool,

    /// The emulated card: gfx1010, gfx1030, gfx1036, gfx1100, gfx90a, or the path of a description.
    #[arg(long, value_name = "NAME", default_value = "gfx1010")]
    machine: String,

    /// The ROCm release that runs on the emulated card.
    #[arg(long, value_name = "RELEASE", default_value = "6.4.3")]
    rocm: Release,

    /// The libamdhip64.so to use on a real card, where the loader does not find the right one.
    #[arg(long, value_name = "FILE", conflicts_with = "emulated")]
    runtime: Option<PathBuf>,

    #[command(flatten)]
    output: Output,
}

/// The names under which the loader may know the runtime, newest first.
const RUNTIMES: [&str; 5] =
    ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so", "/opt/rocm/lib/libamdhip64.so"];

/// What the emulator is told of the bus: its values, and the atomic operations that act on uncached memory with each.
const BUS: &str = "RMCP_KFD_BUS";
const BUSES: [(&str, &str); 3] = [("none", "none"), ("basic", "add, exchange and compare-and-swap"), ("all", "all")];

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    let here = env::current_exe().ok();
    let gate = library::find(env::var_os("RMCP_LIBRARY"), here.as_deref().and_then(Path::parent))?;
    let stage = Stage { gate, place: Place::choose(arguments)? };
    if arguments.atomics {
        arguments.output.show(&Atomics::see(&stage)?)
    } else {
        arguments.output.show(&Flags::see(&stage)?)
    }
}

/// What the demonstration runs on, and what is shown there.
struct Stage {
    gate: PathBuf,
    place: Place,
}

enum Place {
    Card { name: String, device: usize, runtimes: Vec<OsString> },
    Emulated { machine: String, stack: Stack },
}

/// Where a result comes from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Source {
    /// Whether card and kernel driver are emulated.
    emulated: bool,
    /// The card: the name of its emulation, or gfx target and PCI address of a real one.
    card: String,
    /// The ROCm release, from Debian and unmodified; null where it is the machine's own.
    rocm: Option<String>,
    /// How the bus is emulated, as RMCP_KFD_BUS takes it; null where it is real or takes no part.
    bus: Option<String>,
}

/// How a program is started.
#[derive(Clone, Copy)]
enum Way {
    /// Without RMCP.
    Without,
    /// With RMCP preloaded.
    With,
    /// The same with these options.
    Options(&'static [(&'static str, &'static str)]),
}

impl Stage {
    fn source(&self) -> Source {
        match &self.place {
            Place::Card { name, .. } => Source { emulated: false, card: name.clone(), rocm: None, bus: None },
            Place::Emulated { machine, stack } => {
                Source { emulated: true, card: machine.clone(), rocm: Some(stack.release().to_string()), bus: None }
            }
        }
    }

    /// A file that is installed beside librmcp.so.
    fn beside(&self, name: &str) -> Result<PathBuf> {
        let file = self.gate.with_file_name(name);
        ensure!(file.is_file(), "{} is missing; build RMCP with `cargo xtask build`", file.display());
        Ok(file)
    }

    /// The command that starts a program of the demonstration.
    fn command(&self, program: &str, way: Way, observed: bool) -> Result<Command> {
        let program = self.beside(program)?;
        let (mut command, mut preload) = match &self.place {
            Place::Card { device, runtimes, .. } => {
                let mut command = Command::new(program);
                command.arg(device.to_string()).args(runtimes);
                (command, env::var_os("LD_PRELOAD").unwrap_or_default())
            }
            Place::Emulated { machine, stack } => {
                let mut command = stack.command(program)?;
                command.arg("0").arg(stack.find_library("libamdhip64")?).env("RMCP_KFD_MACHINE", machine);
                (command, OsString::new())
            }
        };
        if observed || matches!(self.place, Place::Emulated { .. }) {
            preload.push(":");
            preload.push(self.beside("librmcp_kfd.so")?);
        }
        // What is set for other programs must not show here.
        let ours = |name: &OsStr| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"RMCP_") && !name.starts_with(b"RMCP_KFD_")
        };
        for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.env("RMCP_CONFIG", "/dev/null");
        if let Way::Without = way {
            // It may be preloaded into every process of the machine.
            command.env("RMCP_DISABLE", "1");
        } else {
            preload = library::preload(&self.gate, Some(&preload));
        }
        if let Way::Options(options) = way {
            command.env(SYSTEM_FENCES.0, SYSTEM_FENCES.1);
            command.envs(options.iter().map(|(name, value)| (format!("RMCP_{}", name.to_uppercase()), value)));
        }
        command.env("LD_PRELOAD", preload);
        Ok(command)
    }
}

/// Runs a program of the demonstration to its end: the lines of JSON that it printed, and its complaints.
fn run<Line: DeserializeOwned>(mut command: Command) -> Result<(Vec<Line>, String)> {
    let output = command.stdin(Stdio::null()).output().context("cannot run the demonstration's program")?;
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    ensure!(output.status.success(), "the demonstration's program failed ({}):\n{said}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let read = |line: &str| serde_json::from_str(line).with_context(|| format!("the program's line {line:?}"));
    // A runtime may print lines of its own.
    let lines = text.lines().filter(|line| line.starts_with('{')).map(read).collect::<Result<_>>()?;
    Ok((lines, said))
}

impl Place {
    fn choose(arguments: &Arguments) -> Result<Self> {
        let card = if arguments.emulated { None } else { card() };
        Ok(match card {
            Some((device, name)) => {
                let names = RUNTIMES.map(OsString::from).to_vec();
                let runtimes = arguments.runtime.as_ref().map_or(names, |file| vec![file.into()]);
                Self::Card { name, device, runtimes }
            }
            None if arguments.runtime.is_some() => {
                bail!("--runtime is for a real card, and {DEFAULT_ROOT} lists no RDNA1 or RDNA2 card")
            }
            None => {
                let stack = Stack::fetch(arguments.rocm)?;
                let stack = if arguments.atomics { stack.with_hiprtc()? } else { stack };
                Self::Emulated { machine: arguments.machine.clone(), stack }
            }
        })
    }
}

/// The first RDNA1 or RDNA2 card that HIP would see: its number there, and its name.
fn card() -> Option<(usize, String)> {
    let topology = Topology::read(Path::new(DEFAULT_ROOT)).ok()?;
    let gpus = topology.visible(&Masks::from_process());
    let (device, gpu) = gpus.into_iter().enumerate().find(|(_, gpu)| gpu.target.family() != Family::Other)?;
    Some((device, format!("{} at {}", gpu.target, gpu.pci)))
}

/// The bus of the emulated card: what the environment says, else as the report has it.
fn bus() -> Result<&'static (&'static str, &'static str)> {
    let said = env::var_os(BUS).unwrap_or_else(|| "basic".into());
    let known = BUSES.iter().find(|(name, _)| said == OsStr::new(name));
    known.with_context(|| format!("{BUS}={} is none of: {}", said.display(), BUSES.map(|(name, _)| name).join(", ")))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rocm {
            Some(rocm) => write!(f, "ROCm {rocm} from Debian, unmodified, on an emulated {}", self.card),
            None => write!(f, "On this machine's {}, with its own ROCm and driver", self.card),
        }
    }
}
