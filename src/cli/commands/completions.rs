//! `rmcp completions`: what a shell completes after `rmcp` and `rmcp-run`.

use crate::output;
use anyhow::Result;
use clap::ValueEnum;
use clap_complete::Shell;
use std::io::Write;

/// Prints the completions of a shell.
///
/// `cargo xtask build` puts them where the shells look, below share/. By hand, for bash: rmcp completions bash >
/// ~/.local/share/bash-completion/completions/rmcp
#[derive(clap::Args)]
pub struct Arguments {
    /// The shell.
    shell: Shell,

    /// The command to complete.
    #[arg(value_enum, default_value_t = CompletedCommand::Rmcp)]
    command: CompletedCommand,
}

/// A command that can be completed.
#[derive(Clone, Copy, ValueEnum)]
enum CompletedCommand {
    Rmcp,
    RmcpRun,
}

/// The subcommand; `rmcp` and `rmcp_run` are the command lines of the two commands.
pub fn main(arguments: &Arguments, rmcp: clap::Command, rmcp_run: clap::Command) -> Result<()> {
    let command = match arguments.command {
        CompletedCommand::Rmcp => rmcp,
        CompletedCommand::RmcpRun => rmcp_run,
    };
    Ok(output::stdout().write_all(&script(command, arguments.shell))?)
}

/// The script for a shell.
pub fn script(mut command: clap::Command, shell: Shell) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}
