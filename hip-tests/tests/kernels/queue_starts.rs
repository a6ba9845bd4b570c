//! The option `save_area` on a runtime that needs it: a stand-in (clients/queue_sizes_runtime.cpp), which gets a queue with
//! RMCP where it gets none without.

use rmcp_hip_tests::{Client, Release, Run, Scene, machine, machine_on};
use std::sync::Arc;

const RDNA1: [&str; 4] = ["gfx1010", "gfx1011", "gfx1012", "gfx1013"];
/// EINVAL.
const REFUSED: i32 = 22;
/// A release whose runtime reckons by the topology.
const AFFECTED: &str = "10.0.0";

fn starts(mode: &'static str, flags: &'static [&'static str]) -> Client {
    Client::QueueStarts { mode, release: AFFECTED, flags }
}

fn of_release(release: &'static str) -> Client {
    Client::QueueStarts { mode: "once", release, flags: &[] }
}

/// A card whose queue is refused wherever the kernel checks it.
fn scene(kernel: &str, card: &str) -> Scene {
    Scene::new(Release::Rocm643, &machine_on(kernel, card)).env("QUEUE_SAVE_AREA", "buffer").env("RMCP_LOG", "info")
}

/// Whether the runtime got its queue, and everything is as it was afterwards.
#[track_caller]
fn assert_queue(run: &Run, code: i32) {
    for (label, expected) in [("start", 0), ("queue", code), ("imports", 0), ("waves outside", 20)] {
        let context = format!("{label} in {:?}:\n{}{}", run.scene, run.stdout, run.stderr);
        assert_eq!(run.call(label).code, expected, "{context}");
    }
}

/// Without RMCP and with it on a kernel that checks; the run with it.
#[track_caller]
fn assert_mended(scene: &Scene, client: Client) -> Option<Arc<Run>> {
    let (without, with) = scene.run_both(client)?;
    assert_queue(&without, REFUSED);
    assert_queue(&with, 0);
    Some(with)
}

/// The same where RMCP must leave it.
#[track_caller]
fn assert_left(scene: &Scene, client: Client, why: &str) {
    let Some(run) = scene.clone().with_rmcp().run(client) else { return };
    assert_queue(&run, REFUSED);
    assert!(run.stderr.contains(why), "{why} in {scene:?}:\n{}", run.stderr);
    assert!(!run.stderr.contains("was shown"), "{scene:?}:\n{}", run.stderr);
}

#[test]
fn every_rdna1_card_gets_a_queue_on_each_kernel_that_checks_it() {
    for (card, kernel) in RDNA1.into_iter().flat_map(|card| [(card, "6.12"), (card, "6.18")]) {
        for flags in [&[][..], &["-DREAD_BY_OPEN"]] {
            let Some(run) = assert_mended(&scene(kernel, card), starts("once", flags)) else { return };
            assert!(run.stderr.contains("was shown 32 waves a compute unit"), "{}", run.stderr);
        }
    }
}

#[test]
fn a_kernel_that_checks_nothing_is_left_alone() {
    for card in RDNA1 {
        let Some((without, with)) = scene("6.1", card).run_both(starts("once", &[])) else { return };
        for run in [without, with] {
            assert_queue(&run, 0);
            assert!(!run.stderr.contains("save_area"), "{}", run.stderr);
        }
    }
}

#[test]
fn each_kind_of_import_is_led_to_rmcp_and_back() {
    for flags in [&["-fno-plt"][..], &["-Wl,-z,lazy,-z,norelro"], &["-Wl,-z,lazy"], &["-Wl,-z,norelro"]] {
        let Some(_) = assert_mended(&scene("6.12", "gfx1012"), starts("once", flags)) else { return };
    }
}

#[test]
fn a_runtime_is_mended_each_time_that_it_starts() {
    let Some(run) = assert_mended(&scene("6.12", "gfx1010"), starts("again", &[])) else { return };
    for label in ["end", "second start", "second queue", "second imports"] {
        assert_eq!(run.call(label).code, 0, "{label}:\n{}", run.stdout);
    }
}

#[test]
fn releases_outside_the_window_and_runtimes_without_one_are_left_alone() {
    let scene = scene("6.12", "gfx1012");
    for affected in ["7.14.0", "7.15.0", "10.1.1"] {
        let Some(_) = assert_mended(&scene, of_release(affected)) else { return };
    }
    for sound in ["7.13.2", "10.2.0"] {
        assert_left(&scene, of_release(sound), "is none of 7.14 up to but not 10.2");
    }
    assert_left(&scene, of_release(""), "do not say its release");
    let Some(on) = scene.clone().env("RMCP_SAVE_AREA", "on").with_rmcp().run(of_release("")) else { return };
    assert_queue(&on, 0);
    let off = scene.clone().env("RMCP_SAVE_AREA", "off");
    assert_left(&off, of_release(AFFECTED), "active");
    assert_left(&scene.env("RMCP_POLICY", "keep"), of_release(AFFECTED), "inactive");
}

/// Its page can be given no other protection (mseal), or the runtime has no import of the kind.
#[test]
fn imports_that_cannot_be_written_to_and_imports_that_are_not_there_are_left_alone() {
    let scene = scene("6.12", "gfx1012");
    let Some(run) = scene.run(starts("sealed", &[])) else { return };
    // Before Linux 6.10 there is no mseal.
    if run.call("seal").code == 0 {
        assert_left(&scene, starts("sealed", &[]), "its import of fopen: Operation not permitted");
    }
    assert_left(&scene, starts("once", &["-DREAD_BY_LOOKUP"]), "does not read files by an import of its own");
}

#[test]
fn each_of_two_copies_is_mended() {
    let scene = scene("6.12", "gfx1012");
    let Some((without, with)) = scene.run_both(starts("copies", &[])) else { return };
    for (run, code) in [(without, REFUSED), (with, 0)] {
        assert_queue(&run, code);
        assert_eq!(run.call("queue of the plugin's copy").code, code, "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn other_threads_read_their_files_while_two_start_the_runtime() {
    let Some(run) = scene("6.12", "gfx1012").with_rmcp().run(starts("threads", &[])) else { return };
    assert_queue(&run, 0);
    for label in ["files of other threads", "starts of two threads"] {
        assert_eq!(run.call(label).code, 0, "{label}:\n{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_fork_within_the_start_leaves_parent_and_child_right() {
    for how in ["inside", "beside"] {
        let scene = scene("6.12", "gfx1012").env("QUEUE_FORK", how).with_rmcp();
        let Some(run) = scene.run(starts("once", &[])) else { return };
        assert_queue(&run, 0);
        if how == "inside" {
            assert_eq!(run.call("child").code, 0, "{}{}", run.stdout, run.stderr);
        }
    }
}

#[test]
fn other_cards_and_machines_without_one_are_left_alone() {
    for card in ["gfx1030", "gfx1032", "gfx1100", "gfx90a"] {
        let scene = scene("6.12", card).env("RMCP_SAVE_AREA", "on").with_rmcp();
        let Some(run) = scene.run(Client::QueueSizes { by_open: false }) else { return };
        assert!(!run.stderr.contains("save_area"), "{}", run.stderr);
    }
    let beside = machine(&["gfx1030", "gfx1012"], true);
    let scene = Scene::new(Release::Rocm643, &beside).env("RMCP_SAVE_AREA", "on").env("QUEUE_SAVE_AREA", "buffer");
    let Some(run) = scene.with_rmcp().run(Client::QueueSizes { by_open: false }) else { return };
    for label in ["queue of node 1", "queue of node 2"] {
        assert_eq!(run.call(label).code, 0, "{}{}", run.stdout, run.stderr);
    }
}
