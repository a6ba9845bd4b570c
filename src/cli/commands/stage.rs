//! Where the programs of `rmcp demo` and `rmcp selftest` run: on this machine's card, or on an emulated one with Debian's
//! ROCm.

use crate::preload;
use anyhow::{Context, Error, Result, bail, ensure};
use rmcp_domain::gfx::Family;
use rmcp_domain::options::SYSTEM_FENCES;
use rmcp_domain::topology::{DEFAULT_ROOT, Masks, Topology};
use rmcp_machine::{CARDS, Emulation};
use rmcp_stacks::{Release, Stack};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The options that choose the stage.
#[derive(clap::Args)]
pub struct Choice {
    /// Uses the emulated card even where there is a real one.
    #[arg(long)]
    emulated: bool,

    #[arg(long, value_name = "NAME", default_value = CARDS[0].name, help = machine_help())]
    machine: String,

    /// The ROCm release that runs on the emulated card.
    #[arg(long, value_name = "RELEASE", default_value = "6.4.3")]
    rocm: Release,

    /// The libamdhip64.so to use on a real card, where the loader does not find the right one.
    #[arg(long, value_name = "FILE", conflicts_with = "emulated")]
    runtime: Option<PathBuf>,
}

fn machine_help() -> String {
    format!("The emulated card: {}, or the path of a description", CARDS.map(|card| card.name).join(", "))
}

/// The names under which the loader may know the runtime, newest first.
const RUNTIMES: [&str; 5] =
    ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so", "/opt/rocm/lib/libamdhip64.so"];

/// What programs run on.
pub struct Stage {
    gate: PathBuf,
    place: Place,
}

enum Place {
    Card { name: String, device: usize, runtimes: Vec<OsString> },
    Emulated { emulation: Emulation, stack: Stack },
}

/// Where a result comes from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Source {
    /// Whether card and kernel driver are emulated.
    pub emulated: bool,
    /// The card: the name of its emulation, or gfx target and PCI address of a real one.
    pub card: String,
    /// The ROCm release, from Debian and unmodified; null where it is the machine's own.
    pub rocm: Option<String>,
    /// How the bus is emulated, as RMCP_KFD_BUS takes it; null where it is real or takes no part.
    pub bus: Option<String>,
}

/// How a program is started.
#[derive(Clone, Copy)]
pub enum Interposition {
    /// Without RMCP.
    Without,
    /// With RMCP preloaded.
    With,
    /// The same with these options.
    Options(&'static [(&'static str, &'static str)]),
}

impl Stage {
    /// The card that there is, or an emulated one.
    pub fn choose(choice: &Choice) -> Result<Self> {
        let gate = preload::find_gate()?;
        Ok(Self { place: Place::choose(choice, &gate)?, gate })
    }

    /// With the compiler of kernels, which an emulated card's stack has only on request.
    pub fn with_hiprtc(mut self) -> Result<Self> {
        if let Place::Emulated { emulation, stack } = self.place {
            self.place = Place::Emulated { emulation, stack: stack.with_hiprtc()? };
        }
        Ok(self)
    }

    /// What results come from.
    pub fn source(&self) -> Source {
        match &self.place {
            Place::Card { name, .. } => Source { emulated: false, card: name.clone(), rocm: None, bus: None },
            Place::Emulated { emulation, stack } => Source {
                emulated: true,
                card: emulation.machine().into(),
                rocm: Some(stack.release().to_string()),
                bus: None,
            },
        }
    }

    /// A file that is installed beside librmcp.so.
    fn beside(&self, name: &str) -> Result<PathBuf> {
        let file = self.gate.with_file_name(name);
        ensure!(file.is_file(), "{} is missing; build RMCP with `cargo xtask build`", file.display());
        Ok(file)
    }

    /// The command that starts a program which is installed beside librmcp.so, with `first` as its first arguments and the
    /// device and its runtimes as the others.
    pub fn command(
        &self,
        program: &str,
        first: &[&str],
        interposition: Interposition,
        observed: bool,
    ) -> Result<Command> {
        let program = self.beside(program)?;
        match &self.place {
            Place::Card { device, runtimes, .. } => {
                let mut command = Command::new(program);
                command.args(first).arg(device.to_string()).args(runtimes);
                let preload = self.prepare(&mut command, preload::inherited_ld_preload(), interposition);
                command.env("LD_PRELOAD", &preload);
                if observed {
                    Emulation::observer(emulator(&self.gate)).map_err(Error::msg)?.apply(&mut command, &preload);
                }
                Ok(command)
            }
            Place::Emulated { emulation, stack } => {
                let mut command = stack.command(program)?;
                command.args(first).arg("0").arg(stack.find_library("libamdhip64")?);
                let preload = self.prepare(&mut command, OsString::new(), interposition);
                emulation.apply(&mut command, &preload);
                Ok(command)
            }
        }
    }

    /// The command that starts a program of this machine, which finds its card and its runtime by itself.
    pub fn own_command(&self, program: &Path, interposition: Interposition) -> Command {
        let mut command = Command::new(absolute(program));
        let preload = self.prepare(&mut command, preload::inherited_ld_preload(), interposition);
        command.env("LD_PRELOAD", preload);
        command
    }

