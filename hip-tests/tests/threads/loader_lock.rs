//! A process whose runtime is up: its calls want nothing of the loader.

use rmcp_hip_tests::{Client, Release, Scene};

#[test]
fn a_constructor_may_wait_for_another_threads_calls_of_a_library_that_has_not_called_before() {
    for release in Release::ALL {
        // 5.2.3 does not know gfx1100.
        let cards = if release == Release::Rocm523 { ["gfx1010", "gfx90a"] } else { ["gfx1010", "gfx1100"] };
        for card in cards {
            let Some(run) = Scene::new(release, card).with_rmcp().run(Client::LoaderLock { mode: "constructor" })
            else {
                return;
            };
            for mark in ["plugin", "a function's first call"] {
                let pinned = run.log.allocations(mark).into_iter().find(|event| event.has("USERPTR"));
                let pinned = pinned.unwrap_or_else(|| panic!("{mark} pins nothing in {:?}", run.scene));
                assert_eq!(pinned.has("COHERENT"), card != "gfx1010", "{mark} in {:?}", run.scene);
            }
        }
    }
}

#[test]
fn what_dlerror_has_for_the_program_is_there_after_calls_of_a_library_that_has_not_called_before() {
    for release in Release::ALL {
        let scene = Scene::new(release, "gfx1010");
        let Some((without, with)) = scene.run_both(Client::LoaderLock { mode: "dlerror" }) else { return };
        assert!(without.stdout.contains("no_such_function"), "{}", without.stdout);
        assert_eq!(with.stdout, without.stdout, "{release}");
    }
}
