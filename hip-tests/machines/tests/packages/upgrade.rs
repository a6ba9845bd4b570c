//! From one version to the next.

use super::{OPTIONS, run_package_tool};
use rmcp_machines::{ABORTING, COUNT_MAPPINGS, LIST, Machine, Release, compile_library, installed};

/// Makes /root/next.deb: the same package with a higher version, after a change to its files.
fn make_next(machine: &Machine, change: &str) {
    machine.bash(&format!(
        "dpkg-deb --raw-extract /mnt/packages/rmcp_*.deb /tmp/next && cd /tmp/next
         sed -i 's/^Version: .*/Version: 99-1/' DEBIAN/control
         {change}
         dpkg-deb --build -Znone /tmp/next /root/next.deb > /dev/null"
    ));
}

/// A change that the loader does not notice, and RMCP does.
const OTHER_CORE: &str = "echo >> usr/lib/rmcp/librmcp_core.so";

#[test]
fn programs_run_at_every_moment_of_an_upgrade_and_have_the_new_version_after_it() {
    for release in Release::ALL {
        let Some(machine) = installed(release) else { return };
        make_next(&machine, OTHER_CORE);
        machine.bash("rmcp enable --system");
        let before = machine.changed_file(LIST).unwrap();
        let trouble = machine.bash(
            "while ! [ -e /tmp/done ]; do /bin/true || echo it failed; done 2>&1 | sort -u &
             dpkg --install /root/next.deb > /tmp/dpkg 2>&1 || cat /tmp/dpkg
             touch /tmp/done
             wait",
        );
        assert_eq!(trouble, "", "{release:?}");
        let after = machine.changed_file(LIST).unwrap();
        assert_ne!(after, before, "{release:?}");
        let core = after.trim().replace("$LIB/librmcp.so", "lib/x86_64-linux-gnu/librmcp_core.so");
        machine.bash(&format!("cmp /usr/lib/rmcp/librmcp_core.so {core}"));
        assert_eq!(machine.run("rmcp status").status.code(), Some(0), "{release:?}");
    }
}

#[test]
fn an_upgrade_enables_nothing() {
    let Some(machine) = installed(Release::Bookworm) else { return };
    make_next(&machine, OTHER_CORE);
    run_package_tool(&machine, "dpkg --install /root/next.deb");
    assert_eq!(machine.changed_file(LIST), None);
    assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n");
}

#[test]
fn a_next_version_that_breaks_programs_leaves_the_one_before_in_force() {
    let Some(machine) = installed(Release::Bookworm) else { return };
    make_next(&machine, &compile_library(ABORTING, "usr/lib/rmcp/librmcp.so"));
    machine.bash("rmcp enable --system");
    let before = machine.changed_file(LIST);
    let output = machine.run("dpkg --install /root/next.deb");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("the list was left alone"), "{said}");
    assert_eq!(machine.changed_file(LIST), before);
    assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n");
}

#[test]
fn changed_options_survive_an_upgrade() {
    let Some(machine) = installed(Release::Bookworm) else { return };
    make_next(&machine, OTHER_CORE);
    machine.bash("echo '# an administrator wrote this' >> /etc/rmcp.toml");
    let options = machine.changed_file(OPTIONS);
    run_package_tool(&machine, "dpkg --install /root/next.deb");
    assert_eq!(machine.changed_file(OPTIONS), options);
}
