//! Pinned blocks that are handed out again once an event was seen done, as PyTorch's allocator does: 4 bytes to 1 MiB, on idle
//! streams and on busy ones, read and written by copies and by kernels.

use crate::{run, scenes};
use rmcp_hip_tests::{Release, Scene};

/// Sizes, by idle and busy streams, by copies and kernels; and whether blocks were handed out again.
const RESULTS: usize = 6 * 2 * 2 + 1;

#[test]
fn blocks_that_are_used_again_after_their_event_are_right_with_and_without_rmcp() {
    for scene in scenes().into_iter().flat_map(|scene| [scene.clone(), scene.with_rmcp()]) {
        let Some(run) = run(&scene, "pinned_reuse") else { return };
        run.assert_right(RESULTS);
    }
}

/// What that stands on: an event's release writes the card's cache back, and RMCP keeps it where a program does without.
#[test]
fn blocks_are_right_after_events_without_a_system_fence_unless_rmcp_is_told_to_leave_those() {
    let scene = Scene::new(Release::Rocm724, "gfx1010").env("UNFENCED_EVENTS", "1").with_rmcp();
    let Some(kept) = run(&scene, "pinned_reuse") else { return };
    kept.assert_right(RESULTS);
    let Some(left) = run(&scene.env("RMCP_EVENT_FENCE", "keep"), "pinned_reuse") else { return };
    let wrong = left.calls.iter().filter(|call| call.label.ends_with("by kernels") && call.wrong > 0);
    assert!(wrong.count() > 0, "{}", left.stdout);
}
