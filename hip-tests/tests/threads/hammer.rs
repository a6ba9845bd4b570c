//! Threads that allocate, ask and free at random.

use crate::program::Program;
use rmcp_hip_tests::{Client, Release, Scene};

/// What is counted, and with what set: each call where each is logged, else those of the functions that have a hook.
const COUNTED: [(&str, &[(&str, &str)]); 2] =
    [("all", &[("RMCP_LOG", "trace"), ("RMCP_LOG_FILE", "/dev/null")]), ("rules", &[])];

#[test]
fn a_million_calls_of_64_threads_are_counted_where_they_are_hooked_and_answered_as_if_each_thread_were_alone() {
    for (counted, environment) in COUNTED {
        let program = Program::new("hammer", &["gfx1010"]);
        let program = environment.iter().fold(program, |program, (name, value)| program.env(name, *value));
        assert_answered(&program.run(&["64", "15625", counted]));
    }
}

#[track_caller]
fn assert_answered(report: &str) {
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
fn the_calls_of_16_threads_are_counted_where_they_are_hooked_and_answered_as_without_rmcp_on_the_real_runtime() {
    let releases = [Release::Rocm523, Release::Rocm643];
    for (release, (counted, environment)) in releases.into_iter().flat_map(|release| COUNTED.map(|how| (release, how)))
    {
        let client = || Client::Threads { program: "hammer", args: vec!["16", "500", counted] };
        let scene = Scene::new(release, "gfx1010");
        let Some(without) = scene.run(client()) else { return };
        let scene = environment.iter().fold(scene.with_rmcp(), |scene, (name, value)| scene.env(name, value));
        let Some(with) = scene.run(client()) else { return };
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
