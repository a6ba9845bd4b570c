//! Queues that run at once.

use crate::{run, scenes};
use rmcp_hip_tests::{Client, Release, Scene};

#[test]
fn streams_run_at_once_wait_for_each_other_and_are_timed() {
    for scene in scenes() {
        let Some(run) = run(&scene, "streams") else { return };
        run.assert_right(3);
    }
}

/// The kernel offers global wave sync on gfx10.3 and not on gfx10.1 (Linux, kfd_device.c, `kfd_gws_init`), and without it the
/// runtime refuses cooperative launches.
#[test]
fn groups_of_a_cooperative_launch_meet() {
    for scene in Release::ALL.into_iter().map(|release| Scene::new(release, "gfx1030")) {
        let Some(run) = run(&scene, "streams") else { return };
        run.assert_right(5);
    }
}

#[test]
fn copies_of_pageable_memory_by_many_threads_on_streams_of_their_own_are_right() {
    for args in [["16", "60", "4000"], ["16", "20", "1500000"]] {
        let Some(run) = Scene::new(Release::Rocm724, "gfx1010").run(Client::StreamCopies { args }) else { return };
        run.assert_right(1);
    }
}
