//! `clients/compare_reuse.cpp`: what RMCP remembers of memory is not taken for what lies there later.

use rmcp_hip_tests::{Client, Release, Run, Scene, on_every_release};

fn client(args: &[&'static str]) -> Client {
    Client::Reuse { args: args.into() }
}

/// The same place came back most times: who else allocates meanwhile may get it.
#[track_caller]
fn assert_reused(run: &Run) {
    let line = run.stdout.lines().find_map(|line| line.strip_prefix("reused ")).expect("a count");
    let (reused, pairs) = line.split_once(" of ").expect("a count");
    let [reused, pairs] = [reused, pairs].map(|count| count.parse::<u32>().expect("a count"));
    assert!(4 * reused >= 3 * pairs, "{reused} of {pairs}: {:?}", run.scene);
}

/// What RMCP changes by itself: before 6 hipHostAlloc gives device memory, and 5.2.3 calls NumaUser 0x8000 (compare/calls.rs).
fn differs_without_rmcp(release: Release, kind: &str) -> bool {
    (release < Release::Rocm643 && kind.starts_with("hipHostAlloc"))
        || (release == Release::Rocm523 && kind.starts_with("hipHostMalloc(NumaUser)"))
}

#[test]
fn memory_in_the_place_of_other_memory_is_described_as_without_rmcp() {
    on_every_release(|release| {
        let Some((without, with)) = Scene::new(release, "gfx1010").run_both(client(&["answers"])) else { return };
        assert_reused(&with);
        let described = |run: &Run| {
            let lines =
                run.stdout.lines().filter(|line| line.starts_with("hip") && !differs_without_rmcp(release, line));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let (without, with) = (described(&without), described(&with));
        let differences: Vec<_> = with.iter().zip(&without).filter(|(with, without)| with != without).collect();
        assert!(differences.is_empty(), "{} on {release}: {:#?}", differences.len(), &differences[..1]);
        assert_eq!(with.len(), without.len(), "{release}");
    });
}

/// What RMCP makes non-coherent by default.
const REWRITTEN: [&str; 8] = [
    "hipHostMalloc(0)",
    "hipHostMalloc(Mapped)",
    "hipHostMalloc(Portable|Mapped)",
    "hipHostMalloc(NumaUser)",
    "hipMemAllocHost",
    "hipHostAlloc(0)",
    "hipHostAlloc(Mapped)",
    "hipMallocManaged",
];
const INVALID_VALUE: i32 = 1;

#[test]
fn a_stream_is_refused_words_of_memory_that_rmcp_made_noncoherent_and_of_no_other_in_its_place() {
    on_every_release(|release| {
        let Some((without, with)) = Scene::new(release, "gfx1010").run_both(client(&["words"])) else { return };
        assert_reused(&with);
        for (before, after) in without.calls.iter().zip(&with.calls) {
            let kind = before.label.split(" in the place").next().unwrap();
            let expected = if REWRITTEN.contains(&kind) { INVALID_VALUE } else { before.code };
            assert_eq!((after.code, after.last), (expected, expected), "{} on {release}", after.label);
        }
        assert_eq!(with.calls.len(), without.calls.len(), "{release}");
    });
}

#[test]
fn of_tens_of_thousands_of_allocations_each_alive_one_is_known_and_the_dead_cost_nothing() {
    on_every_release(|release| {
        let Some((without, with)) = Scene::new(release, "gfx1010").run_both(client(&["many", "10000"])) else { return };
        for run in [&without, &with] {
            for round in run.calls.iter().filter(|call| call.label.starts_with("round")) {
                assert_eq!(round.wrong, 0, "{} in {:?}", round.label, run.scene);
                assert!(round.flags < 100, "{} places were taken in {} of {:?}", round.flags, round.label, run.scene);
            }
        }
        let flags = |run: &Run| run.stdout.lines().filter(|line| line.starts_with("hip")).collect::<Vec<_>>().concat();
        assert_eq!(flags(&with), flags(&without), "{release}");
        // Of 16 bytes for each of 40,000.
        let growth = |run: &Run| run.call("growth").flags;
        eprintln!("{release}: {} KiB, {} KiB without RMCP", growth(&with), growth(&without));
        assert!(growth(&with) < growth(&without) + 512, "{} KiB on {release}", growth(&with));
    });
}
