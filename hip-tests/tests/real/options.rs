//! What each option changes, seen at the kernel boundary.

use crate::{RELEASES, SIZE, scenes};
use rmcp_hip_tests::{Client, Release, Run, Scene};
use std::sync::Arc;

fn allocations(scene: &Scene, option: &str, value: &str) -> Option<Arc<Run>> {
    scene.clone().with_rmcp().env(option, value).run(Client::Allocations)
}

#[test]
fn host_keep_leaves_pinned_memory_coherent() {
    for scene in scenes(&["gfx1010"]) {
        let Some(run) = allocations(&scene, "RMCP_HOST", "keep") else { return };
        assert!(run.log.allocation("hipHostMalloc(0)").has("COHERENT"), "{scene:?}");
    }
}

#[test]
fn host_force_takes_coherence_from_those_who_ask_for_it() {
    for scene in scenes(&["gfx1010"]) {
        let Some(run) = allocations(&scene, "RMCP_HOST", "force") else { return };
        for flags in ["0", "Coherent", "Mapped|Coherent"] {
            let event = run.log.allocation(&format!("hipHostMalloc({flags})"));
            assert!(event.has("USERPTR") && !event.has("COHERENT"), "{event} in {scene:?}");
        }
    }
}

#[test]
fn managed_keep_leaves_managed_memory_coherent() {
    for scene in scenes(&["gfx1010"]) {
        let Some(run) = allocations(&scene, "RMCP_MANAGED", "keep") else { return };
        let events = run.log.under("hipMallocManaged(Global)");
        assert!(!events.iter().any(|event| event.svm("CLR_FLAGS", "COHERENT")), "{scene:?}");
    }
}

/// So the option, RMCP's first idea, does nothing for the GPU. It is kept because it was asked for.
#[test]
fn managed_attach_host_changes_nothing_at_the_kernel_boundary() {
    for scene in scenes(&["gfx1010"]) {
        let Some(without) = scene.run(Client::Allocations) else { return };
        let Some(with) = allocations(&scene, "RMCP_MANAGED", "attach-host") else { return };
        let mark = "hipMallocManaged(Global)";
        assert_eq!(with.call(mark).code, 0, "{scene:?}");
        assert_eq!(with.log.only(mark).shape(), without.log.only(mark).shape(), "{scene:?}");
    }
}

#[test]
fn device_uncached_default_turns_uncached_memory_into_plain_vram() {
    let scene = Scene::new(Release::Rocm643, "gfx1010");
    let Some(run) = allocations(&scene, "RMCP_DEVICE_UNCACHED", "default") else { return };
    let plain: Vec<&str> = run.log.allocation("hipMalloc").flags().collect();
    for label in ["hipExtMallocWithFlags(Uncached)", "hipExtMallocWithFlags(Contiguous)"] {
        assert_eq!(run.log.allocation(label).flags().collect::<Vec<_>>(), plain, "{label}");
    }
}

#[test]
fn hsa_pool_coarse_takes_coherence_from_a_program_on_hsa_alone() {
    for release in RELEASES {
        let scene = Scene::new(release, "gfx1010");
        let Some(without) = scene.run(Client::HsaPools) else { return };
        let Some(with) = scene.clone().with_rmcp().env("RMCP_HSA_POOL", "coarse").run(Client::HsaPools) else {
            return;
        };
        let own = |run: &Run| {
            let events = run.log.allocations("cpu fine");
            events.into_iter().find(|event| event.size() == SIZE).expect("an allocation").clone()
        };
        assert!(own(&without).has("COHERENT"), "{scene:?}");
        assert!(own(&with).has("USERPTR") && !own(&with).has("COHERENT"), "{scene:?}");
    }
}
