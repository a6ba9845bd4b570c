//! The counter-example: a program that talks with a running kernel through default pinned memory. RMCP's default takes
//! the memory's coherence away, and either side waits in vain, a thousand looks long, where without RMCP it would wait no
//! time at all. Such a program needs `host = "keep"`.

use crate::{run, scenes};
use rmcp_hip_tests::{Run, Scene};
use std::path::Path;

const POLLS: [&str; 3] = [
    "the program polls what a running kernel wrote",
    "a running kernel polls what the program wrote",
    "both count in turns",
];

#[track_caller]
fn assert_polls(scene: &Scene, run: &Run, memory: &str, come: bool) {
    for what in POLLS {
        let call = run.call(&format!("{memory}: {what}"));
        assert_eq!(call.wrong == 0, come, "{} in {scene:?}", call.label);
    }
}

/// The scene with RMCP and a configuration file of this text.
fn configured(scene: Scene, folder: &Path, text: &str) -> Scene {
    let file = folder.join("rmcp.toml");
    std::fs::write(&file, text).unwrap();
    scene.with_rmcp().env("RMCP_CONFIG", file.to_str().unwrap())
}

#[test]
fn without_rmcp_program_and_running_kernel_see_each_other_in_default_pinned_memory() {
    for scene in scenes() {
        let Some(run) = run(&scene, "caches") else { return };
        assert_polls(&scene, &run, "hipHostMalloc(0)", true);
        assert_polls(&scene, &run, "hipMallocManaged", true);
    }
}

#[test]
fn with_rmcps_default_neither_ever_sees_what_the_other_wrote() {
    for scene in scenes().into_iter().map(Scene::with_rmcp) {
        let Some(run) = run(&scene, "caches") else { return };
        assert_polls(&scene, &run, "hipHostMalloc(0)", false);
        assert_polls(&scene, &run, "hipMallocManaged", false);
        // Who asks for coherent memory keeps it.
        assert_polls(&scene, &run, "hipHostMalloc(Coherent)", true);
    }
}

#[test]
fn with_a_section_of_its_own_that_says_keep_the_program_works_with_rmcp() {
    let folder = tempfile::tempdir().unwrap();
    for scene in scenes() {
        let scene = configured(scene, folder.path(), "[program.\"caches\"]\nhost = \"keep\"\n");
        let Some(run) = run(&scene, "caches") else { return };
        assert_polls(&scene, &run, "hipHostMalloc(0)", true);
        // The section says nothing of managed memory.
        assert_polls(&scene, &run, "hipMallocManaged", false);
    }
}

#[test]
fn the_section_of_another_program_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for scene in scenes().into_iter().take(1) {
        let scene = configured(scene, folder.path(), "[program.\"another\"]\nhost = \"keep\"\n");
        let Some(run) = run(&scene, "caches") else { return };
        assert_polls(&scene, &run, "hipHostMalloc(0)", false);
    }
}
