//! The option `save_area` on runtimes that reckon as the kernel does: nothing changes but what they report.

use crate::{OTHER_CARDS, RELEASES, assert_same_log, scenes};
use rmcp_hip_tests::{Client, Run, Scene, machine_on};
use std::collections::BTreeMap;
use std::sync::Arc;

fn rocminfo() -> Client {
    Client::Debian { packages: Vec::new(), program: "rocminfo", args: Vec::new() }
}

fn with(scene: &Scene, value: &str, client: Client) -> Option<Arc<Run>> {
    scene.clone().with_rmcp().env("RMCP_SAVE_AREA", value).env("RMCP_LOG", "info").run(client)
}

/// The lines of rocminfo that differ, each way.
fn differences(one: &str, other: &str) -> Vec<[String; 2]> {
    assert_eq!(one.lines().count(), other.lines().count());
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let pairs = one.lines().zip(other.lines()).filter(|(one, other)| one != other);
    pairs.map(|(one, other)| [words(one), words(other)]).collect()
}

/// Debian's runtimes do not say their release.
#[test]
fn auto_changes_nothing_for_a_runtime_of_unknown_release() {
    for release in RELEASES {
        for kernel in ["6.1", "6.12", "6.18"] {
            let scene = Scene::new(release, &machine_on(kernel, "gfx1010"));
            let Some(without) = scene.run(rocminfo()) else { return };
            let Some(auto) = with(&scene, "auto", rocminfo()) else { return };
            assert_same_log(&scene, &without, &auto);
            assert_eq!(differences(&without.stdout, &auto.stdout), Vec::<[String; 2]>::new());
            let told = auto.stderr.contains("do not say its release; save_area=on acts all the same");
            assert_eq!(told, kernel != "6.1", "{scene:?}:\n{}", auto.stderr);
        }
    }
}

#[test]
fn on_changes_the_waves_that_rocminfo_prints_and_no_queue() {
    for scene in scenes(&["gfx1010", "gfx1011", "gfx1012", "gfx1013"]) {
        let Some(without) = scene.run(rocminfo()) else { return };
        let Some(on) = with(&scene, "on", rocminfo()) else { return };
        let waves = ["Max Waves Per CU: 40(0x28)", "Max Waves Per CU: 32(0x20)"].map(String::from);
        let items = ["Max Work-item Per CU: 1280(0x500)", "Max Work-item Per CU: 1024(0x400)"].map(String::from);
        assert_eq!(differences(&without.stdout, &on.stdout), [waves, items], "{scene:?}:\n{}", on.stderr);
        assert!(on.stderr.contains("was shown 32 waves a compute unit"), "{scene:?}:\n{}", on.stderr);
        assert_same_log(&scene, &without, &on);
    }
}

#[test]
fn copies_kernels_and_queues_are_the_same_under_on() {
    for scene in scenes(&["gfx1010"]) {
        let client = || Client::Copies { device: false };
        let (Some(off), Some(on)) = (with(&scene, "off", client()), with(&scene, "on", client())) else { return };
        // Here libamdhip64 starts the runtime.
        assert!(on.stderr.contains("was shown 32 waves a compute unit"), "{scene:?}:\n{}", on.stderr);
        assert_same_log(&scene, &off, &on);
        assert_eq!(on.calls, off.calls, "{scene:?}");
    }
}

#[test]
fn on_changes_nothing_for_other_cards() {
    for scene in scenes(&[&["gfx1030"][..], &OTHER_CARDS].concat()) {
        let Some(without) = scene.run(rocminfo()) else { return };
        let Some(on) = with(&scene, "on", rocminfo()) else { return };
        assert_same_log(&scene, &without, &on);
        assert_eq!(on.stdout, without.stdout, "{scene:?}");
        assert!(!on.stderr.contains("save_area"), "{scene:?}:\n{}", on.stderr);
    }
}

#[test]
fn a_card_beside_another_is_shown_otherwise_alone() {
    let scene = Scene::new(RELEASES[3], &rmcp_hip_tests::machine(&["gfx1030", "gfx1010"], true));
    let Some(without) = scene.run(rocminfo()) else { return };
    let Some(on) = with(&scene, "on", rocminfo()) else { return };
    let count = |run: &Run| {
        let lines = run.stdout.lines().filter(|line| line.contains("Max Waves Per CU"));
        lines.fold(BTreeMap::<String, usize>::new(), |mut all, line| {
            *all.entry(line.split_whitespace().collect()).or_default() += 1;
            all
        })
    };
    let (mut expected, forty) = (count(&without), "MaxWavesPerCU:40(0x28)");
    assert_eq!(expected.remove(forty), Some(1));
    *expected.entry("MaxWavesPerCU:32(0x20)".into()).or_default() += 1;
    assert_eq!(count(&on), expected);
}
