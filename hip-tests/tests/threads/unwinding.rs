//! What the real function does to the stack, it does to the program's: exceptions, pthread_exit, cancellation and longjmp.

use rmcp_hip_tests::{Client, Release, Scene, on_every_release};

const WAYS_OUT: [&str; 4] = ["throw", "exit", "cancel", "jump"];
const FUNCTIONS: [&str; 6] =
    ["hipHostMalloc", "hipMalloc", "hipMallocManaged", "hipMemAllocHost", "hipHostAlloc", "hipEventCreateWithFlags"];
/// A log of each call, a limit of memory, GPUs that RMCP is not for.
const OPTIONS: [(&str, &[(&str, &str)]); 4] = [
    ("gfx1010", &[("RMCP_LOG", "trace"), ("RMCP_LOG_FILE", "/dev/null")]),
    ("gfx1010", &[("RMCP_VRAM_FRACTION", "0.5")]),
    ("gfx1030", &[("RMCP_HOST", "force"), ("RMCP_DEVICE_FINEGRAINED", "auto")]),
    ("gfx90a", &[("RMCP_LOG", "trace"), ("RMCP_LOG_FILE", "/dev/null")]),
];

/// Without RMCP: a longjmp leaves 5.2.3 with a lock that it holds.
fn hangs(release: Release, way: &str) -> bool {
    release == Release::Rocm523 && way == "jump"
}

/// Compares what the program prints, and what it asks the kernel for then: `times` calls are left, another one is made.
#[track_caller]
fn assert_left_as_without_rmcp(without: &Scene, with: &Scene, args: [&'static str; 3]) -> Option<()> {
    let [way, function, times] = args;
    if hangs(without.release(), way) {
        return Some(());
    }
    let client = || Client::Unwinding { args };
    let (without, with) = (without.run(client())?, with.run(client())?);
    assert_eq!(with.stdout, without.stdout, "{args:?} in {:?}", with.scene);
    let word = match way {
        "throw" => "caught std::bad_alloc",
        "exit" => "exited",
        "cancel" => "cancelled",
        _ => "jumped",
    };
    assert_eq!(with.stdout.matches(word).count(), times.parse::<usize>().unwrap(), "{function}: {}", with.stdout);
    assert!(with.stdout.contains("once more 0"), "{function}: {}", with.stdout);
    Some(())
}

#[test]
fn a_real_function_is_left_by_exception_exit_cancellation_and_jump_as_without_rmcp() {
    on_every_release(|release| {
        let scene = Scene::new(release, "gfx1010");
        for args in WAYS_OUT.into_iter().flat_map(|way| FUNCTIONS.map(|function| [way, function, "2"])) {
            let Some(()) = assert_left_as_without_rmcp(&scene, &scene.clone().with_rmcp(), args) else { return };
            if args[1] == "hipHostMalloc" && !hangs(release, args[0]) {
                let Some(run) = scene.clone().with_rmcp().run(Client::Unwinding { args }) else { return };
                let scene = &run.scene;
                assert!(!run.log.allocation("once more").has("COHERENT"), "{args:?} in {scene:?}");
            }
        }
    });
}

#[test]
fn a_real_function_is_left_as_without_rmcp_whatever_the_options_are() {
    on_every_release(|release| {
        for (card, options) in OPTIONS {
            let without = Scene::new(release, card);
            let with = options.iter().fold(without.clone().with_rmcp(), |scene, (name, value)| scene.env(name, value));
            for args in WAYS_OUT.into_iter().flat_map(|way| ["hipHostMalloc", "hipMalloc"].map(|f| [way, f, "2"])) {
                let Some(()) = assert_left_as_without_rmcp(&without, &with, args) else { return };
            }
        }
    });
}

#[test]
fn a_real_function_is_left_as_without_rmcp_where_its_calls_are_recorded() {
    on_every_release(|release| {
        let folder = tempfile::tempdir().unwrap();
        let without = Scene::new(release, "gfx1010");
        let with = without.clone().with_rmcp().env("RMCP_TRACE", folder.path().to_str().unwrap());
        for args in WAYS_OUT.into_iter().flat_map(|way| ["hipHostMalloc", "hipMalloc"].map(|f| [way, f, "2"])) {
            let Some(()) = assert_left_as_without_rmcp(&without, &with, args) else { return };
        }
        assert!(folder.path().read_dir().unwrap().count() > 0, "nothing was recorded on {release}");
    });
}

#[test]
fn what_an_exception_keeps_from_being_allocated_does_not_count_against_the_limit() {
    on_every_release(|release| {
        let without = Scene::new(release, "gfx1010");
        let with = without.clone().with_rmcp().env("RMCP_VRAM_FRACTION", "0.5");
        // 10 MiB each, of 3 GiB.
        let args = ["throw", "hipMalloc", "400"];
        let Some(()) = assert_left_as_without_rmcp(&without, &with, args) else { return };
    });
}
