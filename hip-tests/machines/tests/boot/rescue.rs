//! The ways back where the first process of the machine cannot start.

use super::{LIST, POWER_CUT, STATE, disk, install, library_replaced_by};
use rmcp_machines::vm::{AGENT_ONLY, Disk, Vm};

/// A machine whose list names a library that ends every program.
fn broken() -> Option<Disk> {
    let disk = disk()?;
    let mut vm = Vm::boot(&disk, AGENT_ONLY);
    install(&mut vm);
    vm.bash("rmcp enable --system --confirm-within 1h");
    vm.run_until_down(&format!("{}; {POWER_CUT}", library_replaced_by("/mnt/abort.so")));
    Some(disk)
}

#[test]
fn rmcp_rescue_as_the_first_process_mends_a_machine_whose_systemd_cannot_start() {
    let Some(disk) = broken() else { return };
    let said = Vm::start(&disk, "panic=-1").unwrap().wait_until_down();
    assert!(said.contains("Attempted to kill init"), "the unit cannot help here: {said}");

    let said = Vm::start(&disk, "panic=-1 init=/usr/lib/rmcp/rmcp-rescue").unwrap().wait_until_down();
    // Its root file system was read-only until then, as every boot's.
    assert!(
        said.contains("RMCP is out of the list. Restarting") && said.contains("reboot: Restarting system"),
        "{said}"
    );
    let mut vm = Vm::boot(&disk, "");
    assert_eq!((vm.run(STATE).stdout, vm.bash(LIST)), ("running".into(), String::new()));
}

#[test]
fn the_shell_of_the_initramfs_mends_it_too() {
    let Some(disk) = broken() else { return };
    let vm = Vm::start(&disk, "break=bottom").unwrap();
    vm.wait_for("(initramfs)");
    vm.type_line("mount -o remount,rw none /root");
    vm.wait_for("(initramfs)");
    vm.type_line("chroot /root /usr/lib/rmcp/rmcp-rescue disable --system");
    vm.wait_for("RMCP is out of the list.");
    vm.type_line("exit");
    vm.wait_for("login:");
}
