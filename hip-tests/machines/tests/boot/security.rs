//! Machines whose kernel restricts programs beyond their user: SELinux, AppArmor.

use super::{LIST, PROGRAMS, STATE, disk, install};
use rmcp_machines::AS_NOBODY;
use rmcp_machines::vm::{AGENT_ONLY, ScriptOutput, Vm};

const SELINUX: &str = "security=selinux selinux=1 enforcing=1";

/// What SELinux has refused of RMCP since the boot.
const REFUSED: &str = "journalctl --boot --no-pager | grep 'avc: *denied' | grep -E 'rmcp|preload' || true";

#[test]
fn a_machine_under_selinux_boots_with_rmcp_in_every_process() {
    let Some(disk) = disk() else { return };
    let mut vm = Vm::boot(&disk, SELINUX);
    let state = vm.run(STATE);
    assert_eq!(vm.bash("getenforce"), "Enforcing");
    install(&mut vm);
    vm.bash("rmcp enable --system");
    let labels = vm.bash("matchpathcon -V $(find /etc/ld.so.preload /usr/lib/rmcp)");
    assert!(
        labels.contains("/etc/ld.so.preload") && labels.lines().all(|line| line.ends_with(" verified.")),
        "{labels}"
    );
    vm.run_until_down("systemctl poweroff");

    let mut vm = Vm::boot(&disk, SELINUX);
    assert_eq!(vm.run(STATE), state);
    let programs = vm.bash(PROGRAMS);
    assert!(programs.contains("with systemd\n") && !programs.contains("without"), "{programs}");
    vm.bash("rmcp disable --system");
    vm.bash("rmcp enable --system --confirm-within 1h");
    vm.bash("systemctl start rmcp-rollback.service");
    assert_eq!(vm.bash(LIST), "");
    assert_eq!(vm.bash(REFUSED), "");
}

/// What a copy of cat says of its own libraries, and its complaints, when a profile allows it so much.
fn run_confined(vm: &mut Vm, rules: &str, prefix: &str) -> ScriptOutput {
    vm.bash(&format!(
        "apparmor_parser --replace --skip-cache <<'PROFILE'
include <tunables/global>
profile confined /usr/local/bin/confined {{
    {rules}
    /usr/local/bin/confined mr,
    @{{PROC}}/@{{pid}}/maps r,
}}
PROFILE"
    ));
    vm.run(&format!("{prefix} /usr/local/bin/confined /proc/self/maps | grep -o -m 1 'librmcp[.]so'"))
}

#[test]
fn a_program_under_apparmor_has_rmcp_where_its_profile_allows_libraries_and_runs_without_elsewhere() {
    let Some(disk) = disk() else { return };
    let mut vm = Vm::boot(&disk, AGENT_ONLY);
    vm.bash("mount -t securityfs securityfs /sys/kernel/security");
    assert_eq!(vm.bash("cat /sys/module/apparmor/parameters/enabled"), "Y", "as Debian has it");
    install(&mut vm);
    vm.bash("rmcp enable --system; cp /bin/cat /usr/local/bin/confined; chmod u+s /usr/local/bin/confined");
    let base = "include <abstractions/base>";
    let own = "/etc/ld.so.cache r, /usr/lib/x86_64-linux-gnu/*.so* mr,";

    for user in ["", AS_NOBODY] {
        let said = run_confined(&mut vm, base, user);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("librmcp.so", ""), "Debian's rules for all programs");
        let said = run_confined(&mut vm, own, user);
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""), "it cannot read the list");
        let said = run_confined(&mut vm, &format!("{own} /etc/ld.so.preload r,"), user);
        assert!(said.stderr.contains("cannot be preloaded") && said.stderr.lines().count() == 1, "{said:?}");
        let said = run_confined(&mut vm, &format!("{own} /etc/ld.so.preload r, /usr/lib/rmcp/system/** mr,"), user);
        assert_eq!(
            (said.stdout.as_str(), said.stderr.as_str()),
            ("librmcp.so", ""),
            "what docs/guide/machine.md says to add"
        );
    }
}
