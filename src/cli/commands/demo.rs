//! `rmcp demo`: what RMCP changes, shown on the machine's card or on an emulated one.

mod atomics;
mod flags;

use super::stage::{Choice, Stage};
use crate::output::OutputArguments;
use anyhow::{Context, Result};
pub use atomics::Atomics;
pub use flags::Flags;
use std::env;
use std::ffi::OsStr;

/// Shows what each allocation call asks of the kernel, without and with RMCP.
///
/// On a machine with an RDNA1 or RDNA2 card its own runtime and driver are used. Elsewhere the unmodified ROCm user
/// mode from Debian's packages runs on an emulated card.
#[derive(clap::Args)]
pub struct Arguments {
    /// Shows instead which atomic operations act on which kind of memory, as in ROCm/clr#285.
    #[arg(long)]
    atomics: bool,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    output: OutputArguments,
}

/// What the emulator is told of the bus: its values, and the atomic operations that act on uncached memory with each.
const BUS: &str = "RMCP_KFD_BUS";
const BUSES: [(&str, &str); 3] = [("none", "none"), ("basic", "add, exchange and compare-and-swap"), ("all", "all")];

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    let stage = Stage::choose(&arguments.choice)?;
    if arguments.atomics {
        arguments.output.print(&Atomics::try_operations(&stage.with_hiprtc()?)?)
    } else {
        arguments.output.print(&Flags::observe_calls(&stage)?)
    }
}

/// The bus of the emulated card: what the environment says, else as the report has it.
fn bus() -> Result<&'static (&'static str, &'static str)> {
    let bus = env::var_os(BUS).unwrap_or_else(|| "basic".into());
    let found = BUSES.iter().find(|(name, _)| bus == OsStr::new(name));
    found.with_context(|| format!("{BUS}={} is none of: {}", bus.display(), BUSES.map(|(name, _)| name).join(", ")))
}
