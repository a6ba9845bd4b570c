//! Queues that run at once.

use crate::{assert_right, run, scenes};

#[test]
fn streams_run_at_once_wait_for_each_other_and_are_timed() {
    for scene in scenes() {
        let Some(run) = run(&scene, "streams") else { return };
        assert_right(&scene, &run, 3);
    }
}
