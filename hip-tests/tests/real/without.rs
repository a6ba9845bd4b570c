//! What the runtime does by itself: the ground that the other promises stand on.

use crate::{RDNA, SIZE, assert_same_log, scenes};
use rmcp_hip_tests::{Client, Release};

#[test]
fn without_rmcp_default_and_mapped_pinned_memory_arrives_coherent() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.run(Client::Allocations) else { return };
        for label in ["hipHostMalloc(0)", "hipHostMalloc(Mapped)", "hipHostMalloc(Coherent)", "hipMemAllocHost"] {
            assert_eq!(run.call(label).code, 0, "{label} in {scene:?}");
            let event = run.log.allocation(label);
            assert!(event.has("USERPTR") && event.has("COHERENT"), "{event} in {scene:?}");
            assert_eq!(event.size(), SIZE);
        }
    }
}

#[test]
fn without_rmcp_portable_write_combined_and_noncoherent_pinned_memory_arrives_without_coherent() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.run(Client::Allocations) else { return };
        for flags in ["Portable", "WriteCombined", "Portable|WriteCombined", "NonCoherent"] {
            let event = run.log.allocation(&format!("hipHostMalloc({flags})"));
            assert!(event.has("USERPTR") && !event.has("COHERENT"), "{event} in {scene:?}");
        }
    }
}

#[test]
fn without_rmcp_device_memory_arrives_as_plain_vram() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.run(Client::Allocations) else { return };
        for label in ["hipMalloc", "hipMallocPitch", "hipMalloc3D", "hipExtMallocWithFlags(Default)"] {
            let event = run.log.allocation(label);
            assert!(event.has("VRAM") && !event.has("COHERENT"), "{event} in {scene:?}");
        }
    }
}

/// The kernel gives an SVM range the flag COHERENT unless it is told otherwise (svm_range_set_default_attributes).
#[test]
fn without_rmcp_managed_memory_is_svm_of_default_coherence() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.run(Client::Allocations) else { return };
        let events = run.log.under("hipMallocManaged(Global)");
        assert!(events.iter().any(|event| event.kind == "svm" && event.size() == SIZE), "{events:?}");
        assert!(events.iter().all(|event| event.kind == "svm" && !event.svm("CLR_FLAGS", "COHERENT")), "{events:?}");
    }
}

#[test]
fn without_rmcp_fine_grained_device_memory_is_refused_by_the_older_runtimes_alone() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.run(Client::Allocations) else { return };
        let error = &run.call("hipExtMallocWithFlags(Finegrained)").error;
        let refused = scene.release() < Release::Rocm643;
        assert_eq!(error, if refused { "hipErrorOutOfMemory" } else { "hipSuccess" }, "{scene:?}");
    }
}

#[test]
fn two_runs_without_rmcp_leave_the_same_log() {
    for scene in scenes(&["gfx1010"]) {
        let Some(one) = scene.run(Client::Allocations) else { return };
        let Some(other) = scene.clone().env("AGAIN", "1").run(Client::Allocations) else { return };
        assert_same_log(&scene, &one, &other);
    }
}
