//! The queue of a runtime that reckons a compute unit's waves by the topology, 40 on RDNA1, where Linux reckons with 32
//! (ROCm/TheRock#7472). The runtime is a stand-in (clients/queue_sizes_runtime.cpp).

use rmcp_hip_tests::{Client, Release, Run, Scene, machine_on};
use std::sync::Arc;

/// Which waves the runtime reckons with, and where its save area lies.
const BY_TOPOLOGY: (&str, &str) = ("topology", "svm");
const BY_TOPOLOGY_IN_A_BUFFER: (&str, &str) = ("topology", "buffer");
const BY_LINUX: (&str, &str) = ("linux", "buffer");

const RDNA1: [&str; 4] = ["gfx1010", "gfx1011", "gfx1012", "gfx1013"];
const RDNA2: [&str; 2] = ["gfx1030", "gfx1032"];

fn run(card: &str, kernel: &str, (waves, save_area): (&str, &str), by_open: bool) -> Option<Arc<Run>> {
    let scene = Scene::new(Release::Rocm643, &machine_on(kernel, card));
    scene.env("QUEUE_WAVES", waves).env("QUEUE_SAVE_AREA", save_area).run(Client::QueueSizes { by_open })
}

/// Whether each card gives the runtime a queue on this kernel.
#[track_caller]
fn assert_queues(cards: &[&str], kernel: &str, runtime: (&str, &str), given: bool) {
    for (card, by_open) in cards.iter().flat_map(|card| [(card, false), (card, true)]) {
        let Some(run) = run(card, kernel, runtime, by_open) else { return };
        let code = if given { 0 } else { 22 };
        assert_eq!(run.call("queue of node 1").code, code, "{:?}:\n{}{}", run.scene, run.stdout, run.log);
        let refused = run.log.events.iter().filter(|event| event.kind == "refused").count();
        assert_eq!(refused, usize::from(!given), "{:?}:\n{}", run.scene, run.log);
    }
}

/// The sizes must be just those of the kernel, or from 6.18 on those and a mapping of just them.
#[test]
fn forty_waves_a_unit_get_no_queue_in_a_buffer_on_rdna1_from_linux_6_12_on() {
    assert_queues(&RDNA1, "6.12", BY_TOPOLOGY_IN_A_BUFFER, false);
    assert_queues(&RDNA1, "6.18", BY_TOPOLOGY_IN_A_BUFFER, false);
}

#[test]
fn forty_waves_a_unit_get_a_queue_before_linux_6_12_and_32_everywhere() {
    assert_queues(&RDNA1, "6.1", BY_TOPOLOGY, true);
    assert_queues(&RDNA1, "6.1", BY_TOPOLOGY_IN_A_BUFFER, true);
    for kernel in ["6.1", "6.12", "6.18"] {
        assert_queues(&RDNA1, kernel, BY_LINUX, true);
    }
}

/// Shared memory may be larger than needed, but the control stack may not: 36 and 40 units have one more page of it at 40
/// waves a unit, 22 and 24 have not.
#[test]
fn in_shared_memory_linux_6_12_refuses_the_control_stack_of_forty_waves_a_unit_where_it_has_more_pages() {
    assert_queues(&["gfx1010", "gfx1011"], "6.12", BY_TOPOLOGY, false);
    assert_queues(&["gfx1012", "gfx1013"], "6.12", BY_TOPOLOGY, true);
}

/// The runtime takes control stack and save area from the topology there.
#[test]
fn forty_waves_a_unit_get_a_queue_in_shared_memory_where_linux_publishes_the_sizes() {
    assert_queues(&RDNA1, "6.18", BY_TOPOLOGY, true);
}

#[test]
fn rdna2_has_no_such_difference() {
    for kernel in ["6.1", "6.12", "6.18"] {
        assert_queues(&RDNA2, kernel, BY_TOPOLOGY, true);
        assert_queues(&RDNA2, kernel, BY_TOPOLOGY_IN_A_BUFFER, true);
    }
}
