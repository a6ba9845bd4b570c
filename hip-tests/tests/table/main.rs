//! From ROCm 6 on a call is met in the runtime's own table: in each copy of the runtime, in a child, by whatever library and on
//! whatever way, and beside a profiler that is there, too.
#![forbid(unsafe_code)]

mod answers;
mod callers;
mod life;
mod profiler;

use rmcp_hip_tests::{Client, Release, Run, Scene, TableProgram};
use std::sync::Arc;

/// The releases whose runtime has a table.
const RELEASES: [Release; 2] = [Release::Rocm643, Release::Rocm724];

/// A run without RMCP and one with it, with nothing set.
fn run_both(release: Release, program: TableProgram) -> Option<(Arc<Run>, Arc<Run>)> {
    Scene::new(release, "gfx1010").run_both(Client::Table(program))
}

/// What each call is to ask the kernel for, as its label says: pinned memory or managed memory.
#[track_caller]
fn assert_coherent(run: &Run, label: &str, coherent: bool) {
    let events = run.log.under(label);
    let found = match events.iter().find(|event| event.kind == "alloc") {
        Some(pinned) => pinned.has("COHERENT"),
        // Managed memory is an SVM range, coherent until it is told otherwise.
        None => !events.iter().any(|event| event.svm("CLR_FLAGS", "COHERENT")),
    };
    assert!(!events.is_empty(), "{label} reaches no kernel in {:?}", run.scene);
    assert_eq!(found, coherent, "{label} in {:?}", run.scene);
}
