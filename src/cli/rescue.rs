//! `rmcp-rescue`: takes RMCP out of /etc/ld.so.preload where no other program starts any more.
//!
//! It is linked statically, so no loader reads the list for it. It also works as the first process of a boot
//! (init=/usr/lib/rmcp/rmcp-rescue), which docs/recovery.md explains.

use crate::system::{Disabled, LIST, System, confirm, tree};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

/// Takes RMCP out of /etc/ld.so.preload, also where no other program starts any more.
#[derive(Parser)]
#[command(name = "rmcp-rescue", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Takes RMCP out of the list.
    Disable {
        /// The whole machine, as with `rmcp disable`; there is nothing else to disable.
        #[arg(long)]
        system: bool,
        /// Removes the libraries too, although processes have them mapped; those keep their mapping.
        #[arg(long)]
        purge: bool,
    },
    /// Takes RMCP out of the list unless it was confirmed. For the timers of `rmcp enable`.
    Rollback {
        /// Waits so many seconds before.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Only if this is still what waits to be confirmed.
        #[arg(long)]
        id: Option<String>,
    },
}

/// The command.
pub fn main() -> ExitCode {
    let result = if process::id() == 1 { boot() } else { run(Arguments::parse().command) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "rmcp-rescue: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let system = System::here();
    match command {
        Command::Disable { system: _, purge } => {
            let said = disable(&system, purge)?;
            // A closed terminal is no reason to fail.
            let _ = writeln!(io::stdout(), "{said}");
        }
        Command::Rollback { after, id } => {
            thread::sleep(Duration::from_secs(after));
            confirm::roll_back(&system, id.as_deref(), &system.lock()?)?;
            tree::clean(&system, false)?;
        }
    }
    Ok(())
}

fn disable(system: &System, purge: bool) -> Result<&'static str> {
    let lock = system.lock()?;
    let disabled = system.disable(&lock)?;
    confirm::settle(system)?;
    tree::clean(system, purge)?;
    Ok(match disabled {
        Disabled::Removed => "RMCP is out of the list.",
        Disabled::WasNot => "RMCP was not in the list.",
    })
}

/// As the first process: the root file system is still read-only, and nobody else will restart the machine.
fn boot() -> Result<()> {
    let remount = MsFlags::MS_REMOUNT;
    // Where it is writable already this changes nothing; where it fails, disable says why.
    let _ = mount(None::<&str>, "/", None::<&str>, remount, None::<&str>);
    let result = disable(&System::here(), false);
    let mut out = io::stdout();
    let _ = match &result {
        Ok(said) => writeln!(out, "rmcp-rescue: {said} Restarting in 10 seconds."),
        Err(error) => writeln!(out, "rmcp-rescue: {error:#}. {LIST} is as it was. Restarting in 30 seconds."),
    };
    nix::unistd::sync();
    thread::sleep(Duration::from_secs(if result.is_ok() { 10 } else { 30 }));
    reboot(RebootMode::RB_AUTOBOOT).context("cannot restart; switch the machine off and on")?;
    Ok(())
}
