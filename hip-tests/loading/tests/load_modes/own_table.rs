//! A runtime whose functions stand behind a table, as those of ROCm 6 and later do: RMCP finds it by itself and meets every
//! call in it, however the program came by the function. What is in doubt is left alone, and the gate serves.

use crate::process::Process;
use crate::{NON_COHERENT, SYSTEM, host_malloc};
use rmcp_hip_tests::{COPIES, Stubs};
use std::path::PathBuf;

const BUNDLED: &str = "libamdhip64-1a2b3c4d.so";

/// The process, with drivers that have a table; `flags` are those of `table.h`.
fn with_table(process: Process, flags: &[&str]) -> Process {
    process.env("LD_LIBRARY_PATH", Stubs::get().drivers_with_table(flags)).gpus(&["gfx1010"])
}

fn linked() -> Process {
    with_table(Process::linked(), &[])
}

fn loading(clients: &[PathBuf]) -> Process {
    let clients: Vec<_> = clients.iter().map(|client| ("local", client.clone())).collect();
    with_table(Process::loading(&clients), &[])
}

/// What a client prints of a function that it looked up in its own copy of the runtime.
fn by_dlsym(copy: &str, flags: &str) -> String {
    format!("dlsym:{}", host_malloc(copy, flags))
}

/// One call through the gate, then one past it.
const BOTH: &str = "hipHostMalloc=0 dlsym:hipHostMalloc=0";

fn both(copy: &str, flags: &str) -> [String; 2] {
    [host_malloc(copy, flags), by_dlsym(copy, flags)]
}

#[test]
fn a_call_is_rewritten_once_whether_it_is_linked_or_looked_up() {
    let report = linked().run(&format!("{BOTH} counters"));
    assert_eq!(report.lines[..2], both(SYSTEM, NON_COHERENT));
    assert!(report.lines[2].contains("\thipHostMalloc: 0 forwarded, 2 rewritten, 0 of the runtime"), "{report:?}");
    assert_eq!(
        linked().env("RMCP_DISPATCH_TABLE", "off").run(BOTH).lines,
        [host_malloc(SYSTEM, NON_COHERENT), by_dlsym(SYSTEM, "0x0")]
    );
}

#[test]
fn a_program_that_looks_every_function_up_is_met_from_its_second_call_on() {
    let report = linked().run("dlsym:hipHostMalloc=0 dlsym:hipHostMalloc=0 hipHostMalloc=0");
    assert_eq!(
        report.lines,
        [by_dlsym(SYSTEM, "0x0"), by_dlsym(SYSTEM, NON_COHERENT), host_malloc(SYSTEM, NON_COHERENT)]
    );
}

#[test]
fn a_library_loaded_with_deepbind_is_met_on_a_runtime_that_was() {
    let stubs = Stubs::get();
    let process = Process::loading(&[("local", stubs.client()), ("deepbind", stubs.allocator())]);
    let report = with_table(process, &[]).run("@0 hipHostMalloc=0 @1 hipHostMalloc=0");
    assert_eq!(report.lines, [host_malloc(SYSTEM, NON_COHERENT), host_malloc(SYSTEM, NON_COHERENT)]);
}

#[test]
fn places_are_taken_where_a_rule_could_change_the_call_and_all_of_them_to_log_every_call() {
    let places = "table:hipHostMalloc table:hipMalloc table:hipFree";
    let taken = |process: &Process, commands: &str| -> Vec<bool> {
        let lines = process.run(&format!("{BOTH} {commands} {places}")).lines;
        lines[lines.len() - 3..].iter().map(|line| line.ends_with("\treplaced")).collect()
    };
    assert_eq!(taken(&linked(), ""), [true, false, false]);
    assert_eq!(taken(&linked().env("RMCP_LOG", "trace"), ""), [true; 3]);
    assert_eq!(taken(&linked(), "disable"), [false; 3]);
    assert_eq!(taken(&linked().env("RMCP_DISABLE", "1"), ""), [false; 3]);
    assert_eq!(taken(&linked().env("RMCP_HOST", "keep"), "")[1..], [false; 2]);
    assert_eq!(taken(&linked().gpus(&["gfx1100"]), ""), [false; 3]);
    assert_eq!(taken(&linked().env("RMCP_DISPATCH_TABLE", "off"), ""), [false; 3]);
}

#[test]
fn rmcp_disable_ends_the_rewriting_of_calls_past_the_gate_too() {
    let report = linked().run(&format!("{BOTH} disable {BOTH} counters"));
    assert_eq!(report.lines[..2], both(SYSTEM, NON_COHERENT));
    assert_eq!(report.lines[3..5], both(SYSTEM, "0x0"));
    assert!(report.lines[5].contains("\thipHostMalloc: 0 forwarded, 2 rewritten, 0 of the runtime"), "{report:?}");
}

#[test]
fn each_copy_has_a_table_and_functions_of_its_own() {
    let stubs = Stubs::get();
    let process = loading(&[stubs.client(), stubs.wheel_client()]);
    for (order, copies) in [("@0 @1 @0 @1", [SYSTEM, BUNDLED]), ("@1 @0 @1 @0", [BUNDLED, SYSTEM])] {
        let commands: Vec<_> = order.split(' ').map(|index| format!("{index} {BOTH}")).collect();
        let expected: Vec<_> = copies.iter().chain(&copies).flat_map(|copy| both(copy, NON_COHERENT)).collect();
        assert_eq!(process.run(&commands.join(" ")).lines, expected, "{order}");
    }
}

