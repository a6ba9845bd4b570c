//! Data comes back as it went.

use crate::{RDNA, RELEASES, scenes};
use rmcp_hip_tests::{Client, Scene};

#[test]
fn copies_are_right_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some(run) = scene.run(Client::Copies { device: false }) else { return };
        run.assert_right(30);
    }
}

#[test]
fn copies_are_right_with_rmcp() {
    for scene in scenes(&RDNA).into_iter().map(Scene::with_rmcp) {
        let Some(run) = scene.run(Client::Copies { device: false }) else { return };
        run.assert_right(30);
    }
}

#[test]
fn copies_are_right_where_rmcp_also_overrides_explicit_wishes() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_HOST", "force").env("RMCP_HSA_POOL", "coarse");
        let Some(run) = scene.run(Client::Copies { device: false }) else { return };
        run.assert_right(30);
    }
}
