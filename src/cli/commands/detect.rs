//! `rmcp detect`: the machine as a GPU program finds it.

mod environment;
mod facts;
mod past;
mod preload_state;
mod problems;
mod survey;
mod text;

use crate::installs;
use crate::output::OutputArguments;
use anyhow::Result;
pub use environment::is_gpu_variable;
pub use facts::MachineReport;
use std::path::PathBuf;
use std::sync::Arc;
pub use survey::Survey;

/// Shows the machine: cards, ROCm installations, permissions, and what RMCP would do.
///
/// Asks the kernel's files alone, no GPU and no runtime. With --json it is complete enough for an issue report; that
/// holds the user's name and paths, so read it before you post it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the machine's files begin. For tests, and for a disk mounted elsewhere.
    #[arg(long, value_name = "FOLDER", default_value = "/", hide = true)]
    root: PathBuf,

    #[command(flatten)]
    output: OutputArguments,
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    let machine = installs::Machine { root: arguments.root.clone(), ..installs::Machine::local() };
    arguments.output.print(&MachineReport::new(&Arc::new(Survey::read(machine))))
}
