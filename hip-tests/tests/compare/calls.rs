//! `clients/compare.cpp`, line by line.

use rmcp_hip_tests::{Client, Release, Run, Scene, on_every_release};

/// A difference that the default policy makes on purpose.
struct Difference {
    /// The releases that show it.
    releases: &'static [Release],
    /// How the line begins.
    call: &'static str,
    /// Words of the line without RMCP, and of the line with it.
    words: [&'static str; 2],
    /// How many lines of this kind there are.
    lines: usize,
    #[allow(dead_code, reason = "for the reader")]
    reason: &'static str,
}

const BEFORE_6: &[Release] = &[Release::Rocm523, Release::Rocm571];

const DIFFERENCES: &[Difference] = &[
    Difference {
        releases: BEFORE_6,
        call: "hipHostAlloc: hipPointerGetAttributes(",
        words: [": 1 0 #0 null 0", ": 0 0 #0 #0 0"],
        lines: 3,
        reason: "hipHostAlloc is device memory there; with RMCP it is the pinned host memory that it says it is",
    },
    Difference {
        releases: BEFORE_6,
        call: "hipHostAlloc: hipPointerGetAttribute(&kind",
        words: [": 1", ": 0"],
        lines: 3,
        reason: "the same",
    },
    Difference {
        releases: &[Release::Rocm571],
        call: "hipHostAlloc: hipHostGetFlags(",
        words: ["hipErrorInvalidValue", "hipSuccess"],
        lines: 3,
        reason: "the same: device memory has no such flags",
    },
    Difference {
        releases: &[Release::Rocm523],
        call: "hipHostAlloc: hipHostGetFlags(",
        words: [": 0", ": "],
        lines: 2,
        reason: "the same: 5.2.3 answers 0 for device memory, and for pinned memory what was asked",
    },
    Difference {
        releases: &[Release::Rocm523],
        call: "hipHostMalloc: hip",
        words: ["3276", "53687091"],
        lines: 4,
        reason: "5.2.3 gives 0x8000 back for NumaUser; with RMCP a program reads 0x20000000, which it asked for",
    },
    Difference {
        releases: &Release::ALL,
        call: "managed memory: hipMemRangeGetAttribute(&value, 4, hipMemRangeAttributeCoherencyMode",
        words: [": 0", ": 1"],
        lines: 2,
        reason: "managed=coarse: the range is coarse-grained and says so, as if the program had advised it",
    },
];

fn compare(release: Release, with: &Scene) -> Option<Vec<(String, String)>> {
    let lines = |run: &Run| run.stdout.lines().map(str::to_owned).collect::<Vec<_>>();
    let without = lines(&*Scene::new(release, "gfx1010").run(Client::Compare)?);
    let with = lines(&*with.run(Client::Compare)?);
    let last = without.last().map(String::as_str).unwrap_or_default();
    let calls: usize = last.strip_suffix(" calls").and_then(|count| count.parse().ok()).unwrap_or_default();
    assert!(calls > 1000, "only {calls} calls on {release}: {last}");
    let differences = without.iter().zip(&with).filter(|(without, with)| without != with);
    let differences = differences.map(|(without, with)| (without.clone(), with.clone())).collect();
    assert_eq!(with.len(), without.len(), "lines on {release}, after {differences:#?}");
    Some(differences)
}

#[test]
fn with_policy_keep_no_call_gives_back_anything_else_than_without_rmcp() {
    on_every_release(|release| {
        let keep = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_POLICY", "keep");
        let Some(differences) = compare(release, &keep) else { return };
        assert!(differences.is_empty(), "on {release}: {differences:#?}");
    });
}

#[test]
fn calls_that_are_recorded_give_back_nothing_else_than_without_rmcp() {
    let folder = tempfile::tempdir().unwrap();
    on_every_release(|release| {
        let records = folder.path().join(release.version());
        std::fs::create_dir(&records).unwrap();
        let scene = Scene::new(release, "gfx1010").with_rmcp().env("RMCP_POLICY", "keep");
        let Some(differences) = compare(release, &scene.env("RMCP_TRACE", records.to_str().unwrap())) else { return };
        assert!(differences.is_empty(), "on {release}: {differences:#?}");
        assert!(records.read_dir().unwrap().count() >= 2, "nothing was recorded on {release}");
    });
}

#[test]
fn by_default_only_what_is_listed_gives_back_anything_else_than_without_rmcp() {
    on_every_release(|release| {
        let scene = Scene::new(release, "gfx1010").with_rmcp();
        let Some(mut differences) = compare(release, &scene) else { return };
        for listed in DIFFERENCES.iter().filter(|listed| listed.releases.contains(&release)) {
            let before = differences.len();
            differences.retain(|(without, with)| {
                let [was, is] = listed.words;
                !(without.starts_with(listed.call) && without.contains(was) && with.contains(is))
            });
            assert_eq!(before - differences.len(), listed.lines, "{} {:?} on {release}", listed.call, listed.words);
        }
        assert!(differences.is_empty(), "on {release}: {differences:#?}");
    });
}
