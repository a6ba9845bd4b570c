//! `rmcp selftest` passes on the real ROCm runtime over an emulated card, and names what fails with RMCP alone.
#![forbid(unsafe_code)]

use rmcp_hip_tests::{Build, Release, Stack, require};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// `rmcp selftest` on an emulated card. None, after a loud word, where it cannot be had.
fn selftest(release: Release, library: Option<&Path>, arguments: &[&str]) -> Option<Output> {
    require("the ROCm stack", Stack::fetch(release))?;
    let build = require("the built RMCP", Build::find())?;
    let mut command = Command::new(build.rmcp());
    command.args(["selftest", "--emulated", "--rocm", release.version()]).args(arguments);
    if let Some(library) = library {
        command.env("RMCP_LIBRARY", library);
    }
    Some(command.output().unwrap())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The names of the categories and the word for each outcome with RMCP.
fn outcomes(report: &Value) -> Vec<(String, String)> {
    let categories = report["categories"].as_array().unwrap().iter();
    let outcome = |category: &Value| category["with"].as_object().unwrap().keys().next().unwrap().clone();
    categories.map(|category| (category["name"].as_str().unwrap().to_owned(), outcome(category))).collect()
}

const TRIED: [&str; 7] = ["detection", "queue", "sizes", "pinned", "managed", "copies", "threads"];

#[test]
fn every_category_passes_on_the_emulated_card_and_pytorch_is_left_to_a_real_one() {
    for release in [Release::Rocm523, Release::Rocm571, Release::Rocm643, Release::Rocm724] {
        let Some(output) = selftest(release, None, &["--json"]) else { return };
        let report = json(&output);
        assert!(output.status.success(), "{release}: {report:#}");
        let expected = TRIED.map(|name| (name.to_owned(), "passed".to_owned()));
        let outcomes = outcomes(&report);
        assert_eq!(outcomes[..7], expected, "{release}: {report:#}");
        assert_eq!(outcomes[7..], [("torch".to_owned(), "skipped".to_owned())]);
        assert_eq!(report["figures"].as_array().unwrap().len(), 5, "{report:#}");
        assert_eq!(report["source"]["emulated"], true);
    }
}

#[test]
fn what_fails_with_rmcp_alone_is_named_and_the_status_says_so() {
    let Some(build) = require("the built RMCP", Build::find()) else { return };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for entry in fs::read_dir(build.gate().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    // A library that refuses every piece of pinned memory.
    let gate = folder.path().join("librmcp.so");
    fs::remove_file(&gate).unwrap();
    let source = folder.path().join("refuse.c");
    fs::write(
        &source,
        "int hipHostMalloc(void **p, unsigned long s, unsigned f) { (void)p, (void)s, (void)f; return 2; }",
    )
    .unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&gate).arg(&source).status().unwrap();
    assert!(compiled.success());

    let arguments = ["--category", "pinned", "--category", "managed", "--category", "speed"];
    let Some(output) = selftest(Release::Rocm643, Some(&gate), &arguments) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for category in ["pinned", "speed"] {
        assert!(text.contains(&format!("{category}, with RMCP: ")) && text.contains("hipErrorOutOfMemory"), "{text}");
    }
    assert!(!text.contains("without RMCP: ") && !text.contains("managed, with RMCP"), "{text}");
}

#[test]
fn a_category_that_there_is_not_is_met_with_the_nearest() {
    let Some(output) = selftest(Release::Rocm643, None, &["--category", "copie"]) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("'copies'"), "{said}");
}
