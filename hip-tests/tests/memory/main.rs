//! What the emulated card's memory does: copies and fills of every size, caches and fences, atomics of both sides at
//! once, queues that wait for each other, and faults.
//!
//! Bus and cache are models (emulator/kfd/card.rs, emulator/kfd/gl2.rs). These tests show what follows for programs on
//! the unmodified runtimes if a card is so.
#![forbid(unsafe_code)]

mod bytes;
mod callbacks;
mod faults;
mod fences;
mod polled;
mod queues;
mod stream_words;

use rmcp_hip_tests::{Client, Release, Run, Scene};
use std::sync::Arc;

/// Each release on the headline card, with nothing set but the machine.
fn scenes() -> Vec<Scene> {
    Release::ALL.into_iter().map(|release| Scene::new(release, "gfx1010")).collect()
}

/// The run of a program with kernels, or `None` where this machine cannot have a stack.
fn run(scene: &Scene, program: &'static str) -> Option<Arc<Run>> {
    scene.run(Client::Kernels { program })
}
