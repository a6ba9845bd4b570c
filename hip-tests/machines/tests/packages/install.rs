//! Installing.

use super::{OPTIONS, added_files, run_package_tool};
use rmcp_machines::{COUNT_MAPPINGS, Release, machine};
use std::path::Path;

#[test]
fn apt_installs_the_deb_and_the_commands_run() {
    for release in Release::ALL {
        let Some(machine) = machine(release) else { return };
        run_package_tool(&machine, "apt-get -qq install /mnt/packages/rmcp_*.deb");
        let version = concat!("rmcp ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(machine.bash("rmcp --version"), version, "{release:?}");
        let report: serde_json::Value = serde_json::from_str(&machine.bash("rmcp detect --json")).unwrap();
        assert_eq!(report["schema"], "rmcp.detect/1", "{release:?}");
        assert_eq!(machine.bash("rmcp-run echo it runs"), "it runs\n", "{release:?}");
    }
}

#[test]
fn installing_enables_nothing() {
    for release in Release::ALL {
        let Some(machine) = machine(release) else { return };
        run_package_tool(&machine, "dpkg --install /mnt/packages/rmcp_*.deb");
        let mut settings = added_files(&machine);
        settings.retain(|file| file.starts_with("/etc"));
        // No list, and no link by which systemd would start the unit.
        assert_eq!(settings, [Path::new(OPTIONS)], "{release:?}");
        assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        assert_eq!(machine.run("rmcp status").status.code(), Some(3), "{release:?}");
    }
}

#[test]
fn the_loader_finds_the_library_by_its_bare_name() {
    for release in Release::ALL {
        let Some(machine) = machine(release) else { return };
        let script = format!("LD_PRELOAD=librmcp.so /bin/sh -c \"{COUNT_MAPPINGS}\"");
        assert!(!machine.run(&script).stderr.is_empty(), "{release:?}: nothing is installed yet");
        run_package_tool(&machine, "dpkg --install /mnt/packages/rmcp_*.deb");
        assert_ne!(machine.bash(&script), "0\n", "{release:?}");
    }
}
