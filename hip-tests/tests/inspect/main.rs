//! `rmcp inspect` finds the code for each gfx target in what Debian's hipcc compiles and in llama.cpp's HIP backend from
//! Debian, and reads little of them.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use rmcp_hip_tests::{Build, Compiler, Release, Stack, require};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const KERNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/inspect/kernel.cpp");

/// What `rmcp inspect` says of one file, and its exit status.
struct Inspection {
    report: Value,
    status: Option<i32>,
}

fn inspect(path: &Path, cards: &[&str]) -> Inspection {
    let rmcp = Build::find().expect("RMCP is built").rmcp_run().with_file_name("rmcp");
    let mut command = Command::new(rmcp);
    command.args(["inspect", "--json"]).arg(path).args(cards.iter().flat_map(|card| ["--card", card]));
    let output = command.output().expect("rmcp runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}; {said}"));
    Inspection { report, status: output.status.code() }
}

impl Inspection {
    fn file(&self) -> &Value {
        &self.report["files"][0]
    }

    /// "gfx1010*2 gfx1030*2".
    fn targets(&self) -> String {
        assert_eq!(self.file()["problems"], Value::Array(Vec::new()), "{}", self.report);
        let targets = self.file()["targets"].as_array().expect("targets");
        let target = |target: &Value| format!("{}*{}", target["name"].as_str().unwrap_or_default(), target["count"]);
        targets.iter().map(target).collect::<Vec<_>>().join(" ")
    }

    fn bundles(&self) -> (u64, u64) {
        let number = |name: &str| self.file()[name].as_u64().expect("a number");
        (number("bundles"), number("compressed"))
    }

    /// How the cards are served: "native", "override" or "none".
    fn coverage(&self) -> Vec<&str> {
        let cards = self.report["cards"].as_array().expect("cards");
        cards.iter().map(|card| card["coverage"].as_str().expect("a word")).collect()
    }
}

/// None where there is no compiler to be had.
fn compiler() -> Option<Compiler> {
    require("Debian's hipcc", Compiler::fetch())
}

fn object(compiler: &Compiler, targets: &[&str], flags: &[&str]) -> PathBuf {
    compiler.object(KERNEL, targets, &[&["-nogpulib", "-nogpuinc"], flags].concat()).expect("hipcc runs")
}

fn bundle(compiler: &Compiler, targets: &[&str], flags: &[&str]) -> PathBuf {
    compiler.bundle(KERNEL, targets, &[&["-nogpulib", "-nogpuinc"], flags].concat()).expect("hipcc runs")
}

#[test]
fn an_object_file_names_the_targets_it_was_compiled_for() {
    let Some(compiler) = compiler() else { return };
    let inspected = inspect(
        &object(&compiler, &["gfx1010", "gfx1030", "gfx90a:xnack-"], &[]),
        &["gfx1010", "gfx1012", "gfx1031", "gfx1036", "gfx90a"],
    );
    assert_eq!(inspected.targets(), "gfx90a:xnack-*1 gfx1010*1 gfx1030*1");
    assert_eq!(inspected.bundles(), (1, 0));
    assert_eq!(inspected.coverage(), ["native", "override", "override", "none", "native"]);
    assert_eq!(inspected.status, Some(4), "a card without code");
}

#[test]
fn compressed_bundles_are_read_as_this_clang_writes_them() {
    let Some(compiler) = compiler() else { return };
    let targets = ["gfx1010", "gfx1030"];
    for (file, kind) in [
        (object(&compiler, &targets, &["--offload-compress"]), "ELF"),
        (bundle(&compiler, &targets, &["--offload-compress"]), "offload bundle"),
    ] {
        let inspected = inspect(&file, &["gfx1010", "gfx1031"]);
        assert_eq!(inspected.targets(), "gfx1010*1 gfx1030*1");
        assert_eq!(inspected.bundles(), (1, 1), "{}", file.display());
        assert_eq!(inspected.file()["kind"], kind);
        assert_eq!(inspected.status, Some(0));
    }
}

