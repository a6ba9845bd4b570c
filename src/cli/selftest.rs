//! `rmcp selftest`.

use anyhow::{Result, bail};

/// Tries what RMCP promises on this machine's card, and makes a report to paste.
#[derive(clap::Args)]
pub struct Arguments {}

/// The subcommand.
pub fn main(_: &Arguments) -> Result<()> {
    bail!("rmcp selftest is not written yet")
}
