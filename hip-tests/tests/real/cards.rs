//! Which card RMCP takes a program to be on.

use crate::{RDNA, RELEASES, assert_same_log, both, run};
use rmcp_hip_tests::{Client, Release, Scene};
use std::path::{Path, PathBuf};

/// Whether default pinned memory arrives coherent.
fn coherent(scene: &Scene) -> Option<bool> {
    Some(run(scene, Client::Allocations)?.log.allocation("hipHostMalloc(0)").has("COHERENT"))
}

#[test]
fn a_gfx1010_that_is_told_to_call_itself_gfx1030_is_still_recognised() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("HSA_OVERRIDE_GFX_VERSION", "10.3.0");
        let Some(run) = run(&scene.env("RMCP_LOG", "info"), Client::Allocations) else { return };
        assert!(run.call("properties").arch.starts_with("gfx1030"), "{}", run.stdout);
        assert!(run.stderr.contains("gfx1010"), "{}", run.stderr);
        assert!(!run.log.allocation("hipHostMalloc(0)").has("COHERENT"));
    }
}

#[test]
fn a_gfx1100_that_is_told_to_call_itself_gfx1030_is_left_alone() {
    let scene = Scene::new(Release::Rocm643, "gfx1100").env("HSA_OVERRIDE_GFX_VERSION", "10.3.0");
    let Some((without, with)) = both(&scene, Client::Allocations) else { return };
    assert_same_log(&scene, &without, &with);
}

/// A machine with the cards of several descriptions, each in a PCI slot of its own.
fn machine(name: &str, cards: &[&str]) -> String {
    let descriptions = Path::new(env!("CARGO_MANIFEST_DIR")).join("kfd/machines");
    let mut text = String::new();
    for (index, card) in cards.iter().enumerate() {
        let file = descriptions.join(card).with_extension("toml");
        let one = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for line in one.lines() {
            match line.split_once('=').map(|(key, _)| key.trim()) {
                Some("pci") => text += &format!("pci = \"0000:{:02x}:00.0\"\n", 3 + index),
                Some("unique_id") => text += &format!("unique_id = {}\n", 0x1000 + index),
                _ => text += &format!("{line}\n"),
            }
        }
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("toml");
    std::fs::write(&path, text).expect("a file in the target directory");
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn the_card_that_the_visibility_variables_leave_decides() {
    for (release, other) in [(Release::Rocm523, "gfx90a"), (Release::Rocm643, "gfx1100")] {
        let machine = machine(&format!("{other}-and-gfx1010"), &[other, "gfx1010"]);
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
            let Some(coherent) = coherent(&scene.clone().env(variable, value)) else { return };
            assert_eq!(coherent, expected, "{variable}={value} on {release}");
        }
        let both = scene.env("ROCR_VISIBLE_DEVICES", "1,0").env("HIP_VISIBLE_DEVICES", "1");
        let Some(coherent) = coherent(&both) else { return };
        assert!(coherent, "the second of ROCR_VISIBLE_DEVICES=1,0 is the {other}, on {release}");
    }
}

#[test]
fn with_two_cards_the_current_one_decides() {
    for (name, cards, expected) in [
        ("gfx1010-then-gfx1100", ["gfx1010", "gfx1100"], false),
        ("gfx1100-then-gfx1010", ["gfx1100", "gfx1010"], true),
    ] {
        let scene = Scene::new(Release::Rocm643, &machine(name, &cards)).with_rmcp();
        let Some(coherent) = coherent(&scene) else { return };
        assert_eq!(coherent, expected, "{name}");
    }
}

#[test]
fn two_cards_of_the_family_are_treated_alike() {
    let scene = Scene::new(Release::Rocm643, &machine("gfx1010-and-gfx1030", &RDNA)).with_rmcp();
    for index in ["0", "1"] {
        let Some(coherent) = coherent(&scene.clone().env("HIP_VISIBLE_DEVICES", index)) else { return };
        assert!(!coherent, "HIP_VISIBLE_DEVICES={index}");
    }
}
