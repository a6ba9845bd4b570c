//! Libraries whose code is in kpack archives, and these archives.

use crate::make::{self, bundle, elf, kpack, kpack_host, kpack_of};
use rmcp_cli::commands::inspect::verdict::{Coverage, advice};
use rmcp_cli::inspect::device_wheel::missing_device_wheel;
use rmcp_cli::inspect::{Code, CodeInventory, Kind, inspect_file, inspect_paths};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

const NAME: &str = "lib/libtorch_hip.so";
const PATTERN: &str = "../.kpack/torch_@GFXARCH@.kpack";

fn targets(code: &Code) -> String {
    code.targets.counts().map(|(isa, count)| format!("{isa}*{count}")).collect::<Vec<_>>().join(" ")
}

/// PyTorch as its multi-arch wheels install it, with the device wheels of these targets.
fn torch(devices: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let packages = folder.path();
    make::write(packages, "torch/lib/libtorch_hip.so", &kpack_host(NAME, &[PATTERN], 2));
    make::write(packages, "torch-2.9.1+rocm7.14.0.dist-info/METADATA", b"");
    for target in devices {
        let archive = kpack(&[("lib/libtorch_hip.so#0", &[target]), ("lib/libtorch_hip.so#1", &[target])]);
        make::write(packages, &format!("torch/.kpack/torch_{target}.kpack"), &archive);
        make::write(packages, &format!("amd_torch_device_{target}-2.9.1+rocm7.14.0.dist-info/METADATA"), b"");
    }
    folder
}

fn library(folder: &TempDir) -> Code {
    inspect_file(&folder.path().join("torch/lib/libtorch_hip.so")).unwrap()
}

fn found(folder: &Path) -> CodeInventory {
    inspect_paths(&[folder.into()], &[])
}

fn coverage(card: &str, found: &CodeInventory) -> Coverage {
    Coverage::of_inventory(card.parse().unwrap(), found)
}

#[test]
fn a_library_has_the_targets_of_the_archives_that_its_search_paths_lead_to() {
    let code = library(&torch(&["gfx1010", "gfx1030", "gfx90a:xnack+"]));
    assert_eq!((code.kind, code.bundles), (Kind::KpackHost, 2));
    assert_eq!(targets(&code), "gfx90a:xnack+*2 gfx1010*2 gfx1030*2");
    assert_eq!(code.problems, [""; 0]);
}

#[test]
fn code_counts_only_under_the_librarys_name_and_a_number_of_its_records() {
    let folder = torch(&[]);
    for (name, counts) in [
        ("lib/libtorch_hip.so#0", "gfx1010*1"),
        ("lib/libtorch_hip.so#1", "gfx1010*1"),
        ("lib/libtorch_hip.so#2", ""),
        ("lib/libtorch_hip.so", ""),
        ("lib/libtorch_hip.so.1#0", ""),
        ("lib/libother.so#0", ""),
    ] {
        make::write(folder.path(), "torch/.kpack/torch_gfx1010.kpack", &kpack(&[(name, &["gfx1010"])]));
        assert_eq!(targets(&library(&folder)), counts, "{name}");
    }
}

#[test]
fn an_archive_counts_for_the_target_of_its_name_alone() {
    let folder = torch(&[]);
    let archive = kpack(&[("lib/libtorch_hip.so#0", &["gfx1010", "gfx1030"])]);
    make::write(folder.path(), "torch/.kpack/torch_gfx1010.kpack", &archive);
    make::write(folder.path(), "torch/.kpack/torch_gfx1100.kpack", &archive);
    make::write(folder.path(), "torch/.kpack/other_gfx1030.kpack", &archive);
    assert_eq!(targets(&library(&folder)), "gfx1010*1");
    // A path without the placeholder is for any.
    let host = kpack_host(NAME, &["../.kpack/other_gfx1030.kpack"], 1);
    make::write(folder.path(), "torch/lib/libtorch_hip.so", &host);
    assert_eq!(targets(&library(&folder)), "gfx1010*1 gfx1030*1");
}

