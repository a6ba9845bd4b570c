//! What a kernel writes to non-coherent memory is the program's to see after a fence, and not before.

use crate::{run, scenes};
use rmcp_hip_tests::{Release, Run, Scene};

/// Memory that is coherent whatever RMCP does by default.
const COHERENT: [&str; 2] = ["hipHostMalloc(Coherent)", "hipHostRegister"];
/// Memory that RMCP makes non-coherent by default.
const REWRITTEN: [&str; 2] = ["hipHostMalloc(0)", "hipMallocManaged"];
const NONCOHERENT: &str = "hipHostMalloc(NonCoherent)";

/// What both sides see once a fence is behind them.
const FENCED: [&str; 4] = [
    "the program reads what an ended kernel wrote",
    "the next kernel reads what the program wrote",
    "after an event, Default",
    "after an event, ReleaseToDevice",
];
const UNFENCED: &str = "after an event, DisableSystemFence";
/// In the same 128 bytes, and before the program has waited for either kernel.
const BESIDE: &str = "a kernel reads what the program wrote beside what another read";

#[track_caller]
fn assert_seen(scene: &Scene, run: &Run, memory: &str, what: &str, seen: bool) {
    let call = run.call(&format!("{memory}: {what}"));
    assert_eq!(call.wrong == 0, seen, "{} in {scene:?}: {}", call.label, call.wrong);
}

/// Releases that know hipEventDisableSystemFence.
fn scenes_with_disable_system_fence() -> impl Iterator<Item = Scene> {
    scenes().into_iter().filter(|scene| scene.release() != Release::Rocm523)
}

#[test]
fn behind_a_fence_every_kind_of_memory_is_right_with_rmcp_and_without() {
    for scene in scenes().into_iter().flat_map(|scene| [scene.clone(), scene.with_rmcp()]) {
        let Some(run) = run(&scene, "caches") else { return };
        for memory in COHERENT.into_iter().chain(REWRITTEN).chain([NONCOHERENT]) {
            FENCED.iter().for_each(|what| assert_seen(&scene, &run, memory, what, true));
        }
    }
}

#[test]
fn without_its_fence_an_event_leaves_noncoherent_memory_stale() {
    for scene in scenes_with_disable_system_fence() {
        let Some(run) = run(&scene, "caches") else { return };
        assert_seen(&scene, &run, NONCOHERENT, UNFENCED, false);
        COHERENT.iter().chain(&REWRITTEN).for_each(|memory| assert_seen(&scene, &run, memory, UNFENCED, true));
    }
}

#[test]
fn with_rmcp_events_keep_their_fence_so_that_what_it_made_noncoherent_is_right() {
    for scene in scenes_with_disable_system_fence().map(Scene::with_rmcp) {
        let Some(run) = run(&scene, "caches") else { return };
        REWRITTEN.iter().for_each(|memory| assert_seen(&scene, &run, memory, UNFENCED, true));
    }
}

#[test]
fn with_event_fence_keep_what_rmcp_made_noncoherent_is_stale_without_the_fence() {
    for scene in scenes_with_disable_system_fence().map(|scene| scene.with_rmcp().env("RMCP_EVENT_FENCE", "keep")) {
        let Some(run) = run(&scene, "caches") else { return };
        REWRITTEN.iter().for_each(|memory| assert_seen(&scene, &run, memory, UNFENCED, false));
    }
}

/// ROCm/rocm-systems#10639 and #11617 report this on later cards. The runtime's kernels acquire with the scope of the device.
#[test]
fn what_the_program_writes_beside_what_a_kernel_has_read_may_stay_unseen_until_it_waits() {
    for scene in scenes() {
        let Some(without) = run(&scene, "caches") else { return };
        COHERENT.iter().chain(&REWRITTEN).for_each(|memory| assert_seen(&scene, &without, memory, BESIDE, true));
        assert_seen(&scene, &without, NONCOHERENT, BESIDE, false);
        let scene = scene.with_rmcp();
        let Some(with) = run(&scene, "caches") else { return };
        COHERENT.iter().for_each(|memory| assert_seen(&scene, &with, memory, BESIDE, true));
        REWRITTEN.iter().for_each(|memory| assert_seen(&scene, &with, memory, BESIDE, false));
    }
}

#[test]
fn with_amd_opt_flush_0_every_kernel_sees_what_the_program_wrote_before() {
    for scene in scenes().into_iter().map(|scene| scene.with_rmcp().env("AMD_OPT_FLUSH", "0")) {
        let Some(run) = run(&scene, "caches") else { return };
        let all = COHERENT.into_iter().chain(REWRITTEN).chain([NONCOHERENT]);
        all.for_each(|memory| assert_seen(&scene, &run, memory, BESIDE, true));
    }
}

#[test]
fn atomics_of_the_program_and_a_kernel_at_once_are_exact_in_coherent_memory() {
    for scene in scenes() {
        let Some(run) = run(&scene, "caches") else { return };
        for memory in COHERENT.iter().chain(&REWRITTEN) {
            assert_seen(&scene, &run, memory, "both count in turns", true);
            assert_seen(&scene, &run, memory, "both count at once by addition", true);
            assert_seen(&scene, &run, memory, "both count at once by compare-and-swap", true);
        }
        // The kernel counts in the card's cache: what the program adds meanwhile is overwritten.
        assert_seen(&scene, &run, NONCOHERENT, "both count in turns", false);
    }
}

#[test]
fn without_a_cache_everything_is_seen_at_once() {
    let scene = Scene::new(Release::Rocm643, "gfx1030").with_rmcp().env("RMCP_KFD_CACHE", "none");
    let scene = scene.env("RMCP_EVENT_FENCE", "keep");
    let Some(run) = run(&scene, "caches") else { return };
    run.assert_right(55);
}
