//! Calls whose real function does not return: an exception, the end of the thread, its cancellation and a jump pass through
//! every hook as if RMCP were not there.

use crate::process::Process;
use crate::requests;
use rmcp_hip_tests::Stubs;

/// The same program ends the same, with RMCP and these variables and without.
#[track_caller]
fn assert_same_outcomes(process: Process, variables: &[(&str, &str)]) {
    let bare = process.clone().bare().run(&requests::all());
    for way in [
        "throw: caught 42, unwound",
        "exit: ended with 7, unwound",
        "cancel: cancelled, unwound",
        "longjmp: arrived with 5",
    ] {
        assert!(bare.lines.iter().all(|line| line.contains(way)), "{way}: {bare:#?}");
    }
    let process = variables.iter().fold(process, |process, (name, value)| process.env(name, *value));
    assert_eq!(process.run(&requests::all()), bare, "{variables:?}");
}

/// The options under which every rule acts.
const EVERY_RULE: [(&str, &str); 9] = [
    ("RMCP_HOST", "force"),
    ("RMCP_MANAGED", "coarse"),
    ("RMCP_VRAM_FRACTION", "0.5"),
    ("RMCP_HSA_POOL", "coarse"),
    ("RMCP_CAPABILITIES", "no-managed"),
    ("RMCP_DEVICE_FINEGRAINED", "auto"),
    ("RMCP_DEVICE_UNCACHED", "default"),
    ("RMCP_REGISTER", "coarse"),
    // What `register` needs.
    ("AMD_OPT_FLUSH", "0"),
];

fn program() -> Process {
    Process::of(Stubs::get().outcomes())
}

#[test]
fn what_the_real_function_throws_arrives_under_the_defaults() {
    for target in ["gfx1010", "gfx1100"] {
        assert_same_outcomes(program().gpus(&[target]), &[]);
    }
}

#[test]
fn what_the_real_function_throws_arrives_under_every_rule() {
    assert_same_outcomes(program().gpus(&["gfx1010"]), &EVERY_RULE);
}

#[test]
fn what_the_real_function_throws_arrives_while_calls_are_logged_and_traced() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").display().to_string();
    let logged = [("RMCP_LOG", "trace"), ("RMCP_LOG_FILE", log.as_str())];
    let traced = [("RMCP_TRACE", folder.path().to_str().unwrap())];
    for target in ["gfx1010", "gfx1100"] {
        for variables in [&logged[..], &traced, &[&logged[..], &traced, &EVERY_RULE].concat()] {
            assert_same_outcomes(program().gpus(&[target]), variables);
        }
    }
}

#[test]
fn what_the_real_function_throws_arrives_through_the_runtimes_own_table() {
    let folder = tempfile::tempdir().unwrap();
    let process = program().env("LD_LIBRARY_PATH", Stubs::get().drivers_with_table(&[]));
    for target in ["gfx1010", "gfx1100"] {
        assert_same_outcomes(process.clone().gpus(&[target]), &[]);
    }
    assert_same_outcomes(process.clone().gpus(&["gfx1010"]), &EVERY_RULE);
    assert_same_outcomes(process.gpus(&["gfx1010"]), &[("RMCP_TRACE", folder.path().to_str().unwrap())]);
}