#[test]
fn a_target_that_the_archive_does_not_announce_is_never_found() {
    let folder = torch(&[]);
    let toc = json!({"lib/libtorch_hip.so#0": {"gfx1010": {}, "gfx1030": {}}});
    let archive = kpack_of(&json!({"gfx_arches": ["gfx1030"], "toc": toc}));
    for target in ["gfx1010", "gfx1030"] {
        make::write(folder.path(), &format!("torch/.kpack/torch_{target}.kpack"), &archive);
    }
    assert_eq!(targets(&library(&folder)), "gfx1030*1");
}

#[test]
fn an_archive_by_itself_lists_its_targets() {
    let folder = torch(&["gfx1010"]);
    let code = inspect_file(&folder.path().join("torch/.kpack/torch_gfx1010.kpack")).unwrap();
    assert_eq!((code.kind, targets(&code)), (Kind::Kpack, "gfx1010*2".into()));
}

#[test]
fn the_archives_of_a_folder_are_one_row_for_each_group_and_decide_where_no_library_names_them() {
    let folder = torch(&["gfx1010", "gfx1030"]);
    make::write(folder.path(), "torch/.kpack/vision_gfx1010.kpack", &kpack(&[("x.so#0", &["gfx1010"])]));
    let whole = found(folder.path());
    let rows: Vec<_> =
        whole.code.iter().map(|code| (code.path.file_name().unwrap().to_str().unwrap(), code.optional)).collect();
    assert_eq!(rows, [("torch_@GFXARCH@.kpack", true), ("vision_@GFXARCH@.kpack", true), ("libtorch_hip.so", false)]);
    let alone = found(&folder.path().join("torch/.kpack"));
    assert_eq!(alone.code.iter().map(targets).collect::<Vec<_>>(), ["gfx1010*2 gfx1030*2", "gfx1010*1"]);
    assert_eq!(coverage("gfx1010", &alone), Coverage::Native);
    assert_eq!(coverage("gfx1030", &alone), Coverage::None);
}

#[test]
fn a_library_without_archives_has_no_code_for_any_card() {
    let found = found(torch(&[]).path());
    assert_eq!(found.code.len(), 1);
    assert_eq!(coverage("gfx1010", &found), Coverage::None);
}

#[test]
fn the_device_wheel_that_is_missing_is_named_with_the_version_of_its_host() {
    let folder = torch(&["gfx1010"]);
    let found = found(folder.path());
    assert_eq!(coverage("gfx1010", &found), Coverage::Native);
    assert_eq!(advice("gfx1010".parse().unwrap(), &found, None), []);
    let texts: Vec<String> = advice("gfx1030".parse().unwrap(), &found, None).into_iter().map(|it| it.text).collect();
    assert!(texts[0].contains("amd-torch-device-gfx1030==2.9.1+rocm7.14.0; it is not installed"), "{texts:?}");
}

#[test]
fn a_device_wheel_of_another_version_does_not_fit_and_one_of_the_same_is_not_missing() {
    let folder = torch(&[]);
    let library = folder.path().join("torch/lib/libtorch_hip.so");
    let missing = || missing_device_wheel(&library, "gfx1010".parse().unwrap());
    let placeholder = folder.path().join("amd_torch_device_gfx1010-0.0.1.dev0.dist-info");
    std::fs::create_dir(&placeholder).unwrap();
    assert_eq!(missing().unwrap().installed.as_deref(), Some("0.0.1.dev0"));
    let same = folder.path().join("amd_torch_device_gfx1010-2.9.1+rocm7.14.0.dist-info");
    std::fs::rename(placeholder, same).unwrap();
    assert_eq!(missing(), None);
}

