//! What programs compute is right, with RMCP and without.

use crate::scenes;
use rmcp_hip_tests::{Client, Scene};

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
