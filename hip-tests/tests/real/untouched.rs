//! What RMCP must not change.

use crate::{OTHER_CARDS, RDNA, RELEASES, SIZE, assert_same_log, scenes};
use rmcp_hip_tests::{Client, Run, Scene};

#[test]
fn the_runtimes_own_allocations_are_the_same_with_and_without_rmcp() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        let most = scene.clone().with_rmcp().env("RMCP_HOST", "force").env("RMCP_HSA_POOL", "coarse");
        let Some(most) = most.run(Client::Allocations) else { return };
        let own = |run: &Run| -> Vec<(u64, Vec<String>)> {
            let events = run.log.events.iter().filter(|event| event.kind == "alloc" && event.size() != SIZE);
            events.map(|event| (event.size(), event.flags().map(str::to_owned).collect())).collect()
        };
        assert_eq!(own(&with), own(&without), "{scene:?}");
        assert_eq!(own(&most), own(&without), "{scene:?} with every rewrite");
        let coherent = own(&with).iter().filter(|(_, flags)| flags.iter().any(|flag| flag == "COHERENT")).count();
        assert!(coherent > 0, "no queue, signal or kernarg memory seen in {scene:?}");
    }
}

#[test]
fn on_other_cards_the_whole_log_is_the_same_with_and_without_rmcp() {
    for scene in scenes(&OTHER_CARDS) {
        for client in [Client::Allocations, Client::Copies { device: false }, Client::HsaPools] {
            let Some((without, with)) = scene.run_both(client) else { return };
            assert_same_log(&scene, &without, &with);
            assert_eq!(with.calls, without.calls, "{scene:?}");
        }
    }
}

#[test]
fn switched_off_rmcp_leaves_the_log_as_it_is() {
    for scene in scenes(&["gfx1010"]) {
        for (name, value) in [("RMCP_POLICY", "keep"), ("RMCP_DISABLE", "1")] {
            let Some(without) = scene.run(Client::Allocations) else { return };
            let Some(with) = scene.clone().with_rmcp().env(name, value).run(Client::Allocations) else { return };
            assert_same_log(&scene, &without, &with);
            assert_eq!(with.calls, without.calls, "{name}={value} in {scene:?}");
        }
    }
}

#[test]
fn a_program_on_hsa_alone_keeps_the_pools_it_chose() {
    for scene in scenes(&RDNA) {
        let Some((without, with)) = scene.run_both(Client::HsaPools) else { return };
        assert_same_log(&scene, &without, &with);
    }
}

#[test]
fn a_line_for_each_call_changes_none_of_them() {
    for gpu in ["gfx1010", "gfx1100"] {
        for scene in scenes(&[gpu]) {
            let quiet = scene.clone().with_rmcp();
            let Some(without) = quiet.run(Client::Allocations) else { return };
            let Some(with) = quiet.clone().env("RMCP_LOG", "trace").run(Client::Allocations) else { return };
            assert_same_log(&scene, &without, &with);
            assert_eq!(with.calls, without.calls, "{scene:?}");
            for by in [" trace: hipHostMalloc(ptr=0x", " by the program = 0, at 0x", " by libamdhip64.so"] {
                assert!(with.stderr.contains(by), "{scene:?} {by:?}: {}", with.stderr);
            }
        }
    }
}

#[test]
fn rmcp_says_nothing_unless_asked() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010");
        let Some((without, with)) = scene.run_both(Client::Allocations) else { return };
        assert_eq!(with.stderr, without.stderr);
        let told = scene.with_rmcp().env("RMCP_LOG", "info");
        let Some(told) = told.run(Client::Allocations) else { return };
        assert!(told.stderr.contains("gfx1010"), "{}", told.stderr);
    }
}
