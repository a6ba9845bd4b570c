//! `rmcp detect`.

use anyhow::{Result, bail};

/// Shows the machine: cards, ROCm installations, permissions, and what RMCP would do.
#[derive(clap::Args)]
pub struct Arguments {}

/// The subcommand.
pub fn main(_: &Arguments) -> Result<()> {
    bail!("rmcp detect is not written yet")
}
