//! Pinned host memory under RMCP's defaults.

use crate::{RDNA, SIZE, scenes};
use rmcp_hip_tests::{Call, Client, Release, Run};

/// Calls whose flags ask for no kind of coherence.
const WITHOUT_COHERENCE_FLAGS: [&str; 6] = [
    "the first hipHostMalloc(0)",
    "hipHostMalloc(0)",
    "hipHostMalloc(Mapped)",
    "hipHostMalloc(Portable|Mapped)",
    "hipHostMalloc(Mapped|WriteCombined)",
    "hipMemAllocHost",
];

#[test]
fn default_pinned_memory_reaches_the_kernel_without_coherent() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for label in WITHOUT_COHERENCE_FLAGS {
            let pinned = |run: &Run| {
                let events = run.log.allocations(label);
                let own = events.into_iter().find(|event| event.size() == SIZE && event.has("USERPTR"));
                own.unwrap_or_else(|| panic!("{label} pins nothing in {scene:?}:\n{}", run.log.only(label))).clone()
            };
            assert!(pinned(&without).has("COHERENT"), "{label} without RMCP in {scene:?}");
            assert!(!pinned(&with).has("COHERENT"), "{label} with RMCP in {scene:?}");
            assert_eq!(with.call(label).code, 0, "{label} in {scene:?}");
        }
    }
}

#[test]
fn the_rest_of_a_rewritten_allocation_is_as_it_was() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for label in ["hipHostMalloc(0)", "hipHostMalloc(Mapped)", "hipMemAllocHost"] {
            let (before, after) = (without.log.allocation(label), with.log.allocation(label));
            let kept: Vec<&str> = before.flags().filter(|flag| *flag != "COHERENT").collect();
            assert_eq!(after.flags().collect::<Vec<_>>(), kept, "{label} in {scene:?}");
            assert_eq!(after.size(), before.size(), "{label} in {scene:?}");
        }
    }
}

#[test]
fn memory_that_is_asked_to_be_coherent_stays_coherent() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.clone().with_rmcp().run(Client::Allocations) else { return };
        for label in ["hipHostMalloc(Coherent)", "hipHostMalloc(Mapped|Coherent)"] {
            let event = run.log.allocation(label);
            assert!(event.has("USERPTR") && event.has("COHERENT"), "{event} in {scene:?}");
        }
    }
}

#[test]
fn numa_user_memory_keeps_its_flag_and_loses_coherence() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        let label = "hipHostMalloc(NumaUser)";
        assert!(without.log.allocation(label).has("COHERENT"), "{scene:?}");
        assert!(!with.log.allocation(label).has("COHERENT"), "{scene:?}");
    }
}

#[test]
fn every_call_returns_what_it_returned_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for (before, after) in without.calls.iter().zip(&with.calls) {
            let answer = |call: &Call| (call.label.clone(), call.code, call.last);
            assert_eq!(answer(after), answer(before), "{scene:?}");
        }
        assert_eq!(with.calls.len(), without.calls.len(), "{scene:?}");
    }
}

#[test]
fn registered_memory_arrives_as_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for flags in ["0", "Portable", "Mapped", "CoarseGrained"] {
            let mark = format!("hipHostRegister({flags})");
            assert_eq!(with.log.only(&mark).shape(), without.log.only(&mark).shape(), "{mark} in {scene:?}");
            assert!(!with.log.under(&mark).is_empty(), "{mark} in {scene:?}");
        }
    }
}

#[test]
fn hip_host_get_flags_says_what_the_program_asked_for() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for (before, after) in without.calls.iter().zip(&with.calls) {
            // Before 6.4.3 hipHostAlloc gives VRAM, which has no such flags: 5.2.3 answers 0, 5.7.1 an error.
            if scene.release() < Release::Rocm643 && before.label.starts_with("hipHostAlloc") {
                continue;
            }
            if scene.release() == Release::Rocm523 && before.label == "hipHostMalloc(NumaUser)" {
                // 5.2.3 answers 0x8000, which is no flag; under RMCP the answer is NumaUser.
                continue;
            }
            assert_eq!(after.flags, before.flags, "{} in {scene:?}", before.label);
        }
    }
}

#[test]
fn host_alloc_pins_host_memory_on_every_release() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        for label in ["hipHostAlloc(0)", "hipHostAlloc(Mapped)"] {
            let before = without.log.allocation(label);
            assert_eq!(before.has("VRAM"), scene.release() < Release::Rocm643, "{before} in {scene:?}");
            let after = with.log.allocation(label);
            assert!(after.has("USERPTR") && !after.has("COHERENT"), "{after} in {scene:?}");
        }
    }
}
