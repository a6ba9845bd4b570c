//! `register = "coarse"`.

use rmcp_hip_tests::{Client, Run, Scene, on_every_release};

/// What every client asks for at once, in bytes.
const SIZE: u64 = 0xa0_0000;
const CALLS: [&str; 4] = ["hipHostRegister(0)", "hipHostRegister(1)", "hipHostRegister(2)", "hipHostRegister(8)"];

/// Whether registered memory reaches the kernel as coherent. Old releases allocate it as such, later ones set an
/// attribute of its range.
fn coherent(run: &Run, label: &str) -> bool {
    assert_eq!(run.call(label).code, 0, "{label}");
    let events = run.log.under(label);
    let own = events.iter().find(|event| event.size() == SIZE).unwrap_or_else(|| panic!("{label} reaches no kernel"));
    match own.kind.as_str() {
        "alloc" => own.has("COHERENT"),
        _ => {
            let (set, cleared) = (own.svm("SET_FLAGS", "COHERENT"), own.svm("CLR_FLAGS", "COHERENT"));
            assert!(set != cleared, "{own}");
            set
        }
    }
}

#[test]
fn register_coarse_takes_coherence_from_registered_memory_where_kernels_acquire_from_the_system() {
    on_every_release(|release| {
        let client = || Client::Options { option: "register" };
        let scene = Scene::new(release, "gfx1010").env("AMD_OPT_FLUSH", "0");
        let Some(without) = scene.run(client()) else { return };
        let Some(with) = scene.with_rmcp().env("RMCP_REGISTER", "coarse").run(client()) else { return };
        for label in CALLS {
            assert!(coherent(&without, label), "{label} without RMCP on {release}");
            assert!(!coherent(&with, label), "{label} with RMCP on {release}");
        }
        assert_eq!(with.calls, without.calls, "{release}");
    });
}

#[test]
fn register_coarse_without_amd_opt_flush_0_changes_nothing_and_says_so_once() {
    on_every_release(|release| {
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_REGISTER", "coarse").env("RMCP_LOG", "warn");
        let Some(run) = scene.run(Client::Options { option: "register" }) else { return };
        for label in CALLS {
            assert!(coherent(&run, label), "{label} on {release}");
        }
        let warnings: Vec<&str> = run.stderr.lines().filter(|line| line.contains(" warn: ")).collect();
        assert!(matches!(warnings.as_slice(), [one] if one.contains("AMD_OPT_FLUSH=0")), "{warnings:?} on {release}");
    });
}
