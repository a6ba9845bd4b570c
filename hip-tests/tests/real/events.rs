//! Events, whose fences are what makes non-coherent memory visible to the CPU.

use crate::{RDNA, both, run, scenes};
use rmcp_hip_tests::{Client, Release};

#[test]
fn every_event_completes_with_and_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = both(&scene, Client::Events) else { return };
        for run in [&without, &with] {
            // 5.2.3 has no such flag.
            for call in run.calls.iter().filter(|call| !call.label.starts_with("DisableSystemFence")) {
                assert_eq!(call.error, "hipSuccess", "{} in {scene:?}", call.label);
            }
        }
        assert_eq!(with.calls.len(), without.calls.len(), "{scene:?}");
    }
}

#[test]
fn events_keep_their_system_fence_once_memory_is_noncoherent() {
    for scene in scenes(&["gfx1010"]) {
        let Some(run) = run(&scene.clone().with_rmcp().env("RMCP_LOG", "debug"), Client::Events) else { return };
        let rewrites: Vec<&str> = run.stderr.lines().filter(|line| line.contains("->")).collect();
        let [memory, to_device, no_fence @ ..] = rewrites.as_slice() else { panic!("{}", run.stderr) };
        assert!(memory.contains("hipHostMalloc"), "{memory}");
        assert!(
            to_device.contains("hipEventCreateWithFlags") && to_device.contains("0x40000000 -> 0x0"),
            "{to_device}"
        );
        match no_fence {
            // It refuses the flag, and is asked for what it refuses.
            [] => assert_eq!(scene.release(), Release::Rocm523),
            [line] => {
                assert!(line.contains("hipEventCreateWithFlags") && line.contains("0x20000000 -> 0x0"), "{line}");
            }
            more => panic!("{more:?}"),
        }
    }
}

#[test]
fn event_fence_keep_leaves_the_flags_alone() {
    for scene in scenes(&["gfx1010"]) {
        let scene = scene.with_rmcp().env("RMCP_LOG", "debug").env("RMCP_EVENT_FENCE", "keep");
        let Some(run) = run(&scene, Client::Events) else { return };
        assert!(run.stderr.contains("hipHostMalloc"), "{}", run.stderr);
        assert!(!run.stderr.contains("hipEventCreateWithFlags"), "{}", run.stderr);
    }
}
