//! Kernels compute with RMCP what they compute without, and atomic operations that PCI Express does not carry act in the
//! memory that RMCP makes non-coherent.
//!
//! They are the runtime's own, and what the stack's own compiler and Debian's hipcc make of HIP sources.
//! The instructions and the memory are a model (emulator/gfx10, emulator/kfd/card.rs): these tests show that RMCP changes
//! the kind of memory that reaches the kernel driver, and what that means if the bus is as the model has it. They do not
//! show what silicon does.
#![forbid(unsafe_code)]

mod atomics;
mod compiled;
mod linux;
mod programs;
mod queue_sizes;
mod queue_starts;
mod strangers;

use rmcp_hip_tests::{Release, Scene};

/// Cards whose kernels can be run here: a small BAR, so that code goes up by a kernel too, and a large one.
const RDNA: [&str; 2] = ["gfx1010", "gfx1030"];

/// Each release on each card, with small copies left to kernels.
fn scenes() -> Vec<Scene> {
    let all = Release::ALL.into_iter().flat_map(|release| RDNA.map(|machine| (release, machine)));
    all.map(|(release, machine)| scene(release, machine)).collect()
}

fn scene(release: Release, machine: &str) -> Scene {
    Scene::new(release, machine).env("GPU_FORCE_BLIT_COPY_SIZE", "16")
}
