//! Programs that RMCP leaves alone where every process has it.

use super::machine;
use rmcp_hip_tests::Stubs;
use rmcp_machines::{AS_NOBODY, Machine};

/// A program of two names that calls HIP, and the stub drivers, which say with which flags its calls arrive.
const INSTALL: &str = "
    cp /mnt/stubs/system/lib*.so.* /usr/lib/x86_64-linux-gnu/
    cp /mnt/stubs/system/program /usr/bin/computes
    mkdir /opt/app && cp /usr/bin/computes /opt/app/solver
    rmcp enable --system > /dev/null";

/// What becomes of hipHostMalloc with flags 0 where RMCP is active, and where it is not.
const REWRITTEN: &str = "hipHostMalloc=0\t0\tlibamdhip64.so.6: hipHostMalloc(0x1000, 0x80000000)\n";
const UNCHANGED: &str = "hipHostMalloc=0\t0\tlibamdhip64.so.6: hipHostMalloc(0x1000, 0x0)\n";

/// So that RMCP acts in programs that nobody has named.
const FOR_ALL: &str = "[system]\ncallers = 'all'";

/// A machine with a gfx1010, RMCP in the list and these options: the first of them is line 2 of the file.
fn enabled(options: &str) -> Option<Machine> {
    let stubs = Stubs::get();
    stubs.topology(&["gfx1010"]);
    let machine = machine()?.share("stubs", stubs.drivers().parent().unwrap());
    machine.bash(INSTALL);
    machine.bash(&format!(
        "cat > /etc/rmcp.toml <<'OPTIONS'\ntopology = '/mnt/stubs/machines/gfx1010'\n{options}\nOPTIONS"
    ));
    Some(machine)
}

/// Why RMCP is inactive in the program, from its own mouth.
fn inactive_reason(machine: &Machine, program: &str) -> String {
    let said = machine.bash(&format!("{program} status"));
    said.trim_end().rsplit_once("reason=").unwrap().1.into()
}

#[test]
fn where_nobody_chose_rmcp_memory_changes_for_libraries_that_are_known_to_be_right_with_it() {
    let Some(machine) = enabled("") else { return };
    let called_by = |library: &str| {
        machine.bash(&format!(
            "cp /mnt/stubs/system/libclient.so /opt/{library}; /mnt/stubs/loader --local=/opt/{library} hipHostMalloc=0"
        ))
    };
    assert_eq!(machine.bash("computes hipHostMalloc=0"), UNCHANGED);
    assert_eq!(called_by("libother.so"), UNCHANGED);
    assert_eq!(called_by("librccl.so.1"), UNCHANGED);
    assert_eq!(called_by("libtorch_hip.so"), REWRITTEN);
    assert!(inactive_reason(&machine, "computes").is_empty(), "it is active, for such libraries");
    for command in ["rmcp status", "rmcp detect"] {
        let said = machine.bash(command).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("that of libraries known to be right with it (") && said.contains("callers"), "{said}");
    }
    let explained = machine.bash("rmcp explain hipHostMalloc 0");
    assert!(explained.contains("not known to be right with RMCP"), "{explained}");
    assert!(explained.contains("which are known to be right with it"), "{explained}");
}

#[test]
fn whoever_names_a_program_has_chosen_rmcp_for_it_and_one_option_turns_that_round() {
    for options in ["[program.computes]\nlog = 'off'", "[system]\nonly = ['computes']", FOR_ALL] {
        let Some(machine) = enabled(options) else { return };
        assert_eq!(machine.bash("computes hipHostMalloc=0"), REWRITTEN, "{options}");
    }
    let Some(machine) = enabled("[library.libother]\nhost = 'noncoherent'\n[program.solver]\nlog = 'off'") else {
        return;
    };
    assert_eq!(machine.bash("computes hipHostMalloc=0"), UNCHANGED);
    let loaded = "cp /mnt/stubs/system/libclient.so /opt/libother.so
        /mnt/stubs/loader --local=/opt/libother.so hipHostMalloc=0";
    assert_eq!(machine.bash(loaded), REWRITTEN);
}

#[test]
fn an_excluded_program_is_left_alone_by_name_and_by_path() {
    let Some(machine) = enabled(&format!("exclude = ['Xorg', 'computes']\n{FOR_ALL}")) else { return };
    assert_eq!(machine.bash("computes hipHostMalloc=0"), UNCHANGED);
    assert_eq!(inactive_reason(&machine, "computes"), "this program is excluded by \"computes\" (/etc/rmcp.toml:2)");
    assert_eq!(machine.bash("/opt/app/solver hipHostMalloc=0"), REWRITTEN);

    let Some(machine) = enabled(&format!("exclude = ['/opt/app/solver']\n{FOR_ALL}")) else { return };
    assert_eq!(machine.bash("/opt/app/solver hipHostMalloc=0"), UNCHANGED);
    assert_eq!(machine.bash("ln -s /opt/app/solver /usr/bin/solves; solves hipHostMalloc=0"), UNCHANGED);
    assert_eq!(machine.bash("cp /opt/app/solver /usr/bin/solver; solver hipHostMalloc=0"), REWRITTEN);
    assert_eq!(machine.bash("computes hipHostMalloc=0"), REWRITTEN);
}

