//! Behind a fence all memory is right, whatever RMCP made of it; who looks without one at memory that RMCP made non-coherent
//! sees what `polled.rs` and `fences.rs` show.
//!
//! With it, what that stands on: copies and fills of every size, queues that wait for each other, functions of the program
//! that streams and graphs call, and faults.
//!
//! Bus and cache are models (emulator/kfd/card.rs, emulator/kfd/gl2.rs). These tests show what follows for programs on
//! the unmodified runtimes if a card is so.
#![forbid(unsafe_code)]

mod bytes;
mod callbacks;
mod faults;
mod fences;
mod pinned_reuse;
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
