//! Files with GPU code, made byte by byte as clang writes them.

use object::write::{Object, StandardSegment};
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of each code object.
pub const CODE: usize = 64;

/// A plain bundle with a code object for each target id, and an empty one for the host.
pub fn bundle(targets: &[&str]) -> Vec<u8> {
    let names: Vec<String> = targets.iter().map(|target| format!("hipv4-amdgcn-amd-amdhsa--{target}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bundle_of(&names, CODE)
}

/// A plain bundle whose entries have these names and code objects of that size.
pub fn bundle_of(names: &[&str], size: usize) -> Vec<u8> {
    let all: Vec<(&str, usize)> =
        [("host-x86_64-unknown-linux-gnu-", 0)].into_iter().chain(names.iter().map(|name| (*name, size))).collect();
    let mut offset = 4096_u64;
    let mut bytes = b"__CLANG_OFFLOAD_BUNDLE__".to_vec();
    bytes.extend((all.len() as u64).to_le_bytes());
    for (name, size) in &all {
        for number in [offset, *size as u64, name.len() as u64] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(name.as_bytes());
        offset += *size as u64;
    }
    bytes.resize(offset as usize, 0xc0);
    bytes
}

/// How a bundle is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Zlib,
    Zstd,
}

/// A compressed bundle of the format's version 1, 2 or 3.
pub fn compressed(plain: &[u8], version: u16, method: Method) -> Vec<u8> {
    let packed = match method {
        Method::Zlib => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Method::Zstd => zstd::encode_all(plain, 3).unwrap(),
    };
    let mut bytes = b"CCOB".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend((method as u16).to_le_bytes());
    let plain_size = plain.len() as u64;
    match version {
        1 => bytes.extend((plain_size as u32).to_le_bytes()),
        2 => {
            bytes.extend((24 + packed.len() as u32).to_le_bytes());
            bytes.extend((plain_size as u32).to_le_bytes());
        }
        _ => {
            bytes.extend((32 + packed.len() as u64).to_le_bytes());
            bytes.extend(plain_size.to_le_bytes());
        }
    }
    // The hash, which nobody checks without decompressing all.
    bytes.extend([0x5a; 8]);
    bytes.extend(packed);
    bytes
}

/// A host's object file with bundles one after another in `.hip_fatbin`, each at a multiple of 4096, and a record for
/// each in `.hipFatBinSegment`.
pub fn elf(bundles: &[Vec<u8>]) -> Vec<u8> {
    elf_aligned(bundles, 4096)
}

/// The same with bundles at multiples of `align`.
pub fn elf_aligned(bundles: &[Vec<u8>], align: usize) -> Vec<u8> {
    let mut contents = Vec::new();
    for bundle in bundles {
        contents.resize(contents.len().next_multiple_of(align), 0);
        contents.extend(bundle);
    }
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let segment = object.segment_name(StandardSegment::Data).to_vec();
    let fatbin = object.add_section(segment.clone(), b".hip_fatbin".to_vec(), SectionKind::ReadOnlyData);
    object.append_section_data(fatbin, &contents, align as u64);
    let wrappers = object.add_section(segment, b".hipFatBinSegment".to_vec(), SectionKind::Data);
    object.append_section_data(wrappers, &vec![0; 24 * bundles.len()], 8);
    object.write().unwrap()
}

/// A library whose code for `records` bundles lies in kpack archives, under this name and where the paths say.
pub fn kpack_host(kernel_name: &str, search_paths: &[&str], records: u32) -> Vec<u8> {
    let reference = serde_json::json!({"kpack_search_paths": search_paths, "kernel_name": kernel_name});
    kpack_host_of(&rmp_serde::to_vec_named(&reference).unwrap(), records)
}

/// The same with any bytes as its reference.
pub fn kpack_host_of(reference: &[u8], records: u32) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let segment = object.segment_name(StandardSegment::Data).to_vec();
    let fatbin = object.add_section(segment.clone(), b".hip_fatbin".to_vec(), SectionKind::UninitializedData);
    object.append_section_bss(fatbin, 1 << 20, 4096);
    let wrappers = object.add_section(segment.clone(), b".hipFatBinSegment".to_vec(), SectionKind::Data);
    for index in 0..records {
        let numbers = [0x4b50_4948, 1, 0, 0, index, 0].map(u32::to_le_bytes);
        object.append_section_data(wrappers, &numbers.concat(), 8);
    }
    let section = object.add_section(segment, b".rocm_kpack_ref".to_vec(), SectionKind::ReadOnlyData);
    object.append_section_data(section, reference, 1);
    object.write().unwrap()
}

/// A kpack archive with code under these names for these targets.
pub fn kpack(code: &[(&str, &[&str])]) -> Vec<u8> {
    let targets: std::collections::BTreeSet<&str> =
        code.iter().flat_map(|(_, targets)| targets.iter().copied()).collect();
    let kernel = serde_json::json!({"type": "hsaco", "ordinal": 0, "original_size": 64});
    let of_targets = |targets: &[&str]| -> serde_json::Map<String, serde_json::Value> {
        targets.iter().map(|target| ((*target).into(), kernel.clone())).collect()
    };
    let toc: serde_json::Map<String, serde_json::Value> =
        code.iter().map(|(name, targets)| ((*name).into(), of_targets(targets).into())).collect();
    kpack_of(&serde_json::json!({
        "format_version": 1,
        "group_name": "torch",
        "gfx_arch_family": "gfx101X",
        "gfx_arches": targets,
        "compression_scheme": "none",
        "blobs": [{"offset": 64, "size": 64}],
        "toc": toc,
    }))
}

/// A kpack archive with this table of contents.
pub fn kpack_of(contents: &serde_json::Value) -> Vec<u8> {
    let mut bytes = b"KPAK".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(128_u64.to_le_bytes());
    bytes.resize(128, 0xc0);
    bytes.extend(rmp_serde::to_vec_named(contents).unwrap());
    bytes
}

/// A code object with these flags in its header.
pub fn code_object(flags: u32, abi: u8) -> Vec<u8> {
    let mut bytes = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little).write().unwrap();
    bytes[7] = 64; // ELFOSABI_AMDGPU_HSA
    bytes[8] = abi;
    bytes[18..20].copy_from_slice(&224_u16.to_le_bytes()); // EM_AMDGPU
    bytes[48..52].copy_from_slice(&flags.to_le_bytes());
    bytes
}

/// An archive.
pub fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for member in members {
        writeln!(bytes, "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", "a.o/", 0, 0, 0, 644, member.len()).unwrap();
        bytes.extend(member);
        if member.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Writes a file and the folders that it lies in.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}
