//! Events, whose fences are what makes non-coherent memory visible to the CPU.

use crate::{RDNA, scenes};
use rmcp_hip_tests::{Client, Release};

#[test]
fn every_event_completes_with_and_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Events) else { return };
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
fn events_keep_their_system_fence_whatever_memory_there_is_when_they_are_made() {
    for scene in scenes(&["gfx1010"]) {
        let Some(run) = scene.clone().with_rmcp().env("RMCP_LOG", "debug").run(Client::Events) else { return };
        let rewrites: Vec<&str> = run.stderr.lines().filter(|line| line.contains("->")).collect();
        let memory = rewrites.iter().position(|line| line.contains("hipHostMalloc")).expect("the first pinned memory");
        for lines in [&rewrites[..memory], &rewrites[memory + 1..]] {
            let kept = |flags: &str| {
                let event = |line: &&&str| line.contains("hipEventCreateWithFlags") && line.contains(flags);
                lines.iter().filter(event).count()
            };
            assert_eq!(kept("0x40000000 -> 0x0"), 1, "{lines:#?}");
            // 5.2.3 refuses the flag, and is asked for what it refuses.
            assert_eq!(kept("0x20000000 -> 0x0"), usize::from(scene.release() != Release::Rocm523), "{lines:#?}");
        }
    }
}

#[test]
fn where_no_option_makes_memory_noncoherent_events_are_as_they_are_asked_for() {
    for scene in scenes(&["gfx1010"]) {
        let scene = scene.with_rmcp().env("RMCP_LOG", "debug").env("RMCP_VRAM_FRACTION", "0.9");
        let scene = scene.env("RMCP_HOST", "keep").env("RMCP_MANAGED", "keep");
        let Some(run) = scene.run(Client::Events) else { return };
        assert!(run.stderr.contains("active; GPU 0 gfx1010: vram_fraction=0.9"), "{}", run.stderr);
        assert!(!run.stderr.contains("hipEventCreateWithFlags"), "{}", run.stderr);
    }
}

#[test]
fn event_fence_keep_leaves_the_flags_alone() {
    for scene in scenes(&["gfx1010"]) {
        let scene = scene.with_rmcp().env("RMCP_LOG", "debug").env("RMCP_EVENT_FENCE", "keep");
        let Some(run) = scene.run(Client::Events) else { return };
        assert!(run.stderr.contains("hipHostMalloc"), "{}", run.stderr);
        assert!(!run.stderr.contains("hipEventCreateWithFlags"), "{}", run.stderr);
    }
}
