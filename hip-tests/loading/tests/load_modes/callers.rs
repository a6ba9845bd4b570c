//! Whose call it is: libraries that keep what they ask for, by the names of their files.

use crate::process::Process;
use crate::{NON_COHERENT, SYSTEM, host_malloc};
use rmcp_hip_tests::Stubs;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KEPT: &str = "0x0";

/// A client library of this name in a folder of its own.
fn library(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(Stubs::get().client(), &path).unwrap();
    path
}

/// A process on one gfx1010 that has loaded these libraries.
fn loading(libraries: &[&Path]) -> Process {
    let clients: Vec<_> = libraries.iter().map(|path| ("local", path.to_path_buf())).collect();
    Process::loading(&clients).gpus(&["gfx1010"])
}

#[test]
fn what_a_library_of_the_table_asks_for_is_forwarded_and_what_others_ask_for_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, flags) in [
        ("librccl.so", KEPT),
        ("librccl.so.1", KEPT),
        ("librccl-1a2b3c4d.so.1.0", KEPT),
        ("librccl2.so", NON_COHERENT),
        ("libtorch_hip.so", NON_COHERENT),
        ("libother.so", NON_COHERENT),
    ] {
        let (library, other) = (library(&folder, name), library(&folder, "libclient.so"));
        let report = loading(&[&library, &other]).run("@0 hipHostMalloc=0 @1 hipHostMalloc=0 @0 hipHostMalloc=0");
        assert_eq!(
            report.lines,
            [host_malloc(SYSTEM, flags), host_malloc(SYSTEM, NON_COHERENT), host_malloc(SYSTEM, flags)],
            "{name}"
        );
    }
}

#[test]
fn the_same_holds_for_managed_memory() {
    let folder = tempfile::tempdir().unwrap();
    let advised =
        |name| loading(&[&library(&folder, name)]).run("hipMallocManaged=1").lines[0].contains("hipMemAdvise");
    assert!(!advised("librccl.so.1"));
    assert!(advised("libother.so"));
}

#[test]
fn mapped_memory_of_llama_cpp_is_forwarded_and_its_default_pinned_memory_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let report = loading(&[&library(&folder, "libggml-hip.so")]).run("hipHostMalloc=0x3 hipHostMalloc=0");
    let mapped = "hipHostMalloc=0x3\t0\tlibamdhip64.so.6: hipHostMalloc(0x1000, 0x3)".to_owned();
    assert_eq!(report.lines, [mapped, host_malloc(SYSTEM, NON_COHERENT)]);
}

#[test]
fn a_section_of_the_options_decides_for_a_library() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, rccl) = (library(&folder, "libmine.so.3"), library(&folder, "librccl.so.1"));
    let config = folder.path().join("rmcp.toml");
    fs::write(&config, "[library.libmine]\nhost = 'keep'\n[library.librccl]\nhost = 'noncoherent'\n").unwrap();
    let process = loading(&[&mine, &rccl]).env("RMCP_CONFIG", &config);
    let report = process.clone().run("@0 hipHostMalloc=0 @1 hipHostMalloc=0");
    assert_eq!(report.lines, [host_malloc(SYSTEM, KEPT), host_malloc(SYSTEM, NON_COHERENT)]);
    let report = process.env("RMCP_POLICY", "keep").run("@0 hipHostMalloc=0 @1 hipHostMalloc=0");
    assert_eq!(report.lines, [host_malloc(SYSTEM, KEPT), host_malloc(SYSTEM, KEPT)]);
}

#[test]
fn the_log_says_which_library_has_rules_of_its_own_and_which_call_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let process = loading(&[&library(&folder, "librccl.so.1")]).env("RMCP_LOG", "debug");
    let log = process.run("hipHostMalloc=0 hipHostMalloc=0x80000000").stderr;
    assert_eq!(log.matches("librccl.so.1 has rules of its own: RCCL needs coherent memory").count(), 1, "{log}");
    // The second would have been forwarded anyway.
    assert_eq!(log.matches("hipHostMalloc is forwarded as asked: RCCL needs coherent memory").count(), 1, "{log}");
}

/// Where the C library can tell without a lock: from glibc 2.35 on.
#[test]
fn a_library_in_the_place_of_an_unloaded_one_has_its_own_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (other, rccl) = (library(&folder, "libother.so"), library(&folder, "librccl.so.1"));
    for (first, flags, second, then) in [(&other, NON_COHERENT, &rccl, KEPT), (&rccl, KEPT, &other, NON_COHERENT)] {
        // The runtime stays, so that only the client goes.
        let process = loading(&[&Stubs::get().second_wheel_client(), first]);
        let load = format!("--local={}", second.display());
        let report = process.run(&format!("@1 hipHostMalloc=0 --unload=1 {load} @2 place hipHostMalloc=0"));
        assert_eq!(
            report.lines,
            [host_malloc(SYSTEM, flags), "place\tsame".into(), host_malloc(SYSTEM, then)],
            "{}",
            second.display()
        );
    }
}
