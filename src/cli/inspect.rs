//! `rmcp inspect`.

use anyhow::{Result, bail};

/// Lists the gfx targets that files have code for, and whether this machine's cards are among them.
#[derive(clap::Args)]
pub struct Arguments {}

/// The subcommand.
pub fn main(_: &Arguments) -> Result<()> {
    bail!("rmcp inspect is not written yet")
}
