//! Removing.

use super::{OPTIONS, added_files, run_package_tool};
use rmcp_machines::{COUNT_MAPPINGS, LIST, Machine, Release, compile_library, installed};
use std::path::{Path, PathBuf};

/// A machine with RMCP in every process.
fn enabled(release: Release) -> Option<Machine> {
    let machine = installed(release)?;
    machine.bash("rmcp enable --system");
    Some(machine)
}

/// Removes the package, and asserts that nothing is left but the options, and nothing at all after a purge.
fn assert_removed(machine: &Machine, what: &str) {
    run_package_tool(machine, "apt-get -qq remove rmcp");
    assert_gone(machine, what);
}

/// Asserts that nothing is left but the options, and nothing at all after a purge.
fn assert_gone(machine: &Machine, what: &str) {
    assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n", "{what}");
    assert_eq!(added_files(machine), [Path::new(OPTIONS)], "{what}");
    run_package_tool(machine, "apt-get -qq purge rmcp");
    assert_eq!(added_files(machine), Vec::<PathBuf>::new(), "{what}");
}

#[test]
fn removal_disables_and_leaves_only_the_options_and_a_purge_nothing() {
    for release in Release::ALL {
        let Some(machine) = enabled(release) else { return };
        assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        assert_removed(&machine, &format!("{release:?}"));
    }
}

#[test]
fn the_list_is_changed_before_the_first_file_goes() {
    let Some(machine) = enabled(Release::Bookworm) else { return };
    let trace = machine.bash(
        "strace -f -o /tmp/trace -e trace=rename,unlink,unlinkat,rmdir dpkg --remove rmcp > /dev/null 2>&1
         grep -v ENOENT /tmp/trace",
    );
    let first = |path: &str| trace.lines().position(|line| line.contains(path)).unwrap_or_else(|| panic!("{trace}"));
    let list = first("\"/etc/ld.so.preload\"");
    assert!(list < first("\"/usr/lib/rmcp/librmcp"), "{trace}");
    assert!(list < first("\"librmcp"), "{trace}");
}

#[test]
fn a_process_that_has_the_library_goes_on_after_the_removal() {
    let Some(machine) = enabled(Release::Bookworm) else { return };
    let said = machine.bash(
        "tail -f /dev/null &
         apt-get -qq remove rmcp > /dev/null 2>&1
         grep -c '/librmcp[.]so (deleted)' /proc/$!/maps
         kill $! && echo it ran",
    );
    let (mapped, rest) = said.split_once('\n').unwrap();
    assert!(mapped != "0" && rest == "it ran\n", "{said}");
    assert_gone(&machine, "after a process that had it");
}

#[test]
fn removal_needs_no_command_but_the_rescue() {
    let Some(machine) = enabled(Release::Bookworm) else { return };
    machine.bash("echo no program > /usr/bin/rmcp");
    assert_removed(&machine, "with a broken command");
}

#[test]
fn where_nothing_starts_the_rescue_comes_first_and_removal_is_whole() {
    let Some(machine) = enabled(Release::Bookworm) else { return };
    // It breaks the program that does it, too.
    machine.run("truncate --size 1000 /usr/lib/rmcp/system/*/lib/x86_64-linux-gnu/librmcp.so");
    let dpkg = machine.command("/usr/bin/dpkg").args(["--remove", "rmcp"]).output().unwrap();
    assert!(!dpkg.status.success(), "the library should break every program: {dpkg:?}");
    let rescue = machine.command("/usr/lib/rmcp/rmcp-rescue").args(["disable", "--system"]).output().unwrap();
    assert!(rescue.status.success(), "{rescue:?}");
    assert_removed(&machine, "after the rescue");
}

#[test]
fn what_was_never_confirmed_goes_too() {
    let Some(machine) = installed(Release::Bookworm) else { return };
    machine.bash("rmcp enable --system --confirm-within 1h");
    assert_removed(&machine, "unconfirmed");
}

#[test]
fn a_list_that_cannot_be_changed_stops_the_removal_and_programs_keep_their_library() {
    let Some(machine) = enabled(Release::Bookworm) else { return };
    machine.bash("mv /etc/ld.so.preload /etc/list; ln -s list /etc/ld.so.preload");
    let output = machine.run("dpkg --remove rmcp");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("symbolic link"), "{said}");
    assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n");
    machine.bash("mv /etc/list /etc/ld.so.preload");
    assert_removed(&machine, "after the list was a file again");
}

#[test]
fn lines_of_others_and_changed_options_survive_the_removal() {
    let Some(machine) = installed(Release::Bookworm) else { return };
    machine.bash(&compile_library("int rmcp_foreign;", "/usr/lib/foreign.so"));
    machine.bash(
        "echo /usr/lib/foreign.so > /etc/ld.so.preload
         echo 'host = \"keep\"' >> /etc/rmcp.toml
         rmcp enable --system",
    );
    run_package_tool(&machine, "apt-get -qq remove rmcp");
    assert_eq!(machine.changed_file(LIST).unwrap(), "/usr/lib/foreign.so\n");
    assert!(machine.changed_file(OPTIONS).unwrap().ends_with("host = \"keep\"\n"));
}
