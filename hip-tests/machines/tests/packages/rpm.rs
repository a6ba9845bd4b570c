//! The .rpm, by Debian's rpm: its files and its scripts. What else an RPM-based system has takes no part.

use super::{added_files, run_package_tool};
use rmcp_machines::{COUNT_MAPPINGS, LIST, Machine, Release, machine};
use std::path::PathBuf;

/// Debian's rpm has no packages to satisfy dependencies from, and wants to be told that this is meant.
const RPM: &str = "rpm --force-debian --dbpath /var/lib/rpm --nodeps";

fn installed() -> Option<Machine> {
    let machine = machine(Release::Bookworm)?;
    run_package_tool(&machine, &format!("{RPM} --install /mnt/packages/rmcp-*.rpm"));
    Some(machine)
}

#[test]
fn installing_enables_nothing_and_the_commands_run() {
    let Some(machine) = installed() else { return };
    assert_eq!(machine.bash("rmcp --version"), concat!("rmcp ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(machine.changed_file(LIST), None);
    assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n");
    assert_ne!(machine.bash(&format!("LD_PRELOAD=librmcp.so /bin/sh -c \"{COUNT_MAPPINGS}\"")), "0\n");
}

#[test]
fn an_upgrade_stays_enabled_and_an_erasure_disables_and_leaves_nothing() {
    let Some(machine) = installed() else { return };
    machine.bash("rmcp enable --system");
    run_package_tool(&machine, &format!("{RPM} --upgrade --replacepkgs /mnt/packages/rmcp-*.rpm"));
    assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n");
    run_package_tool(&machine, &format!("{RPM} --erase rmcp"));
    assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n");
    let mut left = added_files(&machine);
    left.retain(|file| !file.starts_with("/var/lib/rpm"));
    assert_eq!(left, Vec::<PathBuf>::new());
}
