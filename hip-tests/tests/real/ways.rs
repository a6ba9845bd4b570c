//! The ways in which RMCP and the runtime get into a process.

use crate::{RDNA, RELEASES, assert_same_log, scenes};
use rmcp_hip_tests::{Client, Release, Scene};

#[test]
fn rmcp_run_gives_the_program_what_preloading_gives_it() {
    for scene in scenes(&RDNA) {
        let Some(preloaded) = scene.clone().with_rmcp().run(Client::Allocations) else { return };
        let Some(started) = scene.clone().by_rmcp_run().run(Client::Allocations) else { return };
        assert_same_log(&scene, &preloaded, &started);
        assert!(!started.log.allocation("hipHostMalloc(0)").has("COHERENT"), "{scene:?}");
    }
}

#[test]
fn python_with_a_runtime_bundled_in_a_wheel_gets_noncoherent_memory() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010");
        let Some((without, with)) = scene.run_both(Client::Wheel) else { return };
        for run in [&without, &with] {
            let [runtime] = run.call("first").runtimes.as_slice() else {
                panic!("not one runtime but {:?}", run.call("first").runtimes)
            };
            assert!(runtime.contains("/site/pkg/lib/libamdhip64.so"), "{runtime}");
            assert!(run.calls.iter().all(|call| call.code == 0), "{}", run.stdout);
            assert!(run.log.allocation("hipHostMalloc(Coherent)").has("COHERENT"), "{scene:?}");
        }
        assert!(without.log.allocation("hipHostMalloc(0)").has("COHERENT"), "{scene:?}");
        assert!(!with.log.allocation("hipHostMalloc(0)").has("COHERENT"), "{scene:?}");
    }
}

#[test]
fn a_function_looked_up_in_the_runtime_itself_works_and_is_missed_before_6_alone() {
    for release in RELEASES {
        let Some(run) = Scene::new(release, "gfx1010").with_rmcp().run(Client::Wheel) else { return };
        assert_eq!(run.call("by dlsym").code, 0);
        assert_eq!(run.log.allocation("by dlsym").has("COHERENT"), release < Release::Rocm643, "{release}");
    }
}