#[test]
fn the_libraries_of_the_sdk_have_device_wheels_and_a_package_of_a_like_name_has_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rocm_sdk_libraries-7.14.0.dist-info")).unwrap();
    let name = |package: &str| {
        let library = make::write(folder.path(), &format!("{package}/lib/librocblas.so.5"), b"");
        missing_device_wheel(&library, "gfx1010".parse().unwrap()).map(|wheel| (wheel.name, wheel.version))
    };
    let wheel = Some(("rocm-sdk-device-gfx1010".to_owned(), "7.14.0".to_owned()));
    assert_eq!(name("_rocm_sdk_libraries"), wheel);
    assert_eq!(name("_rocm_sdk_libraries_abcdef"), wheel);
    assert_eq!(name("_rocm_sdk_librariesque"), None);
    assert_eq!(name("torch"), None, "no wheel of this name is installed");
}

#[test]
fn a_library_with_bundles_of_its_own_needs_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    make::write(folder.path(), ".kpack/one_gfx1030.kpack", &kpack(&[("one.so#0", &["gfx1030"])]));
    let path = make::write(folder.path(), "lib/one.so", &elf(&[bundle(&["gfx1010"])]));
    let code = inspect_file(&path).unwrap();
    assert_eq!((code.kind, targets(&code)), (Kind::Elf, "gfx1010*1".into()));
}

#[test]
fn broken_archives_and_references_are_told() {
    let folder = torch(&[]);
    let sound = kpack(&[("lib/libtorch_hip.so#0", &["gfx1010"])]);
    let with = |at: usize, bytes: &[u8]| {
        let mut broken = sound.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        broken
    };
    let deep = [vec![0x81, 0xa1, b'x'], vec![0x91; 100_000], vec![0xc0]].concat();
    for (bytes, says) in [
        (with(4, &[2]), "version 2"),
        (with(8, &u64::MAX.to_le_bytes()), "beyond its end"),
        (with(8, &(sound.len() as u64).to_le_bytes()), "beyond its end"),
        (sound[..12].to_vec(), "cut off"),
        (sound[..sound.len() - 1].to_vec(), "MessagePack is broken"),
        ([sound[..128].to_vec(), deep].concat(), "MessagePack is broken"),
        // A map that claims four thousand million entries.
        ([sound[..128].to_vec(), vec![0xdf, 0xff, 0xff, 0xff, 0xff]].concat(), "MessagePack is broken"),
        ([sound[..128].to_vec(), vec![0xc0; 5 << 20]].concat(), "more than any archive needs"),
    ] {
        let path = make::write(folder.path(), "torch/.kpack/torch_gfx1010.kpack", &bytes);
        let archive = inspect_file(&path).unwrap();
        assert!(archive.problems.iter().any(|problem| problem.contains(says)), "{says}: {:?}", archive.problems);
        let library = library(&folder);
        assert!(library.targets.is_empty() && library.problems[0].contains(says), "{says}: {:?}", library.problems);
    }
    for reference in [&b""[..], b"\xc0", b"\xdf\xff\xff\xff\xff", &[0x91; 1 << 16]] {
        make::write(folder.path(), "torch/lib/libtorch_hip.so", &make::kpack_host_of(reference, 1));
        let library = library(&folder);
        assert!(library.problems[0].contains(".rocm_kpack_ref is broken"), "{:?}", library.problems);
    }
}

#[test]
fn no_more_tables_are_read_for_one_library_than_any_needs() {
    let folder = torch(&[]);
    let mut table = kpack(&[("lib/libtorch_hip.so#0", &["gfx1010"])]);
    table.resize(128 + (4 << 20), 0);
    let first = make::write(folder.path(), "torch/.kpack/torch_gfx1010.kpack", &table);
    for minor in 0..0x40 {
        std::fs::hard_link(&first, folder.path().join(format!("torch/.kpack/torch_gfx11{minor:02x}.kpack"))).unwrap();
    }
    let code = library(&folder);
    assert_eq!(targets(&code), "gfx1010*1");
    assert_eq!(code.problems, ["the tables of its kpack archives are too large; the rest was not read"]);
}
