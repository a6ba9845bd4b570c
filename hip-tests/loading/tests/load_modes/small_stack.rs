//! The first call of a process on a small stack.

use crate::process::Process;
use rmcp_hip_tests::Stubs;
use std::fs;

/// The program on each card, with options to read, on drivers without a table and with one.
fn processes() -> (tempfile::TempDir, Vec<Process>) {
    let folder = tempfile::tempdir().unwrap();
    let options = folder.path().join("rmcp.toml");
    fs::write(&options, "host = 'noncoherent'\nmanaged = 'coarse'\n[library.libmine]\nhost = 'keep'\n").unwrap();
    let program = Process::of(Stubs::get().small_stack()).env("RMCP_CONFIG", options);
    let table = program.clone().env("LD_LIBRARY_PATH", Stubs::get().drivers_with_table(&[]));
    let on = |process: &Process| ["gfx1010", "gfx1100"].map(|target| process.clone().gpus(&[target]));
    (folder, [program, table].iter().flat_map(on).collect())
}

#[test]
fn a_thread_with_the_smallest_stack_can_make_the_first_call() {
    let (_options, processes) = processes();
    for process in processes {
        assert_eq!(process.run("").lines, ["memory"], "{process:?}");
    }
}

#[test]
fn the_first_call_needs_at_most_nine_kib_of_stack() {
    let (_options, processes) = processes();
    for process in processes {
        let needed: usize = process.run("measure").lines[0].parse().unwrap();
        assert!(needed <= 9 << 10, "{needed} bytes: {process:?}");
    }
}
