//! ROCm/clr#285: which atomic operations act on which memory, without RMCP and with it.

use crate::{run, scene, scenes};
use rmcp_hip_tests::{Client, Release, Run, Scene};
use std::collections::BTreeSet;

/// What the bus of the model carries: PCI Express has FetchAdd, Swap and CAS.
const CARRIED: [&str; 4] = ["Add", "Sub", "Exch", "CAS"];
/// Memory that RMCP makes non-coherent by default.
const REWRITTEN: [&str; 3] = ["hipHostMalloc(0)", "hipHostMalloc(Mapped)", "hipMallocManaged"];
/// Memory that it leaves as it was asked for.
const LEFT: [&str; 2] = ["hipHostMalloc(Coherent)", "hipHostRegister"];
/// Memory in which everything is right anyhow.
const CACHED: [&str; 2] = ["hipMalloc", "hipHostMalloc(NonCoherent)"];

const CLIENT: Client = Client::Kernels { program: "atomics" };
/// Operations on each kind of memory.
const OPERATIONS: usize = 13 + 2 + 8;

/// Operations with wrong results, by memory.
fn wrong<'a>(run: &'a Run, memory: &str) -> BTreeSet<&'a str> {
    let calls =
        run.calls.iter().filter_map(|call| Some((call.label.strip_prefix(memory)?.strip_prefix(" atomic")?, call)));
    let calls: Vec<_> = calls.collect();
    assert_eq!(calls.len(), OPERATIONS, "{memory}");
    calls.into_iter().filter(|(_, call)| call.wrong > 0).map(|(operation, _)| operation).collect()
}

/// Everything but what the bus carries is wrong, and nothing else is.
#[track_caller]
fn assert_only_the_carried_act(scene: &Scene, run: &Run, memory: &str) {
    let wrong = wrong(run, memory);
    let carried = wrong.iter().filter(|operation| CARRIED.iter().any(|c| operation.split(' ').next() == Some(c)));
    assert_eq!(carried.count(), 0, "{memory} in {scene:?}: {wrong:?}");
    assert_eq!(wrong.len(), 9 + 1 + 5, "{memory} in {scene:?}: {wrong:?}");
}

#[track_caller]
fn assert_all_act(scene: &Scene, run: &Run, memory: &str) {
    assert_eq!(wrong(run, memory), BTreeSet::new(), "{memory} in {scene:?}");
}

#[test]
fn without_rmcp_atomics_that_pcie_does_not_have_are_lost_in_coherent_host_memory() {
    for scene in scenes() {
        let Some(run) = run(&scene, CLIENT) else { return };
        REWRITTEN.iter().chain(&LEFT).for_each(|memory| assert_only_the_carried_act(&scene, &run, memory));
        CACHED.iter().for_each(|memory| assert_all_act(&scene, &run, memory));
    }
}

#[test]
fn with_rmcp_every_atomic_acts_in_default_pinned_and_managed_memory() {
    for scene in scenes().into_iter().map(Scene::with_rmcp) {
        let Some(run) = run(&scene, CLIENT) else { return };
        REWRITTEN.iter().chain(&CACHED).for_each(|memory| assert_all_act(&scene, &run, memory));
        // A program that asks for coherence gets it.
        LEFT.iter().for_each(|memory| assert_only_the_carried_act(&scene, &run, memory));
    }
}

#[test]
fn with_host_force_explicitly_coherent_memory_is_right_too() {
    let scene = scene(Release::Rocm643, "gfx1010").with_rmcp().env("RMCP_HOST", "force");
    let Some(run) = run(&scene, CLIENT) else { return };
    assert_all_act(&scene, &run, "hipHostMalloc(Coherent)");
}

#[test]
fn with_register_coarse_registered_memory_is_right_too() {
    for release in Release::ALL {
        let scene = scene(release, "gfx1010").by_rmcp_run().env("RMCP_REGISTER", "coarse");
        let Some(run) = run(&scene, CLIENT) else { return };
        assert_all_act(&scene, &run, "hipHostRegister");
    }
}

#[test]
fn the_bus_decides_what_is_lost() {
    let with = |bus| scene(Release::Rocm643, "gfx1030").env("RMCP_KFD_BUS", bus);
    let Some(all) = run(&with("all"), CLIENT) else { return };
    assert_all_act(&with("all"), &all, "hipHostMalloc(0)");
    let Some(none) = run(&with("none"), CLIENT) else { return };
    assert_eq!(wrong(&none, "hipHostMalloc(0)").len(), OPERATIONS);
    assert_all_act(&with("none"), &none, "hipHostMalloc(NonCoherent)");
}
