//! What `rmcp detect` and `rmcp explain` say of a card and a call is what the real runtime does there, on an emulated card.
#![forbid(unsafe_code)]

use rmcp_hip_tests::{Build, Client, Release, Run, Scene};
use serde_json::Value;
use std::process::Command;

/// `rmcp` with these arguments, and what it says in JSON.
#[track_caller]
fn rmcp(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let build = Build::find().expect("RMCP was built");
    let mut command = Command::new(build.rmcp());
    command.args(arguments).arg("--json").env_clear().env("RMCP_CONFIG", "").envs(environment.iter().copied());
    let output = command.output().expect("rmcp was built");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// `rmcp detect` on an emulated machine.
fn detect(machine: &str, environment: &[(&str, &str)]) -> Value {
    let build = Build::find().expect("RMCP was built");
    let kfd = build.kfd();
    let emulated = [("LD_PRELOAD", kfd.to_str().expect("a plain path")), ("RMCP_KFD_MACHINE", machine)];
    rmcp(&["detect"], &[&emulated, environment].concat())
}

/// Whether `rmcp explain` says of a call such as "hipHostMalloc(Mapped)" that it is changed on this release.
fn explained_as_changed(label: &str, card: &str, release: Release) -> bool {
    let (name, flags) = label.split_once('(').unwrap_or((label, ")"));
    let flags = Some(flags.trim_end_matches(')')).filter(|flags| !flags.is_empty());
    let arguments: Vec<&str> = ["explain", name].into_iter().chain(flags).chain(["--card", card]).collect();
    let answer = rmcp(&arguments, &[]);
    let outcomes = answer["cards"][0]["outcomes"].as_array().expect("outcomes");
    // What hipExtMallocWithFlags(Finegrained) becomes depends on the release.
    let old = matches!(release, Release::Rocm523 | Release::Rocm571);
    let mine = |outcome: &&Value| match outcome["when"].as_str() {
        Some("ROCm up to 6.2.2") => old,
        Some("later releases") => !old,
        _ => true,
    };
    outcomes.iter().find(mine).expect("an outcome")["changed"] == true
}

#[test]
fn a_call_reaches_the_kernel_otherwise_exactly_if_explain_says_so() {
    for (release, card) in [
        (Release::Rocm571, "gfx1010"),
        (Release::Rocm643, "gfx1010"),
        (Release::Rocm643, "gfx1030"),
        (Release::Rocm643, "gfx1100"),
    ] {
        let Some((without, with)) = Scene::new(release, card).run_both(Client::Allocations) else { return };
        let calls = without.calls.iter().map(|call| call.label.as_str());
        let calls: Vec<&str> = calls.filter(|label| label.starts_with("hip")).collect();
        assert!(calls.len() > 20, "{calls:?}");
        for label in calls {
            let shape = |run: &Run| run.log.only(label).shape();
            let changed = shape(&without) != shape(&with);
            assert_eq!(changed, explained_as_changed(label, card, release), "{label} on {card}, ROCm {release}");
        }
    }
}

#[test]
fn detect_sees_the_cards_of_the_emulated_machine() {
    for (machine, family, idle) in [
        ("gfx1010", "RDNA1", Value::Null),
        ("gfx1030", "RDNA2", Value::Null),
        ("gfx1100", "other", "gfx1100 is neither RDNA1 nor RDNA2".into()),
    ] {
        let found = detect(machine, &[]);
        let [card] = &found["cards"].as_array().expect("cards")[..] else { panic!("{found:#}") };
        assert_eq!((&card["target"], &card["family"], &card["idle"]), (&machine.into(), &family.into(), &idle));
        assert_eq!(found["machine"]["kfd"]["usable"], true);
        assert_eq!(card["render"]["usable"], true, "{card:#}");
        assert_eq!(found["rmcp"]["library_problem"], Value::Null);
    }
}

#[test]
fn detect_reports_the_name_under_which_the_runtime_sees_the_card() {
    let overrides = [("HSA_OVERRIDE_GFX_VERSION", "10.3.0")];
    let scene = Scene::new(Release::Rocm643, "gfx1010").env(overrides[0].0, overrides[0].1);
    let Some(run) = scene.run(Client::Allocations) else { return };
    let found = detect("gfx1010", &overrides);
    let reported = found["cards"][0]["reported"]["target"].as_str().expect("a target");
    assert!(run.call("properties").arch.starts_with(reported), "{}", run.call("properties").arch);
    assert_eq!(found["cards"][0]["target"], "gfx1010");
}
