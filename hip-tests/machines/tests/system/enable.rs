//! `rmcp enable --system`, `disable`, `status`.

use super::machine;
use rmcp_machines::{ABORTING, AS_NOBODY, COUNT_MAPPINGS, LIST, Machine, Release, compile_library, installed};

/// What a refused enabling says; the list is not there, as before.
fn refusal(machine: &Machine, command: &str) -> String {
    let output = machine.run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(machine.changed_file(LIST), None);
    said
}

#[test]
fn every_program_has_rmcp_once_it_is_enabled_and_none_once_it_is_disabled() {
    for release in Release::ALL {
        let Some(machine) = installed(release) else { return };
        let before = machine.changed_files();
        assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        let said = machine.bash("rmcp enable --system");
        let list = machine.changed_file(LIST).unwrap();
        assert!(said.contains(list.trim()) && list.contains("/$LIB/librmcp.so"), "{release:?}: {said}");
        assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        assert_eq!(machine.run("rmcp status").status.code(), Some(0), "{release:?}");

        machine.bash("rmcp disable --system");
        assert_eq!(machine.bash(COUNT_MAPPINGS), "0\n", "{release:?}");
        assert_eq!(machine.run("rmcp status").status.code(), Some(3), "{release:?}");
        assert_eq!(machine.changed_files(), before, "{release:?}: nothing is left behind");
    }
}

#[test]
fn whatever_the_umask_every_user_has_rmcp() {
    let nobody = format!("{AS_NOBODY} sh -c {COUNT_MAPPINGS:?}");
    let Some(machine) = machine() else { return };
    machine.bash("umask 077 && rmcp enable --system");
    assert_ne!(machine.bash(&nobody), "0\n");
    // As earlier versions left them.
    machine.bash("rmcp disable --system && umask 077 && mkdir -p /usr/lib/rmcp/system && rmcp enable --system");
    assert_ne!(machine.bash(&nobody), "0\n");
    machine.bash("umask 077 && rmcp disable --system && rmcp enable --system --confirm-within 10m");
    assert!(machine.bash(&format!("{AS_NOBODY} rmcp status")).contains("It will be taken back unless you run"));
    machine.bash("rmcp enable --system --confirm");
}

#[test]
fn a_loader_without_support_in_the_kernel_is_passed_over() {
    let Some(machine) = machine() else { return };
    machine.bash("mkdir -p /libx32 && printf '\\177ELF%060d' 0 > /libx32/ld-linux-x32.so.2 && chmod +x /libx32/ld-linux-x32.so.2");
    machine.bash("rmcp enable --system");
    assert_ne!(machine.bash(COUNT_MAPPINGS), "0\n");
    assert_eq!(machine.run("rmcp status").status.code(), Some(0));
}

#[test]
fn enabling_again_changes_nothing() {
    let Some(machine) = machine() else { return };
    machine.bash("rmcp enable --system");
    let files = machine.changed_files();
    let list = machine.changed_file(LIST);
    assert!(machine.bash("rmcp enable --system").contains("already"));
    assert_eq!((machine.changed_files(), machine.changed_file(LIST)), (files, list));
}

#[test]
fn foreign_lines_stay() {
    let Some(machine) = machine() else { return };
    machine.bash(&compile_library("int rmcp_foreign;", "/usr/lib/foreign.so"));
    machine.bash(
        "printf '# an administrator wrote this\\n/usr/lib/foreign.so' > /etc/ld.so.preload
         rmcp enable --system",
    );
    let list = machine.changed_file(LIST).unwrap();
    assert!(list.starts_with("# an administrator wrote this\n/usr/lib/foreign.so\n/usr/lib/rmcp/system/"), "{list}");
    machine.bash("rmcp disable --system");
    assert_eq!(machine.changed_file(LIST).unwrap(), "# an administrator wrote this\n/usr/lib/foreign.so\n");
}

#[test]
fn a_32_bit_loader_finds_an_empty_library_and_says_nothing() {
    let Some(machine) = machine() else { return };
    machine.bash("rmcp enable --system");
    let listed = machine.bash("/lib/ld-linux.so.2 --list /lib32/libc.so.6");
    assert!(listed.contains("/lib32/librmcp.so"), "{listed}");
}

#[test]
fn a_setuid_program_of_another_user_runs_as_before_and_rmcp_stays_out_of_its_way() {
    let script = format!("{AS_NOBODY} env RMCP_LOG=debug RMCP_LOG_FILE=/tmp/log su --version; ls /tmp");
    for release in Release::ALL {
        let Some(machine) = installed(release) else { return };
        let before = machine.bash(&script);
        machine.bash("rmcp enable --system");
        assert_eq!(machine.bash(&script), before, "{release:?}");
    }
}

#[test]
fn a_library_that_breaks_programs_is_refused_and_the_list_stays() {
    let Some(machine) = machine() else { return };
    machine.bash(&compile_library(ABORTING, "/usr/lib/rmcp/librmcp.so"));
    let said = refusal(&machine, "rmcp enable --system");
    assert!(said.contains("the list was left alone") && said.contains("a shell:"), "{said}");
    assert_eq!(machine.bash("echo works"), "works\n");
}

#[test]
fn a_library_with_variables_under_the_names_of_functions_is_refused_unless_that_is_accepted() {
    let Some(machine) = machine() else { return };
    machine.bash("mkdir -p /usr/local/lib/plugins");
    let variable = "int (*hipMalloc)(void **, unsigned long);";
    machine.bash(&compile_library(variable, "/usr/local/lib/plugins/wrapper.so"));
    let said = refusal(&machine, "rmcp enable --system");
    assert!(said.contains("\"/usr/local/lib/plugins/wrapper.so\" has hipMalloc"), "{said}");
    assert!(said.contains("--accept-variables"), "{said}");

    let said = machine.bash("rmcp enable --system --accept-variables");
    assert!(said.contains("wrapper.so") && machine.changed_file(LIST).is_some(), "{said}");
}

#[test]
fn another_user_is_told_to_be_root() {
    let Some(machine) = machine() else { return };
    let said = refusal(&machine, &format!("{AS_NOBODY} rmcp enable --system"));
    assert!(said.contains("root"), "{said}");
}

#[test]
fn root_of_a_container_is_told_what_it_lacks() {
    let Some(machine) = machine() else { return };
    let said = refusal(&machine, "setpriv --bounding-set -sys_admin rmcp enable --system");
    assert!(said.contains("CAP_SYS_ADMIN"), "{said}");
}
