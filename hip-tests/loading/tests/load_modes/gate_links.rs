//! The gate under another path than its own: the packages link to it from the loader's folders.

use crate::{NON_COHERENT, SYSTEM, gate_without_core, host_malloc, linked};
use rmcp_hip_tests::Build;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn a_name_without_a_folder_finds_the_gate_by_a_link_and_the_core_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Build::find().unwrap().gate();
    symlink(gate, folder.path().join("librmcp.so")).unwrap();
    // As the loader's own folders are searched, which hold nothing of RMCP's here.
    let process = linked().gate(Path::new("librmcp.so")).env("LD_LIBRARY_PATH", folder.path());
    let report = process.run("hipHostMalloc=0");
    assert_eq!(report.lines, [host_malloc(SYSTEM, NON_COHERENT)]);
    assert_eq!(report.stderr, "");
}

#[test]
fn a_link_that_leads_to_a_gate_without_its_core_forwards_every_call_unchanged() {
    let (folder, file) = gate_without_core();
    let link = folder.path().join("links/librmcp.so");
    std::fs::create_dir(folder.path().join("links")).unwrap();
    symlink(&file, &link).unwrap();
    let report = linked().gate(&link).run("hipHostMalloc=0");
    assert_eq!(report.lines, [host_malloc(SYSTEM, "0x0")]);
    assert_eq!(report.stderr, "");
}
