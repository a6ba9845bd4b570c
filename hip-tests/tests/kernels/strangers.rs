//! Kernels that nobody here wrote or compiled.

use crate::{run, scene};
use rmcp_hip_tests::{Client, Release, Scene};

/// Debian compiles llama.cpp's HIP backend for this card.
fn gfx1030() -> Scene {
    scene(Release::Rocm643, "gfx1030")
}

#[test]
fn llama_cpps_backend_computes_right_with_rmcp_and_without() {
    for scene in [gfx1030(), gfx1030().by_rmcp_run()] {
        let Some(run) = run(&scene, Client::GgmlCompute) else { return };
        assert_eq!(run.calls.len(), 4, "{scene:?}");
        for call in &run.calls {
            assert_eq!((call.code, call.wrong), (0, 0), "{} in {scene:?}", call.label);
        }
    }
}
