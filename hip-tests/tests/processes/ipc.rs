//! hipIpc: device memory and events that two processes share, with caches between each card and the host.

use rmcp_hip_tests::{Client, Release, Run, Scene, machine};

/// One card; two, of which each process has its own; and one where RMCP makes the memory non-coherent that both register.
fn scenes(release: Release) -> [(Scene, &'static str); 3] {
    let two = machine(&["gfx1030", "gfx1030"], true);
    let registered = Scene::new(release, "gfx1010").env("AMD_OPT_FLUSH", "0").env("RMCP_REGISTER", "coarse");
    [(Scene::new(release, "gfx1010"), "0"), (Scene::new(release, &two), "1"), (registered, "0")]
}

#[track_caller]
fn assert_right_on(scene: &Scene, card: &'static str, wait: &'static str) {
    for scene in [scene.clone(), scene.clone().with_rmcp()] {
        let Some(run) = scene.run(Client::Ipc { args: [card, wait] }) else { return };
        run.assert_right(15);
    }
}

#[test]
fn two_processes_share_memory_and_events_and_wait_by_the_events() {
    for (scene, card) in scenes(Release::Rocm724) {
        assert_right_on(&scene, card, "events");
    }
}

/// By itself 6.4.3 uses calls that Linux does not have; and its events do not wait.
#[test]
fn two_processes_of_6_4_3_share_memory_by_dma_bufs_where_they_are_told_to() {
    for (scene, card) in scenes(Release::Rocm643) {
        assert_right_on(&scene.env("HSA_ENABLE_IPC_MODE_LEGACY", "0"), card, "streams");
    }
}

#[test]
fn what_linux_does_not_have_is_refused_alike() {
    let outcome = |run: &Run| run.calls.iter().map(|call| (call.label.clone(), call.code)).collect::<Vec<_>>();
    let scene = Scene::new(Release::Rocm643, "gfx1010");
    let Some((bare, with)) = scene.run_both(Client::Ipc { args: ["0", "streams"] }) else { return };
    assert_eq!(outcome(&bare), [("hipIpcGetMemHandle(device)".into(), 1)], "hipErrorInvalidValue");
    assert_eq!(outcome(&with), outcome(&bare));
}
