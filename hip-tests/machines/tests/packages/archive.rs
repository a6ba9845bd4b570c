//! The archive with its install script.

use super::added_files;
use rmcp_machines::{COUNT_MAPPINGS, LIST, Release, machine};
use std::path::PathBuf;

const UNPACK: &str = "tar --extract --gzip --file /mnt/packages/rmcp-*.tar.gz --directory /tmp && cd /tmp/rmcp-*";

#[test]
fn a_user_installs_below_home_without_root_and_removes_all_of_it() {
    const AS_USER: &str = "setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/home/user bash -ec";
    for release in Release::ALL {
        let Some(machine) = machine(release) else { return };
        machine.bash("mkdir -p /home/user/.local && chown -R 1000:1000 /home/user");
        let said = machine.bash(&format!(
            "{AS_USER} '{UNPACK}
                 ./install.sh --user > /dev/null
                 ~/.local/bin/rmcp --version
                 ~/.local/bin/rmcp-run bash -c \"{COUNT_MAPPINGS}\"
                 ./install.sh --user --uninstall
                 find ~'"
        ));
        let (version, rest) = said.split_once('\n').unwrap();
        assert_eq!(version, concat!("rmcp ", env!("CARGO_PKG_VERSION")), "{release:?}");
        let (mapped, left) = rest.split_once('\n').unwrap();
        assert_ne!(mapped, "0", "{release:?}");
        assert_eq!(left, "/home/user\n/home/user/.local\n", "{release:?}");
    }
}

#[test]
fn root_installs_below_usr_local_enables_and_removes_all_of_it() {
    for release in Release::ALL {
        let Some(machine) = machine(release) else { return };
        machine.bash(&format!("{UNPACK} && ./install.sh > /dev/null"));
        assert_eq!(machine.changed_file(LIST), None, "{release:?}");
        assert_ne!(machine.bash(&format!("LD_PRELOAD=librmcp.so bash -c \"{COUNT_MAPPINGS}\"")), "0\n", "{release:?}");
        machine.bash("rmcp enable --system");
        assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        machine.bash(&format!("{UNPACK} && ./install.sh --uninstall"));
        assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        assert_eq!(added_files(&machine), Vec::<PathBuf>::new(), "{release:?}");
    }
}
