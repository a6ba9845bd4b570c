//! A boot.

use super::{LIST, PROGRAMS, STATE, disk, install};
use rmcp_machines::vm::Vm;

/// How far the boot came. Of services some end by themselves.
const REACHED: &str = "systemctl list-units --type=target,socket --state=active --no-legend --plain | cut -d' ' -f1";

/// What the loader has said since the boot.
const LOADER: &str = "journalctl --boot --no-pager | grep -F 'ERROR: ld.so' || true";

#[test]
fn a_machine_with_rmcp_in_its_list_boots_and_goes_down_as_without() {
    let Some(disk) = disk() else { return };
    let mut vm = Vm::boot(&disk, "");
    let (state, reached) = (vm.run(STATE), vm.bash(REACHED));
    assert_eq!(state.stdout, "running");
    assert!(vm.bash(PROGRAMS).contains("without systemd\n"));
    install(&mut vm);
    assert!(vm.bash("rmcp enable --system --confirm-within 1h").contains("a timer of systemd"));
    vm.bash("rmcp enable --system --confirm");
    assert!(vm.run_until_down("systemctl poweroff").contains("reboot: Power down"));

    let mut vm = Vm::boot(&disk, "");
    assert_eq!((vm.run(STATE), vm.bash(REACHED), vm.bash(LOADER)), (state, reached, String::new()));
    let programs = vm.bash(PROGRAMS);
    assert!(programs.contains("with systemd\n") && !programs.contains("without"), "{programs}");
    assert!(vm.bash(LIST).contains("/librmcp.so"));
    let said = vm.run_until_down("systemctl poweroff");
    assert!(said.contains("reboot: Power down"), "{said}");
    assert!(!said.contains("recovery required") && !said.contains("FAILED"), "{said}");
}
