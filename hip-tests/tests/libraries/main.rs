//! ROCm's libraries, as Debian compiles them, with RMCP and without: what was right stays right.
//!
//! Each is used by unmodified test programs of its own; RCCL by a client of ours too. The cards are emulated, and so is the
//! bus between them (hip-tests/kfd): a result that is the same with RMCP and without shows that RMCP changes nothing that
//! the model knows, no more.
#![forbid(unsafe_code)]

mod rccl;

use rmcp_hip_tests::{Client, Run, Scene, require};
use std::sync::Arc;

/// The run, or `None` where this machine cannot have a stack.
fn run(scene: &Scene, client: Client) -> Option<Arc<Run>> {
    require("a ROCm stack", scene.run(client))
}

/// What gtest says of each test: `OK Suite.Name`, without the time that it took.
fn verdicts(run: &Run) -> Vec<String> {
    let verdict = |line: &str| {
        let (verdict, test) = line.strip_prefix('[')?.split_once(']')?;
        let (test, _time) = test.trim().split_once(" (")?;
        (["OK", "FAILED", "SKIPPED"].contains(&verdict.trim())).then(|| format!("{} {test}", verdict.trim()))
    };
    run.stdout.lines().filter_map(verdict).collect()
}

/// Runs the same with RMCP and without: the verdicts are the same, and each of `tests` passes.
#[track_caller]
fn pass_with_rmcp_and_without(scene: &Scene, client: &Client, tests: usize) {
    let Some(bare) = run(scene, client.clone()) else { return };
    let Some(with) = run(&scene.clone().with_rmcp(), client.clone()) else { return };
    let passed = verdicts(&bare);
    assert!(passed.iter().all(|verdict| verdict.starts_with("OK ")), "{scene:?} without RMCP: {passed:?}");
    assert_eq!(passed.len(), tests, "{scene:?}: {passed:?}");
    assert_eq!(verdicts(&with), passed, "{scene:?}");
}
