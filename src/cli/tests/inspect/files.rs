//! Sound files of every kind.

use crate::make::{self, CODE, Method, archive, bundle, bundle_of, code_object, compressed, elf};
use rmcp_cli::inspect::{Code, Kind, inspect_file};

fn read(bytes: &[u8]) -> Code {
    let folder = tempfile::tempdir().unwrap();
    inspect_file(&make::write(folder.path(), "file", bytes)).unwrap()
}

fn targets(code: &Code) -> String {
    code.targets.counts().map(|(isa, count)| format!("{isa}*{count}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_bundle_names_its_targets_and_the_host_is_none() {
    let code = read(&bundle(&["gfx1010:xnack-", "gfx1030", "gfx90a:sramecc+:xnack-", "gfx10-3-generic"]));
    assert_eq!(code.kind, Kind::Bundle);
    assert_eq!(targets(&code), "gfx90a:sramecc+:xnack-*1 gfx1010:xnack-*1 gfx1030*1 gfx10-3-generic*1");
    assert_eq!((code.bundles, code.compressed, code.problems.len()), (1, 0, 0));
}

#[test]
fn every_way_to_name_an_entry_is_understood() {
    let code = read(&bundle_of(
        &[
            "hip-amdgcn-amd-amdhsa--gfx1010",
            "hipv4-amdgcn-amd-amdhsa--gfx1011",
            "openmp-amdgcn-amd-amdhsa--gfx1012",
            "hip-amdgcn-amd-amdhsa-unknown-gfx1013",
            "hip-spirv64-amd-amdhsa-unknown-amdgcnspirv",
            "hip-nvptx64-nvidia-cuda--sm_70",
        ],
        CODE,
    ));
    assert_eq!(targets(&code), "gfx1010*1 gfx1011*1 gfx1012*1 gfx1013*1 amdgcnspirv*1");
    assert_eq!(code.foreign.into_iter().collect::<Vec<_>>(), ["hip-nvptx64-nvidia-cuda--sm_70"]);
}

#[test]
fn compressed_bundles_of_every_version_and_method_are_read() {
    let plain = bundle(&["gfx1010", "gfx1030"]);
    for version in 1..=3 {
        for method in [Method::Zlib, Method::Zstd] {
            let code = read(&compressed(&plain, version, method));
            assert_eq!(targets(&code), "gfx1010*1 gfx1030*1", "version {version}, {method:?}: {:?}", code.problems);
            assert_eq!((code.kind, code.bundles, code.compressed), (Kind::Bundle, 1, 1));
            assert_eq!(code.problems, [""; 0], "version {version}, {method:?}");
        }
    }
}

#[test]
fn all_bundles_of_a_library_are_found_plain_and_compressed_side_by_side() {
    let (both, one) = (bundle(&["gfx1010", "gfx1030"]), bundle(&["gfx1030"]));
    let code = read(&elf(&[
        both.clone(),
        compressed(&both, 1, Method::Zstd),
        one.clone(),
        compressed(&one, 2, Method::Zlib),
        compressed(&both, 3, Method::Zstd),
        both,
    ]));
    assert_eq!(targets(&code), "gfx1010*4 gfx1030*6");
    assert_eq!((code.kind, code.bundles, code.compressed), (Kind::Elf, 6, 3));
    assert_eq!(code.problems, [""; 0]);
}

#[test]
fn a_bundle_that_ends_where_the_next_begins_hides_it_not() {
    let names = ["hipv4-amdgcn-amd-amdhsa--gfx1010", "hipv4-amdgcn-amd-amdhsa--gfx1030"];
    let code = read(&elf(&vec![bundle_of(&names, 2048); 5]));
    assert_eq!(targets(&code), "gfx1010*5 gfx1030*5");
    assert_eq!(code.problems, [""; 0]);
}

#[test]
fn a_code_object_says_its_target_and_features_in_its_flags() {
    for (flags, abi, name) in [
        (0x33, 2, "gfx1010"),
        (0x233, 2, "gfx1010:xnack-"),
        (0x333, 3, "gfx1010:xnack+"),
        (0x133, 1, "gfx1010:xnack+"),
        (0x36, 3, "gfx1030"),
        (0xb3f, 4, "gfx90a:sramecc-:xnack+"),
        (0x22f, 1, "gfx906:sramecc+"),
        (0x0100_0053, 4, "gfx10-3-generic"),
        (0x0100_0052, 4, "gfx10-1-generic"),
        (0x4e, 3, "gfx1201"),
    ] {
        let code = read(&code_object(flags, abi));
        assert_eq!(targets(&code), format!("{name}*1"), "{flags:#x}");
        assert_eq!(code.kind, Kind::CodeObject);
    }
}

#[test]
fn a_code_object_of_an_unknown_processor_is_told_by_its_number() {
    let code = read(&code_object(0xfe, 3));
    assert_eq!(code.foreign.into_iter().collect::<Vec<_>>(), ["EF_AMDGPU_MACH 0xfe"]);
    assert!(code.targets.is_empty());
}

#[test]
fn the_members_of_an_archive_are_read() {
    let odd = b"odd".to_vec();
    let members = [elf(&[bundle(&["gfx1010"])]), odd, elf(&[bundle(&["gfx1030"]), bundle(&["gfx1030"])])];
    let code = read(&archive(&members));
    assert_eq!((code.kind, code.bundles), (Kind::Archive, 3));
    assert_eq!(targets(&code), "gfx1010*1 gfx1030*2");
    assert_eq!(code.problems, [""; 0]);
}

#[test]
fn a_thin_archive_says_where_its_code_is() {
    let code = read(b"!<thin>\n");
    assert_eq!(code.problems, ["the members of this archive lie beside it; inspect those"]);
}

#[test]
fn files_without_gpu_code_have_nothing_to_tell() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &elf(&[])[..], &[0; 100_000]] {
        let code = read(bytes);
        assert!(code.targets.is_empty() && code.foreign.is_empty(), "{code:?}");
    }
    assert!(read(&elf(&[])).is_empty());
    let this = inspect_file(&std::env::current_exe().unwrap()).unwrap();
    assert!(this.is_empty(), "{this:?}");
}