#[test]
fn generic_targets_serve_their_group() {
    let Some(compiler) = compiler() else { return };
    let file = bundle(&compiler, &["gfx10-1-generic", "gfx10-3-generic"], &[]);
    let inspected = inspect(&file, &["gfx1010", "gfx1036", "gfx1100"]);
    assert_eq!(inspected.targets(), "gfx10-1-generic*1 gfx10-3-generic*1");
    assert_eq!(inspected.coverage(), ["native", "native", "none"]);
}

#[test]
fn a_bare_code_object_names_its_target_and_features() {
    let Some(compiler) = compiler() else { return };
    let targets =
        ["gfx1010", "gfx1010:xnack+", "gfx1010:xnack-", "gfx90a:sramecc+:xnack-", "gfx1030", "gfx10-3-generic"];
    for target in targets {
        let file = bundle(&compiler, &[target], &["--no-gpu-bundle-output"]);
        let inspected = inspect(&file, &["gfx1010"]);
        assert_eq!(inspected.targets(), format!("{target}*1"));
        assert_eq!(inspected.file()["kind"], "code object");
        let runs = ["gfx1010", "gfx1010:xnack-"].contains(&target);
        assert_eq!(inspected.coverage(), [if runs { "native" } else { "none" }], "{target}");
    }
}

#[test]
fn every_object_file_in_a_library_and_in_an_archive_counts() {
    let Some(compiler) = compiler() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let objects = [
        object(&compiler, &["gfx1010", "gfx1030"], &["-Dkernel=one"]),
        object(&compiler, &["gfx1010", "gfx1030"], &["-Dkernel=two", "--offload-compress"]),
        object(&compiler, &["gfx1030"], &["-Dkernel=three"]),
    ];
    let library = folder.path().join("libkernels.so");
    run(Command::new("c++").args(["-shared", "-nostdlib", "-o"]).arg(&library).args(&objects));
    let archive = folder.path().join("libkernels.a");
    run(Command::new("ar").arg("cr").arg(&archive).args(&objects));
    for (file, kind) in [(library, "ELF"), (archive, "archive")] {
        let inspected = inspect(&file, &["gfx1010"]);
        assert_eq!(inspected.targets(), "gfx1010*2 gfx1030*3", "{kind}");
        assert_eq!((inspected.bundles(), &inspected.file()["kind"]), ((3, 1), &kind.into()));
    }
}

#[test]
fn llama_cpps_backend_is_read_in_a_thousandth_of_its_size() {
    let Some(library) = require("Debian's libggml0-backend-hip", ggml()) else { return };
    let inspected = inspect(&library, &["gfx1010", "gfx1012", "gfx1030", "gfx1031", "gfx1013", "gfx1036"]);
    assert_eq!(inspected.coverage(), ["native", "override", "native", "override", "override", "none"]);
    // The loader registers as many bundles as .hipFatBinSegment has records; a problem is told where they differ.
    let (bundles, _) = inspected.bundles();
    let targets = inspected.targets();
    assert!(bundles > 100, "{bundles}");
    for target in ["gfx1010", "gfx1030", "gfx1100"] {
        assert!(targets.split(' ').any(|counted| counted == format!("{target}*{bundles}")), "{targets}");
    }
    let size = library.metadata().expect("its size").len();
    let read = inspected.file()["bytes_read"].as_u64().expect("a number");
    assert!(read < size / 1000, "{read} of {size} bytes were read");
}

fn ggml() -> Result<PathBuf> {
    let stack = Stack::fetch(Release::Rocm643)?.with_only(&["libggml0-backend-hip", "libggml-dev"])?;
    stack.file("usr/lib/x86_64-linux-gnu/ggml/backends0/libggml-hip.so")
}

fn run(command: &mut Command) {
    let output = command.output().with_context(|| format!("{command:?}")).expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