    /// Gives a command folder and environment; returns `preload` with RMCP's library, where it takes part.
    fn prepare(&self, command: &mut Command, mut preload: OsString, interposition: Interposition) -> OsString {
        // Empty and relative entries of PATH and LD_LIBRARY_PATH must lead to nothing of whoever owns the current folder.
        command.current_dir("/");
        // What is set for other programs must not show here.
        let ours = |name: &OsStr| {
            let name = name.as_encoded_bytes();
            name.starts_with(b"RMCP_") && !name.starts_with(b"RMCP_KFD_")
        };
        for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.env("RMCP_CONFIG", "");
        if let Interposition::Without = interposition {
            // It may be preloaded into every process of the machine.
            command.env("RMCP_DISABLE", "1");
        } else {
            preload = preload::ld_preload_with_gate(&self.gate, Some(&preload));
        }
        if let Interposition::Options(options) = interposition {
            command.env(SYSTEM_FENCES.0, SYSTEM_FENCES.1);
            command.envs(options.iter().map(|(name, value)| (format!("RMCP_{}", name.to_uppercase()), value)));
        }
        preload
    }
}

/// Runs such a program to its end: the lines of JSON that it printed, and its complaints.
pub fn run<Line: DeserializeOwned>(mut command: Command) -> Result<(Vec<Line>, String)> {
    lines(&command.stdin(Stdio::null()).output().context("cannot run RMCP's program")?)
}

/// What such a program printed, and its complaints.
pub fn lines<Line: DeserializeOwned>(output: &Output) -> Result<(Vec<Line>, String)> {
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    ensure!(output.status.success(), "the program failed ({}):\n{stderr}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let read = |line: &str| serde_json::from_str(line).with_context(|| format!("the program's line {line:?}"));
    // A runtime may print lines of its own.
    let lines = text.lines().filter(|line| line.starts_with('{')).map(read).collect::<Result<_>>()?;
    Ok((lines, stderr))
}

impl Place {
    fn choose(choice: &Choice, gate: &Path) -> Result<Self> {
        let card = if choice.emulated { None } else { card() };
        Ok(match card {
            Some((device, name)) => {
                // The loader would wait for a FIFO.
                if let Some(file) = choice.runtime.as_ref().filter(|file| file.components().count() > 1) {
                    ensure!(file.is_file(), "{} is no file", file.display());
                }
                let names = RUNTIMES.map(OsString::from).to_vec();
                let runtimes = choice.runtime.as_ref().map_or(names, |file| vec![absolute(file).into()]);
                Self::Card { name, device, runtimes }
            }
            None if choice.runtime.is_some() => {
                bail!("--runtime is for a real card, and {DEFAULT_ROOT} lists no RDNA1 or RDNA2 card")
            }
            None => {
                let emulation = Emulation::new(emulator(gate), &choice.machine).map_err(Error::msg)?;
                Self::Emulated { emulation, stack: Stack::fetch(choice.rocm)? }
            }
        })
    }
}

/// The emulator, which is installed beside librmcp.so.
fn emulator(gate: &Path) -> PathBuf {
    gate.with_file_name(rmcp_machine::LIBRARY)
}

/// A path that leads to the same file from any folder; a name without a slash is looked up elsewhere.
fn absolute(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => path::absolute(path).unwrap_or_else(|_| path.into()),
        _ => path.into(),
    }
}

/// The first RDNA1 or RDNA2 card that HIP would see: its number there, and its name.
fn card() -> Option<(usize, String)> {
    let topology = Topology::read(Path::new(DEFAULT_ROOT)).ok()?;
    let gpus = topology.visible(&Masks::from_process());
    let (device, gpu) = gpus.into_iter().enumerate().find(|(_, gpu)| gpu.target.family() != Family::Other)?;
    // By hand it is put before every program of a shell: what they say is still true of no card.
    let emulated = if preload::emulator_in_environment() { " (emulated by the preloaded librmcp_kfd.so)" } else { "" };
    Some((device, format!("{} at {}{emulated}", gpu.target, gpu.pci)))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rocm {
            Some(rocm) => write!(f, "ROCm {rocm} from Debian, unmodified, on an emulated {}", self.card),
            None => write!(f, "On this machine's {}, with its own ROCm and driver", self.card),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_start_where_no_user_can_put_libraries_or_programs() {
        let place = Place::Card { name: String::new(), device: 0, runtimes: Vec::new() };
        let stage = Stage { gate: "/r/librmcp.so".into(), place };
        let here = env::current_dir().unwrap();
        for (program, started) in [
            ("python3", PathBuf::from("python3")),
            ("venv/bin/python", here.join("venv/bin/python")),
            ("./python3", here.join("python3")),
            ("/usr/bin/python3", PathBuf::from("/usr/bin/python3")),
        ] {
            let command = stage.own_command(Path::new(program), Interposition::Without);
            assert_eq!(
                (Path::new(command.get_program()), command.get_current_dir()),
                (&*started, Some(Path::new("/")))
            );
        }
    }
}
