//! `rmcp explain`.

use anyhow::{Result, bail};

/// Tells what a call would become on each card, and why.
#[derive(clap::Args)]
pub struct Arguments {}

/// The subcommand.
pub fn main(_: &Arguments) -> Result<()> {
    bail!("rmcp explain is not written yet")
}
