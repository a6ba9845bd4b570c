//! Accounts of a few calls that are made up here.

use super::*;
use crate::trace::files::processes;
use crate::trace::testing::{Folder, RecordVariation, call};

const MS: u64 = 1_000_000;

/// One process with these calls, until 1 s.
fn of(calls: &[Record]) -> Replay {
    let folder = Folder::new();
    folder.process(1, 0, calls);
    replay(&processes(folder.path()).unwrap(), &[], 0, 1000 * MS).unwrap()
}

fn function(replay: &Replay, hook: Hook) -> &FunctionUsage {
    &replay.functions[&(false, hook as usize)]
}

#[test]
fn a_free_meets_its_allocation_and_tells_how_long_it_lived() {
    let replay = of(&[
        call(Hook::hipMalloc, 10 * MS, 11 * MS),
        call(Hook::hipHostMalloc, 20 * MS, 21 * MS).at(0x9000).bytes(100),
        call(Hook::hipFree, 51 * MS, 60 * MS),
    ]);
    assert_eq!(function(&replay, Hook::hipMalloc).lifetimes.summary(), Some([40 * MS; 3]));
    assert_eq!(function(&replay, Hook::hipMalloc).never_freed, 0);
    assert_eq!(function(&replay, Hook::hipFree).memory.total, 4096);
    let [vram, pinned, ..] = replay.memory;
    assert_eq!(vram, Usage { now: 0, peak: 4096, peak_at: 11 * MS, total: 4096, never_freed: 0 });
    assert_eq!(pinned, Usage { now: 0, peak: 100, peak_at: 21 * MS, total: 100, never_freed: 100 });
    assert_eq!(replay.largest.len(), 1);
    assert_eq!(replay.devices[&0].peak, 4096);
}

#[test]
fn a_failed_call_allocates_nothing_and_is_counted_by_its_error() {
    let refused = Record { status: 2, ..call(Hook::hipMalloc, 10, 11) };
    let replay = of(&[refused, refused]);
    assert_eq!(function(&replay, Hook::hipMalloc).failures, BTreeMap::from([(2, 2)]));
    assert_eq!(replay.memory[0], Usage::default());
}

#[test]
fn what_the_runtime_allocates_for_itself_is_not_the_programs() {
    let own = Record { by_runtime: true, ..call(Hook::hsa_amd_memory_pool_allocate, 10, 11) };
    // The same address: the runtime hands to the program what it got itself.
    let replay = of(&[own, call(Hook::hipMalloc, 5, 12)]);
    assert_eq!(replay.memory[0].peak, 4096);
    assert_eq!(replay.unseen_frees, 0);
    assert_eq!(replay.functions[&(true, Hook::hsa_amd_memory_pool_allocate as usize)].never_freed, 1);
}

#[test]
fn handles_arrays_and_registrations_are_not_memory_at_the_same_address() {
    let replay = of(&[
        call(Hook::hipMalloc, 10, 11),
        call(Hook::hipMemCreate, 12, 13),
        call(Hook::hipMallocArray, 14, 15),
        call(Hook::hipHostRegister, 16, 17),
        call(Hook::hipMemRelease, 18, 19),
        call(Hook::hipFreeArray, 20, 21),
        call(Hook::hipHostUnregister, 22, 23),
    ]);
    assert_eq!((replay.unseen_frees, replay.unknown_frees), (0, 0));
    assert_eq!(replay.memory.map(|usage| usage.never_freed), [4096, 0, 0, 0]);
    assert_eq!(replay.memory[0].peak, 3 * 4096);
}

#[test]
fn frees_that_nobody_saw_are_counted_and_not_taken_for_leaks() {
    let replay = of(&[
        call(Hook::hipMalloc, 10, 11),
        call(Hook::hipMalloc, 20, 21),
        call(Hook::hipFree, 30, 31).at(0xdead),
        call(Hook::hipFree, 32, 33).at(0),
    ]);
    assert_eq!((replay.unseen_frees, replay.unknown_frees), (1, 1));
    assert_eq!(replay.memory[0], Usage { now: 0, peak: 4096, peak_at: 11, total: 8192, never_freed: 4096 });
}

#[test]
fn a_reset_frees_what_hip_holds_on_the_device() {
    let other = Record { device: Some(1), ..call(Hook::hipMalloc, 12, 13).at(0x9000) };
    let replay = of(&[call(Hook::hipMalloc, 10, 11), other, call(Hook::hipDeviceReset, 20, 21)]);
    assert_eq!(function(&replay, Hook::hipMalloc).never_freed, 1);
    assert_eq!(replay.devices[&1].never_freed, 4096);
}

#[test]
fn memory_of_a_process_that_ended_is_no_longer_there_for_the_next() {
    let folder = Folder::new();
    folder.process(1, 10, &[call(Hook::hipMalloc, 10, 11)]);
    folder.process(2, 100, &[call(Hook::hipMalloc, 100, 101)]);
    let processes = processes(folder.path()).unwrap();
    let together = replay(&processes, &[], 0, 1000).unwrap();
    assert_eq!(together.memory[0].peak, 8192);
    let apart = replay(&processes, &[(50, 0), (150, 1)], 0, 1000).unwrap();
    assert_eq!(apart.memory[0].peak, 4096);
    assert_eq!(apart.memory[0].never_freed, 8192);
    assert_eq!(apart.calls, [1, 1]);
}

#[test]
fn a_call_that_never_returned_is_told_and_changes_nothing() {
    let replay = of(&[call(Hook::hipMalloc, 10, 11), call(Hook::hipFree, 20, 0)]);
    assert_eq!(replay.running.len(), 1);
    assert_eq!(replay.memory[0].never_freed, 4096);
}

#[test]
fn choices_are_counted_by_what_was_asked_and_given() {
    let rewritten = Record { outcome: Outcome::Rewritten, passed: 0x8000_0000, ..call(Hook::hipHostMalloc, 10, 11) };
    let replay = of(&[rewritten, rewritten.at(0x9000), call(Hook::hipHostMalloc, 20, 21).at(0xa000)]);
    let counts = |outcome| replay.choices.iter().find(|(choice, _)| choice.outcome == outcome).unwrap().1;
    assert_eq!(*counts(Outcome::Rewritten), CallCount { calls: 2, failures: 0, bytes: 8192 });
    assert_eq!(*counts(Outcome::Unchanged), CallCount { calls: 1, failures: 0, bytes: 4096 });
}

#[test]
fn a_hundred_thousand_calls_are_replayed_exactly() {
    let calls = (0..50_000).flat_map(|n| {
        let address = 0x1000 * (1 + n % 1000);
        [
            call(Hook::hipMalloc, 10 * n + 1, 10 * n + 2).at(address),
            call(Hook::hipFree, 10 * n + 5, 10 * n + 6).at(address),
        ]
    });
    let replay = of(&calls.collect::<Vec<_>>());
    assert_eq!(function(&replay, Hook::hipMalloc).calls, 50_000);
    assert_eq!(function(&replay, Hook::hipFree).calls, 50_000);
    assert_eq!(replay.memory[0], Usage { now: 0, peak: 4096, peak_at: 2, total: 50_000 * 4096, never_freed: 0 });
    assert_eq!((replay.unknown_frees, replay.unseen_frees), (0, 0));
}
