//! A kernel that goes wrong ends in words, not in silence.

use crate::{run, scenes};

#[test]
fn a_kernel_that_goes_wrong_is_told_of_by_the_runtime_or_the_emulator() {
    for scene in scenes() {
        let Some(run) = run(&scene, "faults") else { return };
        run.assert_right(10);
    }
}
