//! Libraries that come and go: each reaches its own runtime, and nothing of them stays.

use crate::process::Process;
use rmcp_hip_tests::Stubs;
use std::fs;
use std::path::PathBuf;

/// The program, and its arguments: so many cycles of so many libraries of each copy of the runtime.
fn many(program: PathBuf, cycles: usize, libraries: usize) -> (tempfile::TempDir, Process, String) {
    let stubs = Stubs::get();
    let folder = tempfile::tempdir().unwrap();
    let stay = [stubs.allocator(), stubs.wheel_allocator()];
    let come_and_go = (0..libraries).flat_map(|number| stay.each_ref().map(|library| (number, library)));
    let copies = come_and_go.enumerate().map(|(index, (_, library))| {
        let copy = folder.path().join(format!("library-{index}.so"));
        fs::copy(library, &copy).unwrap();
        copy
    });
    let names: Vec<_> = stay.iter().cloned().chain(copies).map(|path| path.display().to_string()).collect();
    let words = format!("{cycles} {} {}", folder.path().display(), names.join(" "));
    // The wheel's look for theirs beside themselves.
    let process = Process::of(program).env("LD_LIBRARY_PATH", stubs.wheel_drivers());
    (folder, process, words)
}

/// By how many KiB a process grew, all of whose calls reached their own copy.
#[track_caller]
fn growth(process: Process, words: &str) -> i64 {
    let report = process.run(words);
    assert_eq!(report.lines[0], "wrong\t0");
    report.lines[1].strip_prefix("grown\t").unwrap().parse().unwrap()
}

/// The process on each card, on drivers without a table and with one.
fn on_every_machine(process: &Process) -> Vec<Process> {
    let table = process.clone().env("LD_LIBRARY_PATH", Stubs::get().drivers_with_table(&[]));
    let on = |process: &Process| ["gfx1010", "gfx1100"].map(|target| process.clone().gpus(&[target]));
    [process, &table].into_iter().flat_map(on).collect()
}

#[test]
fn a_process_grows_by_nothing_while_twenty_thousand_libraries_that_call_come_and_go() {
    const BOUND: i64 = 256;
    let (_folder, process, words) = many(Stubs::get().many(), 20_000, 10);
    let bare = growth(process.clone().bare(), &words);
    for process in on_every_machine(&process) {
        let grown = growth(process.clone(), &words);
        assert!(grown < bare + BOUND, "by {grown} KiB, by {bare} without RMCP: {process:?}");
    }
}

#[test]
fn a_leak_checker_finds_nothing_of_rmcp_when_libraries_have_come_and_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (_folder, process, words) = many(Stubs::get().leak_checked_many(), 100, 4);
    process.clone().bare().run(&words);
    for process in on_every_machine(&process) {
        let logged = process.clone().env("RMCP_LOG", "trace").env("RMCP_LOG_FILE", folder.path().join("log"));
        let traced = process.clone().env("RMCP_TRACE", folder.path());
        for process in [process, logged, traced] {
            // The checker says so in the exit status.
            assert_eq!(process.run(&words).lines[0], "wrong\t0", "{process:?}");
        }
    }
}
