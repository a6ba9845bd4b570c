//! `rmcp config`.

use anyhow::{Result, bail};

/// Shows, checks or writes the configuration.
#[derive(clap::Args)]
pub struct Arguments {}

/// The subcommand.
pub fn main(_: &Arguments) -> Result<()> {
    bail!("rmcp config is not written yet")
}
