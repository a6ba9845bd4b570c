//! `rmcp enable --system --confirm-within` where systemd runs the machine.

use super::{LIST, POWER_CUT, PROGRAMS, STATE, disk, install, library_replaced_by};
use rmcp_machines::vm::{AGENT_ONLY, Vm};

/// Waits until rmcp-rescue has said something to the journal; then stops reading it.
fn wait_for_rescue(vm: &mut Vm, text: &str) {
    vm.bash(&format!(
        "grep -q -m 1 -F '{text}' < <(exec journalctl --follow --lines=all SYSLOG_IDENTIFIER=rmcp-rescue)"
    ));
}

#[test]
fn a_timer_of_systemd_takes_back_what_nobody_confirms_and_nothing_else() {
    let Some(disk) = disk() else { return };
    let mut vm = Vm::boot(&disk, "");
    install(&mut vm);
    assert!(vm.bash("rmcp enable --system --confirm-within 1s").contains("a timer of systemd"));
    wait_for_rescue(&mut vm, "RMCP was not confirmed and is out of the list.");
    assert_eq!(vm.bash(LIST), "");

    vm.bash("rmcp enable --system --confirm-within 1h");
    vm.bash("rmcp enable --system --confirm");
    // What the timer does when its hour is over.
    vm.bash("systemctl start \"$(systemctl list-units --all --plain --no-legend 'rmcp-rollback-*.timer' | sed 's/[.]timer.*//')\"");
    wait_for_rescue(&mut vm, "Nothing to take back.");
    assert!(vm.bash(LIST).contains("/librmcp.so"));
}

/// What a machine does at a boot, that was cut from power with a list which nobody had confirmed.
fn boot_after(prepare: &str) -> Option<Vm> {
    let disk = disk()?;
    let mut vm = Vm::boot(&disk, AGENT_ONLY);
    install(&mut vm);
    assert!(vm.bash("rmcp enable --system --confirm-within 1h").contains("and so does the next boot"));
    vm.run_until_down(&format!("{prepare}; {POWER_CUT}"));
    let mut vm = Vm::boot(&disk, "");
    assert_eq!(vm.run(STATE).stdout, "running");
    Some(vm)
}

#[test]
fn a_boot_takes_back_what_nobody_confirmed_before_services_start() {
    let Some(mut vm) = boot_after("sync") else { return };
    assert_eq!(vm.bash(LIST), "");
    let programs = vm.bash(PROGRAMS);
    let early: Vec<_> = programs.lines().filter_map(|line| line.strip_prefix("with ")).collect();
    assert!(early.contains(&"systemd") && early.iter().all(|name| name.starts_with("systemd")), "{programs}");
    assert_eq!(vm.bash("ls -d /var/lib/rmcp /etc/systemd/system/*.wants/rmcp* 2> /dev/null; true"), "");
    // The first process still has it mapped.
    vm.bash("rmcp disable --system");
    assert!(vm.bash("ls /usr/lib/rmcp").contains("system"));
}

#[test]
fn a_boot_takes_back_a_library_that_the_loader_refuses() {
    let Some(mut vm) = boot_after(&library_replaced_by("/etc/os-release")) else { return };
    assert_eq!(vm.bash(LIST), "");
    let said = vm.bash("journalctl --boot --no-pager");
    assert!(said.contains("cannot be preloaded") && said.contains("invalid ELF header"), "{said}");
}
