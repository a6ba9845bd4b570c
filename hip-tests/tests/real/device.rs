//! Device memory under RMCP's defaults.

use crate::{RDNA, scenes};
use rmcp_hip_tests::{Client, Release};

#[test]
fn device_memory_arrives_as_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        let device = without.calls.iter().map(|call| call.label.as_str()).filter(|label| {
            ["hipMalloc", "hipMemAllocPitch", "hipExtMalloc"].iter().any(|start| label.starts_with(start))
                && !label.starts_with("hipMallocManaged")
                && *label != "hipMallocHost"
        });
        let mut seen = 0;
        for mark in device {
            assert_eq!(with.log.only(mark).shape(), without.log.only(mark).shape(), "{mark} in {scene:?}");
            seen += 1;
        }
        assert!(seen >= 8, "{seen} calls in {scene:?}");
    }
}

#[test]
fn fine_grained_device_memory_that_older_runtimes_refuse_stays_refused() {
    for scene in scenes(&RDNA).into_iter().filter(|scene| scene.release() < Release::Rocm643) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for run in [without, with] {
            assert_eq!(run.call("hipExtMallocWithFlags(Finegrained)").error, "hipErrorOutOfMemory", "{scene:?}");
        }
    }
}

#[test]
fn device_finegrained_auto_turns_that_refusal_into_plain_device_memory() {
    for scene in scenes(&RDNA).into_iter().filter(|scene| scene.release() < Release::Rocm643) {
        let scene = scene.with_rmcp().env("RMCP_DEVICE_FINEGRAINED", "auto");
        let Some(with) = scene.run(Client::Allocations) else { return };
        let label = "hipExtMallocWithFlags(Finegrained)";
        assert_eq!(with.call(label).error, "hipSuccess", "{scene:?}");
        let (event, plain) = (with.log.allocation(label), with.log.allocation("hipMalloc"));
        assert_eq!(event.flags().collect::<Vec<_>>(), plain.flags().collect::<Vec<_>>(), "{scene:?}");
    }
}

#[test]
fn uncached_device_memory_stays_uncached() {
    // 5.2.3 does not know the flag.
    for scene in scenes(&RDNA).into_iter().filter(|scene| scene.release() > Release::Rocm523) {
        let Some(run) = scene.with_rmcp().run(Client::Allocations) else { return };
        let event = run.log.allocation("hipExtMallocWithFlags(Uncached)");
        assert!(event.has("VRAM") && event.has("COHERENT") && event.has("EXT_COHERENT"), "{event}");
    }
}
