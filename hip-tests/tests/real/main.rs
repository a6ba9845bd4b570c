//! On RDNA1 and RDNA2 default pinned and managed memory reaches the kernel driver as non-coherent, as the options say; all
//! else, and everything on other cards, arrives as without RMCP.
//!
//! A run of a client is shared by all tests that ask about it; see `Scene::run`.
#![forbid(unsafe_code)]

mod cards;
mod copies;
mod device;
mod events;
mod headers;
mod host;
mod managed;
mod options;
mod save_area;
mod strangers;
mod untouched;
mod ways;
mod without;

use rmcp_hip_tests::{Release, Run, Scene};

/// Every stack.
const RELEASES: [Release; 4] = Release::ALL;
/// Cards that RMCP is for.
const RDNA: [&str; 2] = ["gfx1010", "gfx1030"];
/// Cards that it leaves alone.
const OTHER_CARDS: [&str; 2] = ["gfx1100", "gfx90a"];
/// What every client asks for at once, in bytes; the runtime allocates nothing of that size for itself.
const SIZE: u64 = 0xa0_0000;

/// Each release on each of these cards, without RMCP.
fn scenes(machines: &[&str]) -> Vec<Scene> {
    let all = RELEASES.iter().flat_map(|&release| machines.iter().map(move |&machine| (release, machine)));
    // ROCm 5.2.3 does not know gfx11 and dies in hipHostMalloc by itself.
    let known = all.filter(|pair| *pair != (Release::Rocm523, "gfx1100"));
    known.map(|(release, machine)| Scene::new(release, machine)).collect()
}

/// Fails with the first difference rather than with two whole logs.
#[track_caller]
fn assert_same_log(scene: &Scene, one: &Run, other: &Run) {
    let (one, other) = (one.log.shape(), other.log.shape());
    for (index, (one, other)) in one.iter().zip(&other).enumerate() {
        assert_eq!(one, other, "event {index} in {scene:?}");
    }
    assert_eq!(one.len(), other.len(), "number of events in {scene:?}");
}
