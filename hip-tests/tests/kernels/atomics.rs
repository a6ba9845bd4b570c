//! ROCm/clr#285: which atomic operations act on which memory, without RMCP and with it.

use crate::{scene, scenes};
use rmcp_hip_tests::{Client, Release, Run, Scene};
use std::collections::BTreeSet;

/// What the bus of the model carries: PCI Express has FetchAdd, Swap and CAS.
const BUS_OPERATIONS: [&str; 4] = ["add", "sub", "exchange", "cas"];
/// Memory that RMCP makes non-coherent by default.
const REWRITTEN: [&str; 3] = ["hipHostMalloc(0)", "hipHostMalloc(Mapped)", "hipMallocManaged(Global)"];
/// The same; VRAM without RMCP on ROCm 5.
const HOST_ALLOC: &str = "hipHostAlloc(0)";
/// Memory that it leaves as it was asked for.
const UNCHANGED: [&str; 2] = ["hipHostMalloc(Coherent)", "hipHostRegister(0)"];
/// Memory in which everything is right anyhow.
const CACHED: [&str; 3] = ["hipMalloc()", "hipHostMalloc(Portable)", "hipHostMalloc(NonCoherent)"];

/// Integer operations on each kind of memory: 13 of 32 bits, 11 of 64.
const INTEGER: usize = 13 + 11;
/// Those among them that the bus does not carry.
const LOST: usize = 9 + 7;
/// Minimum and maximum of float and double.
const FLOAT: usize = 4;

/// Operations with wrong results, by memory.
#[track_caller]
fn wrong_operations<'a>(run: &'a Run, memory: &str) -> BTreeSet<&'a str> {
    let calls = run.calls.iter().filter_map(|call| Some((call.label.strip_prefix(memory)?.strip_prefix(' ')?, call)));
    let calls: Vec<_> = calls.collect();
    assert_eq!(calls.len(), INTEGER + FLOAT, "{memory}");
    let untried: Vec<_> = calls.iter().filter(|(_, call)| call.code != 0).collect();
    assert!(untried.iter().all(|(_, call)| call.error == "not in this compiler"), "{memory}: {untried:?}");
    calls.into_iter().filter(|(_, call)| call.wrong > 0).map(|(operation, _)| operation).collect()
}

/// Everything but what the bus carries is wrong, and nothing else is.
#[track_caller]
fn assert_only_bus_operations_act(scene: &Scene, run: &Run, memory: &str) {
    let wrong = wrong_operations(run, memory);
    let (floats, integers): (Vec<&str>, Vec<&str>) = wrong.iter().partition(|operation| operation.contains("float"));
    let carried =
        integers.iter().filter(|operation| BUS_OPERATIONS.iter().any(|c| operation.split(' ').next() == Some(c)));
    assert_eq!(carried.count(), 0, "{memory} in {scene:?}: {wrong:?}");
    assert_eq!(integers.len(), LOST, "{memory} in {scene:?}: {wrong:?}");
    // Older compilers make loops around compare-and-swap of them, or nothing.
    let instructions = [Release::Rocm643, Release::Rocm724].contains(&scene.release());
    assert_eq!(floats.len(), if instructions { FLOAT } else { 0 }, "{memory} in {scene:?}: {wrong:?}");
}

#[track_caller]
fn assert_all_act(scene: &Scene, run: &Run, memory: &str) {
    assert_eq!(wrong_operations(run, memory), BTreeSet::new(), "{memory} in {scene:?}");
}

#[test]
fn without_rmcp_atomics_that_pcie_does_not_have_are_lost_in_coherent_host_memory() {
    for scene in scenes() {
        let Some(run) = scene.run(Client::Atomics) else { return };
        REWRITTEN.iter().chain(&UNCHANGED).for_each(|memory| assert_only_bus_operations_act(&scene, &run, memory));
        CACHED.iter().for_each(|memory| assert_all_act(&scene, &run, memory));
        match scene.release() {
            Release::Rocm523 | Release::Rocm571 => assert_all_act(&scene, &run, HOST_ALLOC),
            Release::Rocm643 | Release::Rocm724 => assert_only_bus_operations_act(&scene, &run, HOST_ALLOC),
        }
    }
}

#[test]
fn with_rmcp_every_atomic_acts_in_default_pinned_and_managed_memory() {
    for scene in scenes().into_iter().map(Scene::with_rmcp) {
        let Some(run) = scene.run(Client::Atomics) else { return };
        let right = REWRITTEN.iter().chain(&CACHED).chain([&HOST_ALLOC]);
        right.for_each(|memory| assert_all_act(&scene, &run, memory));
        // A program that asks for coherence gets it.
        UNCHANGED.iter().for_each(|memory| assert_only_bus_operations_act(&scene, &run, memory));
    }
}

#[test]
fn with_host_force_and_register_coarse_every_atomic_acts_in_every_memory() {
    for scene in scenes() {
        let scene = scene.by_rmcp_run().env("RMCP_HOST", "force").env("RMCP_REGISTER", "coarse");
        let Some(run) = scene.run(Client::Atomics) else { return };
        let all = REWRITTEN.iter().chain(&UNCHANGED).chain(&CACHED).chain([&HOST_ALLOC]);
        all.for_each(|memory| assert_all_act(&scene, &run, memory));
    }
}

#[test]
fn managed_memory_is_as_without_rmcp_where_its_option_says_keep() {
    for release in Release::ALL {
        let scene = scene(release, "gfx1010").with_rmcp().env("RMCP_MANAGED", "keep");
        let Some(run) = scene.run(Client::Atomics) else { return };
        assert_only_bus_operations_act(&scene, &run, "hipMallocManaged(Global)");
        assert_all_act(&scene, &run, "hipHostMalloc(0)");
    }
}

#[test]
fn the_bus_decides_what_is_lost() {
    let with = |bus| scene(Release::Rocm643, "gfx1030").env("RMCP_KFD_BUS", bus);
    let Some(all) = with("all").run(Client::Atomics) else { return };
    assert_all_act(&with("all"), &all, "hipHostMalloc(0)");
    let Some(none) = with("none").run(Client::Atomics) else { return };
    assert_eq!(wrong_operations(&none, "hipHostMalloc(0)").len(), INTEGER + FLOAT);
    assert_all_act(&with("none"), &none, "hipHostMalloc(NonCoherent)");
}
