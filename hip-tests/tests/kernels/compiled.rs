//! What Debian's hipcc compiled ahead of time, for two cards in one file, is right on every runtime that knows its code
//! objects. One compilation serves all of them.

use crate::{RDNA, scene};
use rmcp_hip_tests::{Client, Compiler, Release, Scene};

const ALL: &[Release] = &Release::ALL;
const SINCE_571: &[Release] = &[Release::Rocm571, Release::Rocm643, Release::Rocm724];
const SINCE_643: &[Release] = &[Release::Rocm643, Release::Rocm724];

fn scenes(releases: &[Release]) -> impl Iterator<Item = Scene> {
    releases.iter().flat_map(|&release| RDNA.map(|machine| scene(release, machine)))
}

#[track_caller]
fn assert_right(scenes: impl Iterator<Item = Scene>, flags: &[&'static str]) {
    let flags: Vec<_> = flags.iter().copied().chain(["-ffp-contract=off"]).collect();
    for scene in scenes {
        let Some(run) = scene.run(Client::Compiled { flags: flags.clone() }) else { return };
        run.assert_right(10);
        for item in 0..3 {
            let line = format!("item {item} of three, 1.75");
            assert!(run.stdout.lines().any(|printed| printed == line), "{flags:?} in {scene:?}:\n{}", run.stdout);
        }
    }
}

/// With these flags for wave64.
fn wave64(flags: [&'static str; 2]) -> Vec<&'static str> {
    [&flags[..], &Compiler::WAVE64].concat()
}

#[test]
fn optimised_code_objects_v4_are_right_on_every_release() {
    assert_right(scenes(ALL), &["-O2", "-mcode-object-version=4"]);
}

#[test]
fn the_same_program_is_right_with_rmcp() {
    assert_right(scenes(ALL).map(Scene::with_rmcp), &["-O2", "-mcode-object-version=4"]);
}

#[test]
fn wave64_is_right_on_every_release() {
    assert_right(scenes(ALL), &wave64(["-O2", "-mcode-object-version=4"]));
}

/// 5.7.1 dies in hipLaunchKernel of a kernel whose arguments have hidden_dynamic_lds_size.
#[test]
fn code_objects_v5_are_right_since_5_7() {
    assert_right(scenes(SINCE_571), &["-O2", "-mcode-object-version=5", "-DSTATIC_LDS"]);
}

#[test]
fn code_objects_v6_are_right_since_6_4() {
    assert_right(scenes(SINCE_643), &["-O2", "-mcode-object-version=6"]);
}

/// 5.2.3 dies in hipLaunchKernel of a kernel whose arguments have hidden_default_queue, as all have at -O0.
#[test]
fn what_is_not_optimised_is_right_since_5_7() {
    assert_right(scenes(SINCE_571), &["-O0", "-mcode-object-version=4"]);
}

#[test]
fn wave64_that_is_not_optimised_is_right_since_6_4() {
    assert_right(scenes(SINCE_643), &wave64(["-O0", "-mcode-object-version=6"]));
}
