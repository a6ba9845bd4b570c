//! Which card RMCP takes a program to be on.

use crate::{RDNA, RELEASES, assert_same_log};
use rmcp_hip_tests::{Client, Release, Scene, machine};

/// Whether default pinned memory arrives coherent.
fn pinned_is_coherent(scene: &Scene) -> Option<bool> {
    Some(scene.run(Client::Allocations)?.log.allocation("hipHostMalloc(0)").has("COHERENT"))
}

#[test]
fn a_gfx1010_that_is_told_to_call_itself_gfx1030_is_still_recognised() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("HSA_OVERRIDE_GFX_VERSION", "10.3.0");
        let Some(run) = scene.env("RMCP_LOG", "info").run(Client::Allocations) else { return };
        assert!(run.call("properties").arch.starts_with("gfx1030"), "{}", run.stdout);
        assert!(run.stderr.contains("gfx1010"), "{}", run.stderr);
        assert!(!run.log.allocation("hipHostMalloc(0)").has("COHERENT"));
    }
}

#[test]
fn a_gfx1100_that_is_told_to_call_itself_gfx1030_is_left_alone() {
    let scene = Scene::new(Release::Rocm643, "gfx1100").env("HSA_OVERRIDE_GFX_VERSION", "10.3.0");
    let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
    assert_same_log(&scene, &without, &with);
}

#[test]
fn the_card_that_the_visibility_variables_leave_decides() {
    for (release, other) in [(Release::Rocm523, "gfx90a"), (Release::Rocm643, "gfx1100")] {
        let machine = machine(&[other, "gfx1010"], false);
        let scene = Scene::new(release, &machine).with_rmcp();
        let cases = [
            ("HIP_VISIBLE_DEVICES", "0", true),
            ("HIP_VISIBLE_DEVICES", "1", false),
            ("HIP_VISIBLE_DEVICES", "1,0", false),
            ("ROCR_VISIBLE_DEVICES", "0", true),
            ("ROCR_VISIBLE_DEVICES", "1", false),
            ("ROCR_VISIBLE_DEVICES", "GPU-0000000000001000", true),
            ("ROCR_VISIBLE_DEVICES", "GPU-0000000000001001", false),
        ];
        for (variable, value, expected) in cases {
            let Some(coherent) = pinned_is_coherent(&scene.clone().env(variable, value)) else { return };
            assert_eq!(coherent, expected, "{variable}={value} on {release}");
        }
        let both = scene.env("ROCR_VISIBLE_DEVICES", "1,0").env("HIP_VISIBLE_DEVICES", "1");
        let Some(coherent) = pinned_is_coherent(&both) else { return };
        assert!(coherent, "the second of ROCR_VISIBLE_DEVICES=1,0 is the {other}, on {release}");
    }
}

#[test]
fn with_two_cards_the_current_one_decides() {
    for (cards, expected) in [(["gfx1010", "gfx1100"], false), (["gfx1100", "gfx1010"], true)] {
        let scene = Scene::new(Release::Rocm643, &machine(&cards, false)).with_rmcp();
        let Some(coherent) = pinned_is_coherent(&scene) else { return };
        assert_eq!(coherent, expected, "{cards:?}");
    }
}

#[test]
fn two_cards_of_the_family_are_treated_alike() {
    let scene = Scene::new(Release::Rocm643, &machine(&RDNA, false)).with_rmcp();
    for index in ["0", "1"] {
        let Some(coherent) = pinned_is_coherent(&scene.clone().env("HIP_VISIBLE_DEVICES", index)) else { return };
        assert!(!coherent, "HIP_VISIBLE_DEVICES={index}");
    }
}
