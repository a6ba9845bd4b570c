//! Programs that nobody here wrote do with RMCP in them what they do without.

use super::machine;
use rmcp_machines::{Release, installed};
use std::collections::{BTreeMap, BTreeSet};

/// Every program with --version and with --help.
const ALL: &str = r#"
for program in /usr/bin/* /usr/sbin/*; do
    [ -x "$program" ] && [ -f "$program" ] && echo "$program --version" && echo "$program --help"
done
"#;

/// Makes the calls on its standard input, and prints of each its exit status and a digest of what it says. A program that
/// must be ended (124 and 137, timeout(1)) says as much as it has time for.
const CALL: &str = r#"
cd /tmp
export DEBIAN_FRONTEND=noninteractive
while read -r call; do
    status=$( (timeout -k 1 10 $call < /dev/null > /tmp/out 2> /tmp/error; echo $?) 2> /dev/null)
    case $status in 124 | 137) : > /tmp/out; : > /tmp/error ;; esac
    echo "$call: status $status $(cat /tmp/out /tmp/error | md5sum)"
done
"#;

/// What each call does on a new machine: some change it.
fn observed_calls(release: Release, enabled: bool, calls: &str) -> Option<BTreeMap<String, String>> {
    let machine = installed(release)?;
    if enabled {
        machine.bash("rmcp enable --system");
    }
    let text = machine.bash(&format!("{} <<'CALLS'\n{}\nCALLS", CALL.trim_end(), calls.trim_end()));
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    Some(pairs.map(|(call, what)| (call.into(), what.into())).collect())
}

fn assert_same_programs(release: Release, at_least: usize) {
    let Some(all) = installed(release).map(|machine| machine.bash(ALL)) else { return };
    let (Some(without), Some(with)) = (observed_calls(release, false, &all), observed_calls(release, true, &all))
    else {
        return;
    };
    assert!(without.len() > at_least, "{} calls", without.len());
    let differs: Vec<_> = without.keys().filter(|call| with.get(*call) != without.get(*call)).cloned().collect();

    // A program may speak of its process or the time. Then it must do with RMCP something that it does without.
    let calls = differs.join("\n");
    let more = |enabled| (0..5).filter_map(move |_| observed_calls(release, enabled, &calls)).flatten();
    let with: BTreeSet<_> = with.into_iter().chain(more.clone()(true)).collect();
    let without: BTreeSet<_> = without.into_iter().chain(more(false)).collect();
    let same = |call: &&String| with.intersection(&without).any(|(same, _)| same == *call);
    let differs: Vec<_> = differs.iter().filter(|call| !same(call)).collect();
    assert!(differs.is_empty(), "{differs:#?}");
}

#[test]
fn every_program_of_debian_12_says_the_same_and_ends_in_the_same_way() {
    assert_same_programs(Release::Bookworm, 1000);
}

#[test]
fn every_program_of_debian_13_says_the_same_and_ends_in_the_same_way() {
    assert_same_programs(Release::Trixie, 500);
}

#[test]
fn apt_removes_and_installs_a_package() {
    let Some(machine) = machine() else { return };
    machine.bash("rmcp enable --system");
    let script = "
        export DEBIAN_FRONTEND=noninteractive
        set -e
        apt-get -qq remove strace > /dev/null 2>&1
        ! [ -e /usr/bin/strace ]
        apt-get -qq install /var/cache/apt/archives/strace_*.deb > /dev/null 2>&1
        strace -V | head -1";
    assert!(machine.bash(script).starts_with("strace -- version"));
}

#[test]
fn gcc_compiles_what_runs() {
    let Some(machine) = machine() else { return };
    machine.bash("rmcp enable --system");
    let script = "
        printf '#include <stdio.h>\\nint main(void) { puts(\"compiled\"); }' > /tmp/a.c
        gcc -O2 /tmp/a.c -o /tmp/a && /tmp/a && gcc -static /tmp/a.c -o /tmp/b && /tmp/b";
    assert_eq!(machine.bash(script), "compiled\ncompiled\n");
}

#[test]
fn pythons_own_tests_of_processes_threads_and_libraries_end_as_without() {
    let Some(machine) = machine() else { return };
    const TESTS: &str = "
        for name in test_ctypes test_fork1 test_mmap test_posix test_thread test_threading; do
            python3 -m test -q $name > /tmp/out 2>&1; echo $name $?
        done";
    let without = machine.bash(TESTS);
    machine.bash("rmcp enable --system");
    assert_eq!(machine.bash(TESTS), without);
}

#[test]
fn ten_thousand_processes_leave_nothing_behind() {
    let Some(machine) = machine() else { return };
    machine.bash("rmcp enable --system");
    let before = machine.changed_files();
    let left = machine.bash(
        "for i in $(seq 10000); do /bin/true; done
         ls /tmp /run /dev/shm; ipcs | grep -c 0x; ls /proc | grep -c '^[0-9]'",
    );
    let fresh = machine.bash("ls /tmp /run /dev/shm; ipcs | grep -c 0x; ls /proc | grep -c '^[0-9]'");
    assert_eq!(left, fresh);
    assert_eq!(machine.changed_files(), before);
}
