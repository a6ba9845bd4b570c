//! `rmcp trace`.

use anyhow::{Result, bail};

/// Runs a program and reports what it allocated.
#[derive(clap::Args)]
pub struct Arguments {}

/// The subcommand.
pub fn main(_: &Arguments) -> Result<()> {
    bail!("rmcp trace is not written yet")
}
