//! Machines with several GPUs, and threads that each have a current device of their own.

use crate::program::Program;
use rmcp_hip_tests::{Client, Release, Run, Scene, machine};
use std::sync::Arc;

const THREADS: u64 = 8;

/// RX 5600 XT, the processor's own graphics, RX 7900 XTX.
const MIXED: [&str; 3] = ["gfx1010", "gfx1036", "gfx1100"];

/// Runs the client on the runtime that knows flags alone; what it prints.
fn run(program: &Program, rewritten: &str, calls: &str) -> String {
    program.run(&[rewritten, calls])
}

#[test]
fn each_thread_has_the_rules_of_its_current_device() {
    for (gpus, rewritten) in
        [(&["gfx1010", "gfx1036"][..], "10"), (&MIXED, "100"), (&["gfx1036", "gfx1100", "gfx1030", "gfx1010"], "0011")]
    {
        // The program checks what arrived.
        run(&Program::new("gpus", gpus), rewritten, "1000");
    }
}

#[test]
fn the_processors_own_gpu_is_rewritten_when_asked_for() {
    run(&Program::new("gpus", &MIXED).env("RMCP_APU", "patch"), "110", "100");
}

#[test]
fn a_device_is_the_one_that_the_visibility_variables_leave_in_its_place() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("HIP_VISIBLE_DEVICES", "2,0")], "01"),
        (&[("ROCR_VISIBLE_DEVICES", "1,0")], "01"),
        (&[("CUDA_VISIBLE_DEVICES", "0,1")], "10"),
        (&[("ROCR_VISIBLE_DEVICES", "2,0,1"), ("HIP_VISIBLE_DEVICES", "1,0")], "10"),
        (&[("HIP_VISIBLE_DEVICES", "1"), ("CUDA_VISIBLE_DEVICES", "0")], "0"),
    ];
    for (masks, rewritten) in cases {
        let program =
            masks.iter().fold(Program::new("gpus", &MIXED), |program, (name, value)| program.env(name, *value));
        run(&program, rewritten, "100");
    }
}

#[test]
fn the_current_device_is_asked_for_only_where_the_gpus_rules_differ() {
    for (gpus, rewritten, asked) in [
        (&["gfx1010"][..], "1", 0),
        (&["gfx1010", "gfx1010", "gfx1030", "gfx1031"], "1111", 0),
        (&["gfx1100", "gfx1100"], "00", 0),
        // Once a call: eight threads, each ten times on every device.
        (&MIXED, "100", THREADS * 10 * 3),
    ] {
        let report = run(&Program::new("gpus", gpus), rewritten, "10");
        let line = format!("asked for the device {asked} times");
        assert_eq!(report.lines().last(), Some(line.as_str()), "{gpus:?}");
    }
}

/// The client on a real runtime, with RMCP. `rewritten` has a digit a device.
fn run_on_cards(
    release: Release,
    cards: &[&str],
    environment: &[(&str, &str)],
    rewritten: &'static str,
) -> Option<Arc<Run>> {
    let scene = Scene::new(release, &machine(cards, true)).with_rmcp();
    let scene = environment.iter().fold(scene, |scene, (name, value)| scene.env(name, value));
    scene.run(Client::Threads { program: "gpus", args: vec![rewritten, "4"] })
}

/// Whether all memory that was pinned while each device was current is coherent.
#[track_caller]
fn assert_pinned(run: &Run, rewritten: &str) {
    for (device, digit) in rewritten.chars().enumerate() {
        let size = 0xa0_0000 + 0x20_0000 * device as u64;
        let pinned: Vec<_> =
            run.log.events.iter().filter(|event| event.has("USERPTR") && event.size() == size).collect();
        assert_eq!(pinned.len() as u64, 4 * THREADS, "device {device}");
        for event in pinned {
            assert_eq!(event.has("COHERENT"), digit == '0', "{event} of device {device}");
        }
    }
}

#[test]
fn memory_reaches_the_kernel_as_the_current_device_of_its_thread_has_it() {
    for (release, cards, rewritten) in [
        (Release::Rocm643, &MIXED[..], "100"),
        (Release::Rocm643, &["gfx1036", "gfx1100", "gfx1030", "gfx1010"], "0011"),
        (Release::Rocm523, &["gfx1010", "gfx90a", "gfx1030"], "101"),
    ] {
        let Some(run) = run_on_cards(release, cards, &[], rewritten) else { return };
        assert_pinned(&run, rewritten);
    }
}

#[test]
fn a_node_that_is_told_to_call_itself_another_keeps_its_rules() {
    // Nodes 1 and 3; node 0 is the CPU.
    let overrides = [("HSA_OVERRIDE_GFX_VERSION_1", "10.3.0"), ("HSA_OVERRIDE_GFX_VERSION_3", "10.3.0")];
    let Some(run) = run_on_cards(Release::Rocm643, &MIXED, &overrides, "100") else { return };
    for line in ["device 0 calls itself gfx1030", "device 1 calls itself gfx1036", "device 2 calls itself gfx1030"] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    assert_pinned(&run, "100");
}

#[test]
fn visible_devices_are_numbered_as_the_runtime_numbers_them() {
    for (masks, rewritten) in [
        (&[("HIP_VISIBLE_DEVICES", "2,0")][..], "01"),
        (&[("ROCR_VISIBLE_DEVICES", "1,0")], "01"),
        (&[("ROCR_VISIBLE_DEVICES", "2,0,1"), ("HIP_VISIBLE_DEVICES", "1,0")], "10"),
    ] {
        let Some(run) = run_on_cards(Release::Rocm643, &MIXED, masks, rewritten) else { return };
        assert_pinned(&run, rewritten);
    }
}