#[test]
fn with_only_the_others_are_left_alone_and_say_why() {
    let Some(machine) = enabled("[system]\nonly = ['Xorg', '/opt/app/solver']") else { return };
    assert_eq!(machine.bash("/opt/app/solver hipHostMalloc=0"), REWRITTEN);
    assert_eq!(machine.bash("computes hipHostMalloc=0"), UNCHANGED);
    assert_eq!(inactive_reason(&machine, "computes"), "this program is not among [system] only (/etc/rmcp.toml:3)");
    assert_eq!(machine.bash("RMCP_EXCLUDE=solver /opt/app/solver hipHostMalloc=0"), UNCHANGED);
    // No name gets a program among them that is not.
    assert_eq!(machine.bash("RMCP_ONLY=computes computes hipHostMalloc=0"), UNCHANGED);
}

#[test]
fn a_program_for_which_rmcp_was_asked_is_served_whatever_the_section_system_says() {
    let Some(machine) = enabled("[system]\nonly = ['Xorg']\nhost = 'keep'") else { return };
    for asked in ["LD_PRELOAD=/usr/lib/rmcp/librmcp.so", "LD_PRELOAD=librmcp.so", "rmcp-run"] {
        assert_eq!(machine.bash(&format!("{asked} computes hipHostMalloc=0")), REWRITTEN, "{asked}");
    }
    assert_eq!(machine.bash("computes hipHostMalloc=0"), UNCHANGED);
}

#[test]
fn the_other_options_of_the_section_hold_for_the_list() {
    let Some(machine) = enabled(&format!("{FOR_ALL}\nhost = 'keep'")) else { return };
    assert_eq!(machine.bash("computes hipHostMalloc=0"), UNCHANGED);
    assert_eq!(machine.bash("RMCP_HOST=noncoherent computes hipHostMalloc=0"), REWRITTEN);
}

#[test]
fn a_setuid_program_is_never_served_not_even_by_name() {
    let Some(machine) = enabled("log = 'trace'\n[system]\nonly = ['computes']") else { return };
    // It reads no file, so it says nothing either: `bash` would fail.
    machine.bash("chmod 4755 /usr/bin/computes");
    assert_eq!(machine.bash(&format!("{AS_NOBODY} computes hipHostMalloc=0")), UNCHANGED);
    let output = machine.run("setpriv --reuid 0 computes hipHostMalloc=0");
    assert_eq!(String::from_utf8_lossy(&output.stdout), REWRITTEN, "root gains nothing by it");
    assert!(!output.stderr.is_empty());
}

#[test]
fn of_two_rmcps_in_a_program_one_counts_and_rewrites() {
    let Some(machine) = enabled("log = 'info'") else { return };
    let lines = |command: &str| {
        let output = machine.run(command);
        let all = [output.stdout, output.stderr].concat();
        String::from_utf8(all).unwrap().lines().map(String::from).collect::<Vec<_>>()
    };
    let once = "\thipHostMalloc: 0 forwarded, 1 rewritten, 0 of the runtime";
    let [call, counters, log] = &lines("rmcp-run computes hipHostMalloc=0 counters")[..] else { panic!() };
    assert_eq!(call, REWRITTEN.trim_end());
    assert!(counters.ends_with(once), "{counters}");
    assert!(log.contains(" info: active; GPU 0 gfx1010"), "{log}");
}

#[test]
fn a_library_between_two_rmcps_gets_the_call_as_the_program_made_it() {
    let Some(machine) = enabled(FOR_ALL) else { return };
    // rmcp trace puts its own first; what passes the library in between meets the list's, which forwards.
    let report = machine.bash(
        "export LD_PRELOAD=/mnt/stubs/libinterposer.so
         rmcp trace --quiet --json --output /tmp/report computes hipHostMalloc=0
         cat /tmp/report",
    );
    let (said, report) = report.split_once('{').unwrap();
    assert_eq!(said, format!("interposer: hipHostMalloc(0x1000, 0x0)\n{UNCHANGED}"));
    let report: serde_json::Value = serde_json::from_str(&format!("{{{report}")).unwrap();
    assert_eq!(report["calls"], serde_json::json!([]), "{report:#}");
}

#[test]
fn the_commands_tell_what_only_restricts() {
    let Some(machine) = enabled("[system]\nonly = ['solver', 'blender']") else { return };
    let restricted = "in \"solver\", \"blender\" alone ([system] only, /etc/rmcp.toml:3)";
    for command in ["rmcp status", "rmcp detect"] {
        assert!(machine.bash(command).contains(restricted), "{command}: {}", machine.bash(command));
    }
    let alone = "it is not among [system] only (/etc/rmcp.toml:3)";
    let shown = |arguments: &str| machine.bash(&format!("{arguments} rmcp config show --program computes"));
    assert!(shown("").contains(alone) && shown("").contains("[system] (in force)"), "{}", shown(""));
    let asked = shown("LD_PRELOAD=/usr/lib/rmcp/librmcp.so");
    assert!(!asked.contains(alone) && asked.contains("[system] (not in force"), "{asked}");
    let explained = |program: &str| machine.bash(&format!("rmcp explain hipHostMalloc 0 --program {program}"));
    assert!(explained("computes").contains("not among [system] only"), "{}", explained("computes"));
    assert!(explained("solver").contains("NonCoherent"), "{}", explained("solver"));
}
