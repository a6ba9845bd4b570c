//! Whichever way a program takes to the runtime, default memory is rewritten and nothing else is; the ways on which RMCP
//! misses a call are those of docs/reference/coverage.md, which is written from what is observed here.
#![forbid(unsafe_code)]

mod exports;
mod matrix;
mod page;

use matrix::{Cell, matrix};
use rmcp_hip_tests::{Client, LoadMode, Release, Run, Scene, require};

/// The ways past every preloaded library. Before 6 the runtime has no table in which RMCP could meet them.
const PAST_EVERY_PRELOAD: [LoadMode; 3] = [LoadMode::Dlsym, LoadMode::Ctypes, LoadMode::DeepBind];
const WITH_TABLE: [Release; 2] = [Release::Rocm643, Release::Rocm724];

#[test]
fn the_page_of_coverage_says_what_is_observed() {
    let (Some(matrix), Some(exports)) = (matrix(), require("ROCm's libraries", exports::by_release())) else { return };
    generated_text::check_below("docs/reference/coverage.md", &page::text(matrix, &exports));
}

#[test]
fn nothing_is_missed_but_before_6_on_the_ways_past_every_preload() {
    let Some(matrix) = matrix() else { return };
    for ((way, release, call), cell) in matrix {
        let documented = PAST_EVERY_PRELOAD.contains(&way.load_mode()) && !WITH_TABLE.contains(release);
        assert!(*cell != Cell::Missed || documented, "{call} by {} on {release}", way.name());
    }
}

#[test]
fn default_pinned_and_managed_memory_is_rewritten_and_nothing_else_is_on_every_way_that_is_not_missed() {
    let Some(matrix) = matrix() else { return };
    for ((way, release, call), cell) in matrix {
        let expected = match *call {
            "hipHostMalloc(Coherent)" | "hipMalloc" => Cell::Forwarded,
            _ => Cell::Rewritten,
        };
        let silent = [Cell::Missed, Cell::NotInRelease, Cell::NoSuchWay].contains(cell);
        assert!(silent || *cell == expected, "{call} by {} on {release}: {cell:?}", way.name());
    }
}

#[test]
fn what_is_rewritten_is_so_without_a_hook_for_anything_else() {
    let Some(matrix) = matrix() else { return };
    for ((way, release, call), cell) in matrix.iter().filter(|(_, cell)| **cell == Cell::Rewritten) {
        let Some(coherent) = way.uncounted_is_coherent(*release, call) else { return };
        assert!(!coherent, "{call} by {} on {release}: {cell:?}", way.name());
    }
}

#[test]
fn the_runtimes_table_is_left_alone_where_the_option_is_off() {
    for release in WITH_TABLE {
        for (option, met) in [("off", false), ("on", true)] {
            let scene = matrix::count_all(matrix::scene(release)).with_rmcp().env("RMCP_DISPATCH_TABLE", option);
            let Some(run) = scene.run(Client::Ways(LoadMode::Dlsym)) else { return };
            let call = "hipHostMalloc(0)";
            assert_eq!(run.call(call).counted, u64::from(met), "{option} on {release}");
            assert_eq!(run.log.allocation(call).has("COHERENT"), !met, "{option} on {release}");
        }
    }
}

/// The runtime calls hsa_init, by which RMCP finds the table, when the function that the program called has left the table
/// behind.
#[test]
fn of_a_program_that_links_nothing_the_very_first_hip_call_is_missed_and_the_second_is_not() {
    for release in WITH_TABLE {
        let scene = matrix::count_all(matrix::scene(release)).with_rmcp();
        let Some(run) = scene.run(Client::Ways(LoadMode::DlsymAtOnce)) else { return };
        for (call, met) in [("first hipHostMalloc(0)", false), ("second hipHostMalloc(0)", true)] {
            assert_eq!((run.call(call).code, run.call(call).counted), (0, u64::from(met)), "{call} on {release}");
            let pinned = run.log.allocations(call).into_iter().find(|event| event.size() == 0xa0_0000);
            assert_eq!(pinned.expect("pinned memory").has("COHERENT"), !met, "{call} on {release}");
        }
    }
}

/// Of the copies that the client's memory came from: each knows its own, and not the other's.
#[track_caller]
fn assert_own(run: &Run) {
    let reports = run.calls.iter().filter(|call| call.label.contains(" asked of the "));
    let mut owners = 0;
    for report in reports {
        let (owner, asked) = report.label.split_once(" asked of ").expect("a report of an owner");
        assert_eq!(report.code == 0, owner == asked, "memory of {owner}, asked of {asked}, in {:?}", run.scene);
        owners += 1;
    }
    assert!(owners >= 4, "{}", run.stdout);
}

#[test]
fn each_caller_reaches_its_own_of_two_copies_of_the_runtime() {
    // On a gfx90a RMCP is inactive.
    for (mode, card) in
        [(LoadMode::TwoCopies, "gfx1010"), (LoadMode::TwoCopies, "gfx90a"), (LoadMode::LateCopy, "gfx90a")]
    {
        for release in Release::ALL {
            for scene in [Scene::new(release, card), Scene::new(release, card).with_rmcp()] {
                let Some(run) = scene.run(Client::Ways(mode)) else { return };
                assert_own(&run);
            }
        }
    }
}

#[test]
fn a_library_whose_calls_are_jumps_reaches_the_copy_that_it_is_linked_with() {
    for (card, second_first) in ["gfx1010", "gfx90a"].into_iter().flat_map(|card| [(card, false), (card, true)]) {
        for release in Release::ALL {
            for scene in [Scene::new(release, card), Scene::new(release, card).with_rmcp()] {
                let Some(run) = scene.run(Client::Ways(LoadMode::Jumps { second_first })) else { return };
                assert_own(&run);
            }
        }
    }
}
