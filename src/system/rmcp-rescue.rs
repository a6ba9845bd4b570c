//! `rmcp-rescue`: takes RMCP out of /etc/ld.so.preload where no other program starts any more.
//!
//! It is linked statically, so no loader reads the list for it, and small. It also works as the first process of a boot
//! (init=/usr/lib/rmcp/rmcp-rescue), which docs/guide/recovery.md explains.

use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use rmcp_system::rescue::USAGE;
use rmcp_system::{Disabled, LIST, System, SystemError, confirm, tree};
use std::env;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

/// The exit status for a wrong command line, as of the other commands.
const USAGE_STATUS: u8 = 2;

/// What is to be done.
enum Subcommand {
    Disable { purge: bool },
    Rollback { after: Duration, id: Option<String> },
    Help,
}

fn main() -> ExitCode {
    let result = match order(env::args().skip(1)) {
        Some(order) => run(order),
        // A kernel gives the first process the words of its command line that it does not know itself.
        None if process::id() == 1 => boot(),
        None => {
            let _ = write!(io::stderr(), "{USAGE}");
            return ExitCode::from(USAGE_STATUS);
        }
    };
    // Nothing is left to tell where the output is closed.
    match result {
        Ok(message) => {
            let _ = writeln!(io::stdout(), "{}", message.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "rmcp-rescue: {error}");
            ExitCode::FAILURE
        }
    }
}

/// None for a wrong command line.
fn order(mut words: impl Iterator<Item = String>) -> Option<Subcommand> {
    let mut order = match words.next()?.as_str() {
        "disable" => Subcommand::Disable { purge: false },
        "rollback" => Subcommand::Rollback { after: Duration::ZERO, id: None },
        "--help" | "-h" | "help" => return Some(Subcommand::Help),
        _ => return None,
    };
    while let Some(word) = words.next() {
        match (word.as_str(), &mut order) {
            ("--system", Subcommand::Disable { .. }) => {}
            ("--purge", Subcommand::Disable { purge }) => *purge = true,
            ("--after", Subcommand::Rollback { after, .. }) => {
                *after = Duration::from_secs(words.next()?.parse().ok()?)
            }
            ("--id", Subcommand::Rollback { id, .. }) => *id = Some(words.next()?),
            _ => return None,
        }
    }
    Some(order)
}

fn run(order: Subcommand) -> Result<&'static str, SystemError> {
    let system = System::host();
    match order {
        Subcommand::Help => Ok(USAGE),
        Subcommand::Disable { purge } => disable(&system, purge),
        Subcommand::Rollback { after, id } => {
            thread::sleep(after);
            let taken_back = confirm::roll_back(&system, id.as_deref(), &system.lock_when_free()?)?;
            tree::clean(&system, false)?;
            Ok(if taken_back { "RMCP was not confirmed and is out of the list." } else { "Nothing to take back." })
        }
    }
}

fn disable(system: &System, purge: bool) -> Result<&'static str, SystemError> {
    let lock = system.lock()?;
    let disabled = system.disable(&lock)?;
    confirm::clear(system)?;
    tree::clean(system, purge)?;
    Ok(match disabled {
        Disabled::Removed => "RMCP is out of the list.",
        Disabled::NotListed => "RMCP was not in the list.",
    })
}

/// As the first process: the root file system is still read-only, and nobody else will restart the machine.
fn boot() -> Result<&'static str, SystemError> {
    // Where it is writable already this changes nothing; where it fails, disable says why.
    let _ = mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REMOUNT, None::<&str>);
    let result = disable(&System::host(), false);
    let mut out = io::stdout();
    let (message, pause) = match &result {
        Ok(message) => ((*message).to_owned(), 10),
        Err(error) => (format!("{error}. {LIST} is as it was."), 30),
    };
    let _ = writeln!(out, "rmcp-rescue: {message} Restarting in {pause} seconds.");
    nix::unistd::sync();
    thread::sleep(Duration::from_secs(pause));
    // Where the kernel refuses, this process must go on: the end of the first one stops the machine.
    while reboot(RebootMode::RB_AUTOBOOT).is_err() {
        thread::sleep(Duration::from_secs(1));
    }
    result
}
