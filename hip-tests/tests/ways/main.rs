//! Whichever way a program takes to the runtime, default memory is rewritten and nothing else is; the ways on which RMCP
//! misses a call are those of docs/reference/coverage.md, which is written from what is observed here.
#![forbid(unsafe_code)]

mod exports;
mod matrix;
mod page;

use matrix::{Cell, matrix};
use rmcp_hip_tests::{Bypass, Client, LoadMode, Release, Scene, require};

/// What a way may miss without anyone having to look into it: it goes past every preloaded library.
const DOCUMENTED: [LoadMode; 2] = [LoadMode::Dlsym, LoadMode::DeepBind];

#[test]
fn the_page_of_coverage_says_what_is_observed() {
    let (Some(matrix), Some(exports)) = (matrix(), require("ROCm's libraries", exports::by_release())) else { return };
    generated_text::check_below("docs/reference/coverage.md", &page::text(matrix, &exports));
}

#[test]
fn nothing_is_missed_but_on_the_ways_past_every_preload() {
    let Some(matrix) = matrix() else { return };
    for ((way, release, call), cell) in matrix {
        let documented = DOCUMENTED.contains(&way.load_mode());
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
fn the_runtimes_table_is_left_alone_unless_the_option_is_on() {
    for (option, counted) in [("off", 0), ("on", 1)] {
        let scene = matrix::with_table(matrix::scene(Release::Rocm643), option);
        let Some(run) = scene.run(Client::Ways(LoadMode::Table(Bypass::Dlsym))) else { return };
        assert_eq!(run.call("hipHostMalloc(0)").counted, counted, "{option}");
    }
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
                for (owner, asked) in
                    [("first", "first"), ("first", "second"), ("second", "first"), ("second", "second")]
                {
                    let knows = run.call(&format!("the {owner} asked of the {asked}")).code == 0;
                    assert_eq!(knows, owner == asked, "memory of the {owner}, asked of the {asked}, in {scene:?}");
                }
            }
        }
    }
}
