//! Processes that start others or end while threads call, and libraries that come and go.

use crate::program::{Program, library};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

const REWRITTEN: &str = "0x80000000";
const SIGABRT: i32 = 6;

fn program() -> Program {
    Program::new("life", &["gfx1010"]).env("RMCP_LOG", "debug").env("RMCP_LOG_FILE", "/dev/null")
}

#[test]
fn programs_that_are_started_while_threads_call_are_served() {
    for mode in ["vfork", "spawn", "exec"] {
        program().run(&[mode]);
    }
}

#[test]
fn a_process_ends_as_it_means_to_while_threads_still_call() {
    for _ in 0..10 {
        program().run(&["return"]);
        program().run(&["exit"]);
        let aborted = program().output(&["abort".as_ref()]).status;
        assert_eq!(aborted.signal(), Some(SIGABRT), "{aborted}");
    }
}

#[test]
fn a_call_that_a_thread_makes_while_it_ends_is_rewritten_and_logged() {
    let output = Program::new("life", &["gfx1010"]).env("RMCP_LOG", "debug").output(&["late".as_ref()]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{log}", output.status);
    assert_eq!(log.matches("debug: hipHostMalloc").count(), 3, "{log}");
}

#[test]
fn a_call_from_generated_code_is_the_programs() {
    program().run(&["generated"]);
}

/// What becomes of each library that is loaded, called and unloaded in turn.
#[track_caller]
fn unload_reports(target: &str, libraries: &[PathBuf]) -> Vec<(String, String)> {
    let report = Program::without_runtime("unload", &[target]).run(libraries);
    let split = |line: &str| line.split_once(' ').map(|(place, rest)| (place.to_owned(), rest.to_owned()));
    report.lines().filter_map(split).collect()
}

#[test]
fn a_library_that_is_unloaded_and_loaded_again_is_served_and_its_runtime_stays() {
    let client = library("libthreads.so", "libamdhip64.so.6");
    for (target, arrived) in [("gfx1010", REWRITTEN), ("gfx1100", "0")] {
        for (_, report) in unload_reports(target, &vec![client.clone(); 10]) {
            assert_eq!(report, format!("{arrived} library=0 runtime=1"), "{target}");
        }
    }
}
