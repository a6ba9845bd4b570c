//! RMCP's packages enable nothing when installed, do what RMCP is for, go on through an upgrade, and leave nothing behind.

mod archive;
mod card;
mod install;
mod remove;
mod rpm;
mod upgrade;

use rmcp_machines::Machine;
use std::path::PathBuf;

const OPTIONS: &str = "/etc/rmcp.toml";

/// What dpkg, apt, debconf and ldconfig note of every package that is installed and removed.
const NOTES: [&str; 7] = [
    "/etc/ld.so.cache",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/cache/ldconfig",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/log",
];

/// What is on the machine beside Debian and its notes.
fn added_files(machine: &Machine) -> Vec<PathBuf> {
    let mut files = machine.changed_files();
    files.retain(|file| !NOTES.iter().any(|note| file.starts_with(note)));
    files
}

/// Runs a script that may say whatever it wants, and must end well.
fn run_package_tool(machine: &Machine, script: &str) {
    let output = machine.run(&format!("set -e; export DEBIAN_FRONTEND=noninteractive; {script}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{script}: {}\n{}", output.status, String::from_utf8_lossy(&said));
}
