//! Programs that nobody here wrote.

use crate::{RDNA, SIZE, scenes};
use rmcp_hip_tests::{Client, Release, Scene};

fn rocminfo() -> Client {
    Client::Debian { packages: Vec::new(), program: "rocminfo", args: Vec::new() }
}

#[test]
fn rocminfo_prints_the_same_under_rmcp_run() {
    for scene in scenes(&RDNA) {
        let Some(without) = scene.run(rocminfo()) else { return };
        let Some(with) = scene.clone().by_rmcp_run().run(rocminfo()) else { return };
        assert!(without.stdout.contains("gfx10"), "{}", without.stdout);
        assert_eq!(with.stdout, without.stdout, "{scene:?}");
    }
}

#[test]
fn llama_cpps_backend_gets_noncoherent_pinned_memory_under_rmcp_run() {
    for machine in RDNA {
        let scene = Scene::new(Release::Rocm643, machine);
        let Some(without) = scene.run(Client::Ggml) else { return };
        let Some(with) = scene.clone().by_rmcp_run().run(Client::Ggml) else { return };
        let (before, after) = (without.log.allocation("pinned"), with.log.allocation("pinned"));
        assert!(before.has("USERPTR") && before.has("COHERENT") && before.size() == SIZE, "{before} on {machine}");
        assert!(after.has("USERPTR") && !after.has("COHERENT") && after.size() == SIZE, "{after} on {machine}");
        let vram = |run: &rmcp_hip_tests::Run| run.log.only("device").shape();
        assert_eq!(vram(&with), vram(&without), "on {machine}");
        for run in [&without, &with] {
            assert_eq!((run.call("pinned").code, run.call("copies").wrong), (0, 0), "on {machine}");
        }
    }
}

#[test]
fn starpu_finds_its_hip_worker_under_rmcp_run() {
    let starpu = || Client::Debian { packages: vec!["starpu-tools"], program: "starpu_machine_display", args: vec![] };
    let scene = Scene::new(Release::Rocm643, "gfx1010");
    for scene in [scene.clone(), scene.by_rmcp_run()] {
        let Some(run) = scene.run(starpu()) else { return };
        assert!(run.stdout.contains("1 HIP worker"), "{scene:?}:\n{}{}", run.stdout, run.stderr);
    }
}
