//! The ways back.

use super::machine;
use rmcp_machines::{ABORTING, LIST, Machine, compile_library};
use std::collections::BTreeMap;

/// A machine whose list names a library that ends every program which loads it.
fn broken_machine() -> Option<Machine> {
    let machine = machine()?;
    machine.bash("mkdir /usr/lib/broken");
    machine.bash(&compile_library(ABORTING, "/usr/lib/broken/librmcp.so"));
    machine.bash("echo /usr/lib/broken/librmcp.so > /etc/ld.so.preload");
    Some(machine)
}

#[test]
fn rmcp_rescue_mends_a_machine_on_which_nothing_else_starts() {
    let Some(machine) = broken_machine() else { return };
    assert!(!machine.run("true").status.success(), "it should be broken");
    let output = machine.command("/usr/lib/rmcp/rmcp-rescue").args(["disable", "--system"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(machine.bash("echo works"), "works\n");
}

#[test]
fn rmcp_rescue_mends_a_machine_as_its_first_process() {
    let Some(machine) = broken_machine() else { return };
    // The first process of a process namespace; its restart ends the namespace. (pid_namespaces(7))
    let output = machine.command("/usr/lib/rmcp/rmcp-rescue").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("RMCP is out of the list."), "{output:?}");
    assert_eq!(machine.bash("echo works"), "works\n");
}

#[test]
fn what_nobody_confirms_is_taken_back() {
    let Some(machine) = machine() else { return };
    // One process namespace for both: the watching process ends with it.
    let waited = machine.bash(
        "rmcp enable --system --confirm-within 1s > /dev/null
         cat /etc/ld.so.preload
         for i in $(seq 600); do [ -e /etc/ld.so.preload ] || break; read -t 0.1 < /dev/zero > /dev/null || true; done",
    );
    assert!(waited.contains("librmcp.so"), "{waited}");
    assert_eq!(machine.changed_file(LIST), None);
}

#[test]
fn what_is_confirmed_stays() {
    let Some(machine) = machine() else { return };
    machine.bash(
        "rmcp enable --system --confirm-within 1h
         rmcp enable --system --confirm
         /usr/lib/rmcp/rmcp-rescue rollback",
    );
    assert!(machine.changed_file(LIST).unwrap().contains("librmcp.so"));
    assert_eq!(machine.changed_file("/var/lib/rmcp/unconfirmed"), None);
}

#[test]
fn a_boot_takes_back_what_was_never_confirmed() {
    let Some(machine) = machine() else { return };
    // The watching process ends with this namespace, as with a machine that goes down.
    machine.bash("rmcp enable --system --confirm-within 1h");
    assert!(machine.changed_file(LIST).is_some());
    machine.bash("/usr/lib/rmcp/rmcp-rescue rollback");
    assert_eq!(machine.changed_file(LIST), None);
}

/// The calls by which `rmcp enable` changes anything, or waits for it.
const CHANGES: &str =
    "openat,mkdir,rename,unlink,rmdir,unlinkat,symlink,write,fsync,fchmod,chmod,flock,close,clone3,wait4";

#[test]
fn wherever_enabling_is_killed_the_machine_runs() {
    let Some(machine) = machine() else { return };
    let enable = "rmcp enable --system --confirm-within 1h";
    let undo = "/usr/lib/rmcp/rmcp-rescue disable --purge > /dev/null; rm -rf /var/lib/rmcp /etc/ld.so.preload*";
    let traced = machine
        .bash(&format!("strace -y -o /tmp/trace -e trace={CHANGES} {enable} > /dev/null; cat /tmp/trace; {undo}"));
    let mut counts = BTreeMap::new();
    let mut calls = Vec::new();
    for line in traced.lines().filter(|line| !line.starts_with(['+', '-'])) {
        let (name, rest) = line.split_once('(').unwrap_or_else(|| panic!("a line of strace: {line}"));
        let nth = counts.entry(name).or_insert(0);
        *nth += 1;
        // It reads through the libraries of the machine, which changes nothing.
        let looks = ["openat", "close"].contains(&name) && !["rmcp", "preload"].iter().any(|ours| rest.contains(ours));
        if !looks {
            calls.push(format!("{name} {nth}"));
        }
    }
    assert!(counts.contains_key("rename") && counts.contains_key("fsync"), "{counts:?}");
    let script = format!(
        "while read -r name nth; do
            (strace -o /dev/null -e inject=$name:signal=KILL:when=$nth {enable}; true) > /dev/null 2>&1
            /bin/sh -c 'exec /bin/true' 2>&1 || echo \"a shell fails after $name $nth\"
            case \"$(cat /etc/ld.so.preload 2> /dev/null)\" in
                '' | /usr/lib/rmcp/system/*/librmcp.so) ;;
                *) echo \"half a list after $name $nth\" ;;
            esac
            {undo}
        done <<< '{}'",
        calls.join("\n")
    );
    let said = machine.bash(&script);
    assert_eq!(said, "", "after {} kills", calls.len());
    machine.bash(enable);
    assert_eq!(machine.bash("echo works"), "works\n");
}
