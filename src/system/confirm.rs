//! The way back when nobody confirms.
//!
//! `rmcp enable --system --confirm-within TIME` leaves a mark on the disk and a timer. When the time is up, or at the
//! next boot, the mark is still there unless somebody confirmed, and rmcp-rescue takes RMCP out of the list. rmcp-rescue
//! is static: it reads no list.

use super::{FILE, Lock, System, SystemError, create_folder, io_error, sync_folder, write_synced};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// While it exists, the list is on trial.
pub const PENDING_FILE: &str = "/var/lib/rmcp/unconfirmed";

/// The service that takes an unconfirmed RMCP back at boot, as the packages install it.
const UNIT: &str = "/usr/lib/systemd/system/rmcp-rollback.service";
/// What makes systemd start it before anything else. (systemd.unit(5))
const BOOT_LINK: &str = "/etc/systemd/system/sysinit.target.wants/rmcp-rollback.service";

/// Which waiting a mark stands for, so that a late timer of an earlier one does nothing.
pub type Id = String;

/// How the time is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// By a timer of systemd.
    Systemd,
    /// By a process of its own.
    Process,
}

/// Leaves the mark and starts the timer: `rescue` runs when `within` is over.
pub fn require(system: &System, rescue: &Path, within: Duration) -> Result<Watch, SystemError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let id: Id = format!("{}", now.as_nanos());
    let mark = system.path(PENDING_FILE);
    // Anybody may ask whether it is on trial.
    create_folder(mark.parent().unwrap_or(Path::new("/")), Some(&system.path("/var/lib")))?;
    write_synced(&mark, id.as_bytes(), FILE)?;
    sync_folder(&mark)?;
    if system.path(UNIT).exists() {
        let boot_link = system.path(BOOT_LINK);
        let folder = boot_link.parent().unwrap_or(Path::new("/"));
        create_folder(folder, None)?;
        match std::os::unix::fs::symlink(UNIT, &boot_link) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(io_error("create", &boot_link)(error));
            }
            _ => {}
        }
    }
    let seconds = within.as_secs().to_string();
    // systemd.unit(5): this folder exists exactly where systemd runs the machine.
    if system.path("/run/systemd/system").is_dir() && timer(rescue, &seconds, &id) {
        return Ok(Watch::Systemd);
    }
    let mut watchdog = Command::new(rescue);
    watchdog.args(["rollback", "--after", &seconds, "--id", &id]).current_dir("/").process_group(0);
    watchdog.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    watchdog.spawn().map_err(io_error("run", rescue))?;
    Ok(Watch::Process)
}

/// Whether systemd took the timer.
fn timer(rescue: &Path, seconds: &str, id: &str) -> bool {
    let mut command = Command::new("systemd-run");
    command.args(["--quiet", "--collect", "--timer-property=AccuracySec=1s"]);
    command.arg(format!("--unit=rmcp-rollback-{id}")).arg(format!("--on-active={seconds}"));
    command.arg(rescue).args(["rollback", "--id", id]);
    // An empty or relative entry of PATH must not lead to the current folder.
    let output = command.current_dir("/").stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success())
}

/// Whether the next boot takes back what is not confirmed by then: where the unit of the packages is installed.
pub fn at_boot(system: &System) -> bool {
    system.path(BOOT_LINK).is_symlink()
}

/// The waiting for a confirmation that is going on.
pub fn pending(system: &System) -> Option<Id> {
    fs::read_to_string(system.path(PENDING_FILE)).ok()
}

/// Takes RMCP out of the list, if it was not confirmed; with an id only if that waiting is still going on.
pub fn roll_back(system: &System, id: Option<&str>, lock: &Lock) -> Result<bool, SystemError> {
    match pending(system) {
        Some(pending) if id.is_none_or(|id| id == pending) => {
            system.disable(lock)?;
            clear(system)
        }
        _ => Ok(false),
    }
}

/// Ends the waiting, for good or for ill. False: nothing was waiting.
pub fn clear(system: &System) -> Result<bool, SystemError> {
    let mark = system.path(PENDING_FILE);
    let waiting = remove(&mark)?;
    let boot_link = system.path(BOOT_LINK);
    remove(&boot_link)?;
    if waiting {
        sync_folder(&mark)?;
    }
    // Fails, as it should, while there is something in it.
    for made in [&mark, &boot_link] {
        let _ = fs::remove_dir(made.parent().unwrap_or(made));
    }
    Ok(waiting)
}

fn remove(path: &Path) -> Result<bool, SystemError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("remove", path)(error)),
    }
}
