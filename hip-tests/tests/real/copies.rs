//! Data comes back as it went.

use crate::{RDNA, RELEASES, run, scenes};
use rmcp_hip_tests::{Client, Run, Scene};

fn assert_right(scene: &Scene, run: &Run) {
    assert_eq!(run.calls.len(), 30, "{scene:?}");
    for call in &run.calls {
        assert_eq!((call.code, call.wrong), (0, 0), "{} in {scene:?}", call.label);
    }
}

#[test]
fn copies_are_right_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some(run) = run(&scene, Client::Copies { device: false }) else { return };
        assert_right(&scene, &run);
    }
}

#[test]
fn copies_are_right_with_rmcp() {
    for scene in scenes(&RDNA).into_iter().map(Scene::with_rmcp) {
        let Some(run) = run(&scene, Client::Copies { device: false }) else { return };
        assert_right(&scene, &run);
    }
}

#[test]
fn copies_are_right_where_rmcp_also_overrides_explicit_wishes() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_HOST", "force").env("RMCP_HSA_POOL", "coarse");
        let Some(run) = run(&scene, Client::Copies { device: false }) else { return };
        assert_right(&scene, &run);
    }
}
