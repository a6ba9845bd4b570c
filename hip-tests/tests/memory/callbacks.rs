//! Functions of the program that a stream or a graph calls behind a kernel or a copy.

use crate::{run, scenes};
use rmcp_hip_tests::{Release, Run, Scene};

/// Those that a graph calls.
const IN_GRAPHS: [&str; 3] =
    ["a host node behind a kernel", "a host node behind a copy", "a captured host function behind a kernel"];
const IN_STREAMS: [&str; 2] = ["hipLaunchHostFunc behind a kernel", "hipStreamAddCallback behind a kernel"];

#[track_caller]
fn assert_right(scene: &Scene, run: &Run, memory: &str, what: &[&str], right: bool) {
    let mut seen = 0;
    for call in run.calls.iter().filter(|call| what.iter().any(|what| call.label == format!("{memory}: {what}"))) {
        assert_eq!(call.wrong == 0, right, "{} in {scene:?}: {}", call.label, call.wrong);
        seen += 1;
    }
    assert_eq!(seen, what.len(), "{memory}, {what:?} in {scene:?}:\n{}", run.stdout);
}

/// 5.2.3 has no hipLaunchHostFunc, and calls a host node before the kernel that it depends on has ended, with RMCP and without.
fn scenes_after_5_2_3() -> impl Iterator<Item = Scene> {
    scenes().into_iter().filter(|scene| scene.release() != Release::Rocm523)
}

#[test]
fn they_see_what_they_see_without_rmcp() {
    for scene in scenes_after_5_2_3() {
        let Some(without) = run(&scene, "callbacks") else { return };
        let Some(with) = run(&scene.clone().with_rmcp(), "callbacks") else { return };
        for run in [&without, &with] {
            for memory in ["hipHostMalloc(0)", "hipHostMalloc(Coherent)", "hipMallocManaged"] {
                assert_right(&scene, run, memory, &[&IN_GRAPHS[..], &IN_STREAMS].concat(), true);
            }
            assert_right(&scene, run, "hipHostMalloc(NonCoherent)", &IN_STREAMS, true);
        }
    }
}

/// ROCm/rocm-systems#8055, ROCm/legacy-rocm-build#6343. Therefore a program that is linked with what makes such nodes keeps
/// its memory from HIP 7.1 on.
#[test]
fn in_graphs_of_7_2_4_they_see_noncoherent_memory_before_it_is_written_back() {
    for scene in scenes_after_5_2_3() {
        let Some(without) = run(&scene, "callbacks") else { return };
        let right = scene.release() != Release::Rocm724;
        assert_right(&scene, &without, "hipHostMalloc(NonCoherent)", &IN_GRAPHS, right);
    }
    let scene = Scene::new(Release::Rocm724, "gfx1010").with_rmcp();
    let Some(with) = run(&scene.clone().env("RMCP_LOG", "info"), "callbacks") else { return };
    let said = "the program has rules of its own: it has graphs call its functions";
    assert!(with.stderr.contains(said), "{}", with.stderr);
    let Some(flushed) = run(&scene.env("AMD_OPT_FLUSH", "0"), "callbacks") else { return };
    assert_right(&Scene::new(Release::Rocm724, "gfx1010"), &flushed, "hipHostMalloc(NonCoherent)", &IN_GRAPHS, true);
}
