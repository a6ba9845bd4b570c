//! Each release of Linux that is emulated, under the real runtimes.

use crate::scene;
use rmcp_hip_tests::{Client, Release, machine_on};

#[test]
fn nothing_that_a_runtime_asks_is_refused_by_any_linux_and_kernels_compute_right_there() {
    for release in Release::ALL {
        for kernel in ["6.1", "6.12", "6.18"] {
            let scene = scene(release, &machine_on(kernel, "gfx1010"));
            let Some(run) = scene.run(Client::Kernels { program: "programs" }) else { return };
            run.assert_right(15);
            let events = |kind: &str| run.log.events.iter().filter(|event| event.kind == kind).count();
            assert_eq!((events("refused"), events("queue") > 0), (0, true), "{scene:?}:\n{}", run.log);
        }
    }
}
