//! What programs compute is right, with RMCP and without.

use crate::{run, scenes};
use rmcp_hip_tests::{Client, Run, Scene};

fn assert_right(scene: &Scene, run: &Run, calls: usize) {
    assert_eq!(run.calls.len(), calls, "{scene:?}");
    for call in &run.calls {
        assert_eq!((call.code, call.wrong), (0, 0), "{} in {scene:?}", call.label);
    }
}

#[test]
fn programs_compute_what_the_processor_does() {
    for scene in scenes() {
        let Some(run) = run(&scene, Client::Kernels { program: "programs" }) else { return };
        assert_right(&scene, &run, 15);
    }
}

#[test]
fn histograms_by_every_atomic_operation_come_out_whatever_the_order() {
    for scene in scenes() {
        let Some(run) = run(&scene, Client::Kernels { program: "histogram" }) else { return };
        assert_right(&scene, &run, 22);
    }
}

#[test]
fn calls_stacks_packed_halves_and_rounding_modes_are_right() {
    for scene in scenes() {
        let Some(run) = run(&scene, Client::Kernels { program: "calls" }) else { return };
        assert_right(&scene, &run, 6);
    }
}

#[test]
fn a_kernels_printf_reaches_the_programs_output() {
    for scene in scenes() {
        let Some(run) = run(&scene, Client::Kernels { program: "programs" }) else { return };
        for item in 0..3 {
            let line = format!("item {item} of three, 1.5");
            assert!(run.stdout.lines().any(|printed| printed == line), "{scene:?}:\n{}", run.stdout);
        }
    }
}

#[test]
fn programs_compute_the_same_with_rmcp() {
    for scene in scenes().into_iter().map(Scene::with_rmcp) {
        let Some(run) = run(&scene, Client::Kernels { program: "programs" }) else { return };
        assert_right(&scene, &run, 15);
    }
}

#[test]
fn copies_within_the_device_are_right_by_the_runtimes_own_kernels() {
    for scene in scenes() {
        let Some(run) = run(&scene, Client::Copies { device: true }) else { return };
        assert_right(&scene, &run, 30);
    }
}