#[test]
fn a_copy_that_is_loaded_later_is_met_too() {
    let stubs = Stubs::get();
    let load = format!("--local={}", stubs.wheel_client().display());
    let report = loading(&[stubs.client()]).run(&format!("@0 {BOTH} {load} @1 {BOTH} @0 {BOTH}"));
    let expected = [SYSTEM, BUNDLED, SYSTEM].map(|copy| both(copy, NON_COHERENT));
    assert_eq!(report.lines, expected.concat());
}

#[test]
fn of_more_copies_than_rmcp_has_room_for_each_program_still_reaches_its_own() {
    let stubs = Stubs::get();
    let process = loading(&(1..=COPIES).map(|number| stubs.client_of_copy(number)).collect::<Vec<_>>());
    let commands: Vec<_> = (0..COPIES).map(|index| format!("@{index} {BOTH}")).collect();
    let report = process.run(&commands.join(" "));
    let name = |index: usize| format!("libamdhip64-{}.so", index + 1);
    let (served, last) = report.lines.split_at(2 * (COPIES - 1));
    assert_eq!(served, (0..COPIES - 1).flat_map(|index| both(&name(index), NON_COHERENT)).collect::<Vec<_>>());
    assert_eq!(last, both(&name(COPIES - 1), "0x0"));
}

#[test]
fn a_table_in_doubt_is_left_alone_and_the_gate_serves() {
    for flags in ["-DTWO_TABLES", "-DNO_CODE", "-DPLAIN_EXPORT=\"hipHostMalloc\""] {
        let report = with_table(Process::linked(), &[flags]).run(&format!("{BOTH} {BOTH}"));
        let expected = [host_malloc(SYSTEM, NON_COHERENT), by_dlsym(SYSTEM, "0x0")];
        assert_eq!(report.lines, [expected.clone(), expected].concat(), "{flags}");
    }
}

/// The lines that the profiler prints while the process runs, and those of the report.
fn profiled(commands: &str) -> (usize, Vec<String>) {
    let stubs = Stubs::get();
    let lines = loading(&[stubs.client(), stubs.profiler()]).run(commands).lines;
    let (seen, report): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line == "profiler: hipHostMalloc(0x1000)");
    (seen.len(), report)
}

#[test]
fn a_profiler_that_wraps_the_table_before_or_after_rmcp_sees_each_call_and_each_is_rewritten() {
    let wrap = "wrap:hipHostMalloc".to_owned();
    let (seen, report) = profiled(&format!("@1 {wrap} @0 {BOTH} {BOTH}"));
    let twice = [both(SYSTEM, NON_COHERENT), both(SYSTEM, NON_COHERENT)].concat();
    assert_eq!((seen, &report), (4, &[vec![wrap.clone()], twice].concat()), "before");
    let (seen, report) = profiled(&format!("@0 {BOTH} @1 {wrap} @0 {BOTH}"));
    let [first, second] = [both(SYSTEM, NON_COHERENT), both(SYSTEM, NON_COHERENT)].map(Vec::from);
    assert_eq!((seen, &report), (2, &[first, vec![wrap], second].concat()), "after");
}

#[test]
fn rmcp_disable_leaves_a_profiler_in_the_table_that_wrapped_it_before_or_after() {
    for wrap in ["@1 wrap:hipHostMalloc @0 hipHostMalloc=0", "@0 hipHostMalloc=0 @1 wrap:hipHostMalloc @0"] {
        let (seen, _) = profiled(wrap);
        let (seen_with_more, report) = profiled(&format!("{wrap} disable {BOTH}"));
        assert_eq!(seen_with_more, seen + 2, "{wrap}");
        assert_eq!(report[report.len() - 2..], both(SYSTEM, "0x0"), "{wrap}");
    }
}

#[test]
fn a_runtime_that_is_unloaded_and_loaded_again_is_met_again_each_time() {
    // Once more than RMCP has room for copies.
    const TIMES: usize = COPIES;
    let client = Stubs::get().client();
    let again = |index: usize| format!("@{index} {BOTH} --unload={index} --local={}", client.display());
    let commands: Vec<_> = (0..TIMES).map(again).collect();
    let report = loading(std::slice::from_ref(&client)).run(&format!("{} @{TIMES} {BOTH}", commands.join(" ")));
    assert_eq!(report.lines, vec![both(SYSTEM, NON_COHERENT); TIMES + 1].concat());
}

#[test]
fn a_forked_child_is_met_whether_its_parent_called_before_or_not() {
    let expected = both(SYSTEM, NON_COHERENT).to_vec();
    let (child, end) = (vec!["child".to_owned()], vec!["fork\t0".to_owned()]);
    let report = linked().run(&format!("{BOTH} fork {BOTH}"));
    assert_eq!(
        report.lines,
        [expected.clone(), child.clone(), expected.clone(), end.clone(), expected.clone()].concat()
    );
    let report = linked().run(&format!("fork {BOTH}"));
    assert_eq!(report.lines, [child, expected.clone(), end, expected].concat());
}

#[test]
fn threads_that_make_the_first_calls_at_once_are_all_rewritten_once() {
    let report = linked().run("threads=64 counters");
    assert_eq!(report.lines[0], format!("threads=64\t0\t{SYSTEM}: hipHostMalloc(0x1000, {NON_COHERENT}) x64"));
    assert!(report.lines[1].contains("\thipHostMalloc: 0 forwarded, 64 rewritten, 0 of the runtime"), "{report:?}");
}
