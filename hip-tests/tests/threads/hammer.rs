//! Threads that allocate, ask and free at random.

use crate::program::Program;
use rmcp_hip_tests::{Client, Release, Scene};

const THREADS: &str = "64";

#[test]
fn a_million_calls_of_64_threads_are_all_counted_and_answered_as_if_each_thread_were_alone() {
    let report = Program::new("hammer", &["gfx1010"]).run(&[THREADS, "15625"]);
    for (call, flags) in [
        ("hipHostMalloc(0)", "0"),
        ("hipHostMalloc(0x2)", "0x2"),
        ("hipHostMalloc(0x3)", "0x3"),
        ("hipHostMalloc(0x40000000)", "0x40000000"),
        ("hipHostMalloc(0x80000000)", "0x80000000"),
        ("hipHostMalloc(0x20000000)", "0x20000000"),
        ("hipHostAlloc(0x2)", "0x2"),
    ] {
        assert!(report.contains(&format!("{call} has flags {flags}\n")), "{report}");
    }
    let calls: u64 = report.lines().last().unwrap().strip_prefix("calls ").unwrap().parse().unwrap();
    assert!((1_000_000..1_001_000).contains(&calls), "{calls} calls");
}

/// On 5.2.3 a NumaUser allocation shows a flag of another interface, and hipHostAlloc gives device memory, without RMCP.
fn differs_without_rmcp(release: Release, line: &str) -> bool {
    release == Release::Rocm523 && ["hipHostMalloc(0x20000000)", "hipHostAlloc"].iter().any(|odd| line.starts_with(odd))
}

#[test]
fn every_call_of_16_threads_is_counted_and_answered_as_without_rmcp_on_the_real_runtime() {
    for release in [Release::Rocm523, Release::Rocm643] {
        let client = Client::Threads { program: "hammer", args: vec!["16", "500"] };
        let scene = Scene::new(release, "gfx1010");
        let Some((without, with)) = scene.run_both(client) else { return };
        let mut compared = 0;
        for (with, without) in
            with.stdout.lines().zip(without.stdout.lines()).filter(|(_, line)| !differs_without_rmcp(release, line))
        {
            assert_eq!(with, without, "{release}");
            compared += 1;
        }
        assert!(compared >= 10, "{compared} on {release}");
        let calls: u64 = with.stdout.lines().last().unwrap().strip_prefix("calls ").unwrap().parse().unwrap();
        assert!((8000..8200).contains(&calls), "{calls} calls on {release}");
    }
}
