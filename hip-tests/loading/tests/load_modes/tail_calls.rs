//! Calls that return past their caller, since a wrapper that ends in one was compiled into a jump: they reach the runtime that the
//! wrapper is linked against.

use crate::process::Process;
use crate::{NON_COHERENT, SYSTEM};
use rmcp_hip_tests::Stubs;

const BUNDLED: &str = "libamdhip64-1a2b3c4d.so";

/// A call: the commands for it, without the number of its library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// It returns to its library.
    Direct,
    /// It returns to the program, which is linked with no runtime.
    FromProgram,
    /// It returns to the other library, which is linked with another copy.
    FromOther,
}

/// The commands, for the library of this number, and what the report says of the copy that was reached.
fn commands(call: Call, library: usize) -> String {
    // The client tells what arrived by its next command: one that RMCP has no hook for.
    match call {
        Call::Direct => format!("@{library} hipHostMalloc=0"),
        Call::FromProgram => format!("@{library} tail hipSetDevice=0"),
        Call::FromOther => format!("@{library} tail@{} hipSetDevice=0", 1 - library),
    }
}

/// Every sequence of three calls by the two libraries reaches what each is linked against, in both orders of loading.
#[track_caller]
fn assert_each_reaches_its_own(kinds: &[Call], target: &str, flags: &str) {
    let stubs = Stubs::get();
    let copies = [(stubs.allocator(), SYSTEM), (stubs.wheel_allocator(), BUNDLED)];
    let calls: Vec<_> = kinds.iter().flat_map(|&kind| [(kind, 0), (kind, 1)]).collect();
    let mut wrong = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let process = Process::loading(&order.map(|index| ("local", copies[index].0.clone()))).gpus(&[target]);
        for (&first, &second) in calls.iter().flat_map(|first| calls.iter().map(move |second| (first, second))) {
            let sequence = [first, second, first];
            let words = sequence.map(|(call, library)| commands(call, library)).join(" ");
            let report = process.run(&words);
            let arrivals: Vec<_> = report.lines.iter().filter_map(|line| line.split_once("\tlib")).collect();
            let arrived: Vec<_> = arrivals.iter().map(|(_, call)| format!("lib{call}")).collect();
            let own = |library: usize| copies[order[library]].1;
            let expected = sequence.map(|(_, library)| format!("{}: hipHostMalloc(0x1000, {flags})", own(library)));
            if arrived != expected {
                wrong.push(format!("loaded {order:?}, {sequence:?}: {arrived:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them on {target}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_tail_call_that_returns_to_a_program_without_a_runtime_reaches_the_copy_of_its_library() {
    for (target, flags) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        assert_each_reaches_its_own(&[Call::Direct, Call::FromProgram], target, flags);
    }
}

#[test]
fn a_tail_call_that_returns_to_a_library_of_another_copy_reaches_the_copy_of_its_own() {
    for (target, flags) in [("gfx1010", NON_COHERENT), ("gfx1100", "0x0")] {
        assert_each_reaches_its_own(&[Call::Direct, Call::FromOther], target, flags);
    }
}
