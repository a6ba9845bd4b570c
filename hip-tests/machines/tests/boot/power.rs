//! A power cut at any point of enabling.

use super::{LIST, POWER_CUT, disk, install};
use rmcp_machines::vm::{AGENT_ONLY, Vm};

/// A disk that keeps what was brought to it and no more: ext4 would otherwise write a renamed file out by itself.
/// (Linux, Documentation/admin-guide/ext4.rst)
const STRICT: &str = "rootflags=noauto_da_alloc";

/// Prints what of the list is not whole.
const LOSSES: &str = "for entry in $(< /etc/ld.so.preload); do
        folder=$(dirname \"${entry/'$LIB'/lib/x86_64-linux-gnu}\")
        for name in librmcp.so librmcp_core.so; do cmp /usr/lib/rmcp/$name $folder/$name 2>&1; done
    done 2> /dev/null; true";

#[test]
fn wherever_the_power_is_cut_the_machine_boots_with_the_old_list_or_all_of_the_new_one() {
    let Some(disk) = disk() else { return };
    let parameters = format!("{AGENT_ONLY} {STRICT}");
    let enable = "rmcp enable --system --confirm-within 1h";
    let undo = "/usr/lib/rmcp/rmcp-rescue disable --purge > /dev/null; sync";
    let mut vm = Vm::boot(&disk, &parameters);
    install(&mut vm);
    let calls =
        vm.bash(&format!("strace -o /tmp/calls -e trace=fsync,rename {enable} > /dev/null; cat /tmp/calls; {undo}"));
    let count = |name: &str| calls.lines().filter(|line| line.starts_with(name)).count();
    let (fsyncs, renames) = (count("fsync("), count("rename("));
    assert!(fsyncs > 4 && renames == 2, "{calls}");

    // Each of them happens no more.
    let points = [("rename", 1, ""), ("rename", 2, ""), ("fsync", fsyncs, "")];
    for (call, number, list) in points {
        let cut = format!(
            "strace -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={number} {enable}; {POWER_CUT}"
        );
        vm.run_until_down(&cut);
        vm = Vm::boot(&disk, &parameters);
        let found = vm.bash(LIST);
        assert!(found == list || call == "fsync" && found.ends_with("/librmcp.so"), "{call} {number}: {found:?}");
        assert_eq!(vm.bash(LOSSES), "", "{call} {number}");
        vm.bash(undo);
    }
    vm.run_until_down(&format!("{enable}; {POWER_CUT}"));
    vm = Vm::boot(&disk, &parameters);
    assert!(vm.bash(LIST).ends_with("/librmcp.so"), "what rmcp has said to be done is done");
    assert_eq!(vm.bash(LOSSES), "");
}
