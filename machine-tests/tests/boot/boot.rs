//! A boot.

use super::{LIST, STATE, WITHOUT, disk, install};
use rmcp_machine_tests::vm::Vm;

/// The units that run or have run.
const UNITS: &str =
    "systemctl list-units --type=service,target,socket --state=active --no-legend --plain | cut -d' ' -f1";

/// What the loader has said since the boot.
const LOADER: &str = "journalctl --boot --no-pager | grep -F 'ERROR: ld.so' || true";

#[test]
fn a_machine_with_rmcp_in_its_list_boots_and_goes_down_as_without() {
    let Some(disk) = disk() else { return };
    let mut vm = Vm::boot(&disk, "");
    let (state, units) = (vm.run(STATE), vm.says(UNITS));
    assert_eq!(state.out, "running");
    install(&mut vm);
    assert!(vm.says("rmcp enable --system --confirm-within 1h").contains("a timer of systemd"));
    vm.says("rmcp enable --system --confirm");
    assert!(vm.ends_by("systemctl poweroff").contains("reboot: Power down"));

    let mut vm = Vm::boot(&disk, "");
    assert_eq!((vm.run(STATE), vm.says(UNITS), vm.says(LOADER)), (state, units, String::new()));
    assert_eq!(vm.says(WITHOUT), "", "every process has it, the first one too");
    assert!(vm.says(LIST).contains("/librmcp.so"));
    let said = vm.ends_by("systemctl poweroff");
    assert!(said.contains("reboot: Power down"), "{said}");
    assert!(!said.contains("recovering journal") && !said.contains("FAILED"), "{said}");
}
