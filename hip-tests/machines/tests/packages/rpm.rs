//! The .rpm, by Debian's rpm: its files and its scripts. What else an RPM-based system has takes no part.

use super::{IS_IN, LIST, added, does};
use rmcp_machines::{Machine, Release, machine};
use std::path::PathBuf;

/// Debian's rpm has no packages to satisfy dependencies from, and wants to be told that this is meant.
const RPM: &str = "rpm --force-debian --dbpath /var/lib/rpm --nodeps";

fn installed() -> Option<Machine> {
    let machine = machine(Release::Bookworm)?;
    does(&machine, &format!("{RPM} --install /mnt/packages/rmcp-*.rpm"));
    Some(machine)
}

#[test]
fn installing_enables_nothing_and_the_commands_run() {
    let Some(machine) = installed() else { return };
    assert_eq!(machine.says("rmcp --version"), concat!("rmcp ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(machine.changed_file(LIST), None);
    assert_eq!(machine.says(IS_IN), "0\n");
    assert_ne!(machine.says(&format!("LD_PRELOAD=librmcp.so /bin/sh -c \"{IS_IN}\"")), "0\n");
}

#[test]
fn an_upgrade_stays_enabled_and_an_erasure_disables_and_leaves_nothing() {
    let Some(machine) = installed() else { return };
    machine.says("rmcp enable --system");
    does(&machine, &format!("{RPM} --upgrade --replacepkgs /mnt/packages/rmcp-*.rpm"));
    assert_ne!(machine.says(IS_IN), "0\n");
    does(&machine, &format!("{RPM} --erase rmcp"));
    assert_eq!(machine.says(IS_IN), "0\n");
    let mut left = added(&machine);
    left.retain(|file| !file.starts_with("/var/lib/rpm"));
    assert_eq!(left, Vec::<PathBuf>::new());
}
