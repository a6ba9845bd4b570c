//! What programs compute is right, with RMCP and without.

use crate::{scene, scenes};
use rmcp_hip_tests::{Client, Release, Scene};

const PROGRAMS: Client = Client::Kernels { program: "programs" };

/// Every call of the client is right in each scene.
#[track_caller]
fn assert_right(scenes: impl IntoIterator<Item = Scene>, client: Client, calls: usize) {
    for scene in scenes {
        let Some(run) = scene.run(client.clone()) else { return };
        run.assert_right(calls);
    }
}

#[test]
fn programs_compute_what_the_processor_does() {
    assert_right(scenes(), PROGRAMS, 15);
}

/// RDNA1 and RDNA2 beyond the two cards of the other tests.
const MORE_CARDS: [&str; 8] = ["gfx1011", "gfx1012", "gfx1013", "gfx1031", "gfx1032", "gfx1034", "gfx1035", "gfx1036"];

#[test]
fn programs_compute_the_same_on_every_card_of_rdna1_and_rdna2() {
    assert_right(MORE_CARDS.map(|card| scene(Release::Rocm643, card)), PROGRAMS, 15);
}

#[test]
fn programs_compute_the_same_with_rmcp() {
    assert_right(scenes().into_iter().map(Scene::with_rmcp), PROGRAMS, 15);
}

#[test]
fn histograms_by_every_atomic_operation_come_out_whatever_the_order() {
    assert_right(scenes(), Client::Kernels { program: "histogram" }, 22);
}

#[test]
fn calls_stacks_packed_halves_and_rounding_modes_are_right() {
    assert_right(scenes(), Client::Kernels { program: "calls" }, 6);
}

#[test]
fn arrays_are_copied_and_sampled_right() {
    let scenes = ["gfx1010", "gfx1030"].map(|machine| scene(Release::Rocm643, machine));
    assert_right(
        scenes.clone().into_iter().chain(scenes.map(Scene::with_rmcp)),
        Client::Kernels { program: "images" },
        15,
    );
}

#[test]
fn copies_within_the_device_are_right_by_the_runtimes_own_kernels() {
    assert_right(scenes(), Client::Copies { device: true }, 30);
}

#[test]
fn a_kernels_printf_reaches_the_programs_output() {
    for scene in scenes() {
        let Some(run) = scene.run(PROGRAMS) else { return };
        for item in 0..3 {
            let line = format!("item {item} of three, 1.5");
            assert!(run.stdout.lines().any(|printed| printed == line), "{scene:?}:\n{}", run.stdout);
        }
    }
}