#[test]
fn a_gigabyte_is_inspected_by_reading_a_thousandth_of_it() {
    const GIGABYTE: u64 = 1 << 30;
    const BUNDLES: u64 = 128;
    let folder = tempfile::tempdir().unwrap();
    let path = large_library(folder.path(), GIGABYTE, BUNDLES);
    assert!(std::fs::metadata(&path).unwrap().len() > GIGABYTE);
    let code = inspect_file(&path).unwrap();
    assert_eq!(targets(&code), format!("gfx1010*{BUNDLES} gfx1030*{BUNDLES}"));
    assert_eq!((code.bundles, code.problems.len()), (BUNDLES, 0));
    assert!(code.bytes_read < 1 << 20, "{} bytes were read", code.bytes_read);
}

/// A library whose `.hip_fatbin` is a gigabyte of a few bundles: only their tables are written, the rest is a hole.
fn large_library(folder: &std::path::Path, size: u64, bundles: u64) -> std::path::PathBuf {
    use std::os::unix::fs::FileExt;
    let bytes = elf(&[bundle(&["gfx1010"])]);
    let path = make::write(folder, "libtorch_hip.so", &bytes);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    // The section goes behind everything, with the size and place in its header.
    let start = (bytes.len() as u64).next_multiple_of(4096);
    let each = size / bundles;
    for number in 0..bundles {
        let mut table = bundle(&["gfx1010", "gfx1030"]);
        table.truncate(1024);
        // The second code object's size: the third entry's second number.
        let entry =
            24 + 8 + (24 + "host-x86_64-unknown-linux-gnu-".len()) + (24 + "hipv4-amdgcn-amd-amdhsa--gfx1010".len());
        let code = each - 4096 - CODE as u64;
        table[entry + 8..entry + 16].copy_from_slice(&code.to_le_bytes());
        file.write_all_at(&table, start + number * each).unwrap();
    }
    file.set_len(start + size).unwrap();
    let sections = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    let count = u16::from_le_bytes(bytes[60..62].try_into().unwrap());
    let header = (0..u64::from(count)).map(|index| sections + index * 64).find(|&header| {
        let at = |field: u64, length: usize| &bytes[(header + field) as usize..][..length];
        at(48, 8) == 4096_u64.to_le_bytes() && at(32, 8) == ((4096 + CODE) as u64).to_le_bytes()
    });
    let header = header.expect(".hip_fatbin");
    file.write_all_at(&start.to_le_bytes(), header + 24).unwrap();
    file.write_all_at(&size.to_le_bytes(), header + 32).unwrap();
    path
}
