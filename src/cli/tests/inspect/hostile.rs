//! Files made to crash, to hang or to fill the memory of who reads them.

use crate::make::{self, Method, archive, bundle, bundle_of, code_object, compressed, elf, elf_aligned};
use rmcp_cli::inspect::{Code, inspect_file};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn read(bytes: &[u8]) -> Code {
    let folder = tempfile::tempdir().unwrap();
    inspect_file(&make::write(folder.path(), "file", bytes)).unwrap()
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Where a bundle says how many entries it has, and where its second entry begins.
const COUNT: usize = 24;
const SECOND: usize = 32 + 24 + "host-x86_64-unknown-linux-gnu-".len();

#[test]
fn numbers_that_no_bundle_can_have_are_told_as_broken() {
    for (at, number, says) in [
        (COUNT, u64::MAX, "more entries than there are targets"),
        (COUNT, 200, "is broken"),
        (SECOND, u64::MAX, "is cut off"),
        (SECOND + 8, u64::MAX, "is cut off"),
        (SECOND + 16, u64::MAX, "the name of an entry is too long"),
    ] {
        let mut bytes = bundle(&["gfx1010"]);
        put(&mut bytes, at, number);
        let code = read(&bytes);
        assert!(code.problems.iter().any(|problem| problem.contains(says)), "{at} {number}: {:?}", code.problems);
        assert!(code.targets.is_empty(), "{at} {number}");
    }
}

#[test]
fn a_bundle_that_claims_to_end_beyond_the_file_does_not_hide_the_next() {
    let mut first = bundle(&["gfx1010"]);
    put(&mut first, SECOND + 8, 1 << 40);
    let code = read(&elf(&[first, bundle(&["gfx1030"])]));
    assert_eq!(code.targets.counts().map(|(isa, _)| isa.to_string()).collect::<Vec<_>>(), ["gfx1030"]);
    assert_eq!(code.problems, ["hipv4-amdgcn-amd-amdhsa--gfx1010 is cut off"]);
}

#[test]
fn fewer_bundles_than_announced_is_told() {
    let mut bytes = elf(&[bundle(&["gfx1010"]), bundle(&["gfx1010"])]);
    let second = bytes.windows(24).rposition(|window| window == b"__CLANG_OFFLOAD_BUNDLE__").unwrap();
    bytes[second] = b'x';
    assert_eq!(read(&bytes).problems, ["2 bundles are announced, 1 were found"]);
}

#[test]
fn sections_of_endless_size_are_counted_as_many_and_no_more() {
    let mut bytes = elf(&[bundle(&["gfx1010"])]);
    let sections = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let record = bytes[sections..].chunks(64).position(|header| header.get(32..40) == Some(&24_u64.to_le_bytes()[..]));
    let header = sections + 64 * record.expect(".hipFatBinSegment");
    put(&mut bytes, header + 32, u64::MAX);
    // The headers move to the end, and that one is repeated.
    let mut headers = bytes[sections..].to_vec();
    let repeated = bytes[header..header + 64].to_vec();
    (0..100).for_each(|_| headers.extend(&repeated));
    let end = bytes.len() as u64;
    bytes.extend(&headers);
    put(&mut bytes, 40, end);
    let count = (headers.len() / 64) as u16;
    bytes[60..62].copy_from_slice(&count.to_le_bytes());
    let code = read(&bytes);
    assert_eq!(code.problems, ["18446744073709551615 bundles are announced, 1 were found"]);
}

#[test]
fn a_compressed_bundle_is_decompressed_no_further_than_its_table() {
    let mut plain = bundle(&["gfx1010"]);
    plain.resize(64 << 20, 0);
    let bomb = compressed(&plain, 2, Method::Zstd);
    assert!(bomb.len() < 1 << 20);
    let code = read(&elf(&vec![bomb; 16]));
    assert_eq!(code.targets.counts().map(|(_, count)| count).sum::<u64>(), 16);
    assert_eq!(code.problems, [""; 0]);
}

#[test]
fn a_table_that_never_ends_is_given_up() {
    // As many entries as are believed, with names as long as are believed, and one more claimed.
    let name = "x".repeat(256);
    let names = vec![name.as_str(); 254];
    let mut plain = bundle_of(&names, 0);
    put(&mut plain, COUNT, 257);
    for bytes in [plain.clone(), compressed(&plain, 3, Method::Zlib)] {
        let code = read(&bytes);
        assert!(code.problems[0].contains("more entries"), "{:?}", code.problems);
    }
}

#[test]
fn damaged_compression_is_told() {
    for method in [Method::Zlib, Method::Zstd] {
        let mut bytes = compressed(&bundle(&["gfx1010"]), 2, method);
        bytes[24..40].fill(0xff);
        let code = read(&bytes);
        assert!(code.targets.is_empty() && code.problems[0].contains("is broken"), "{:?}", code.problems);
        bytes.truncate(30);
        assert!(read(&bytes).problems[0].contains("is cut off"));
    }
}

#[test]
fn a_sparse_file_of_a_terabyte_is_searched_for_a_while_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = make::write(folder.path(), "kernel.hsaco", &compressed(&bundle(&["gfx1010"]), 1, Method::Zstd));
    let sparse = std::fs::File::options().write(true).open(&path).unwrap();
    // Not every file system has files of that size.
    if sparse.set_len(1 << 40).is_err() {
        sparse.set_len(8 << 30).unwrap();
    }
    let code = inspect_file(&path).unwrap();
    assert_eq!(code.problems, ["the search for further bundles was given up"]);
    assert!(code.bytes_read <= (1 << 30) + (1 << 20), "{}", code.bytes_read);
}

#[test]
fn section_headers_that_claim_the_whole_of_a_sparse_file_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = elf(&[bundle(&["gfx1010"])]);
    let sections = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    // The number of sections moves to the first section header, where it may be any.
    bytes[60..62].fill(0);
    put(&mut bytes, sections + 32, 1 << 32);
    let path = make::write(folder.path(), "libone.so", &bytes);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap_or_default();
    let code = inspect_file(&path).unwrap();
    assert_eq!(code.problems, ["the section headers are broken or cut off"]);
    assert!(code.bytes_read < 1 << 20);
}

#[test]
fn bundles_without_end_are_given_up() {
    // Empty bundles back to back: 32 bytes each.
    let mut empty = b"__CLANG_OFFLOAD_BUNDLE__".to_vec();
    empty.extend([0; 8]);
    let code = read(&elf_aligned(&vec![empty; 70_000], 16));
    assert_eq!(code.bundles, 65_536);
    assert!(code.problems.iter().any(|problem| problem.contains("more than 65536 bundles")), "{:?}", code.problems);
}

#[test]
fn an_archive_whose_members_contradict_each_other_is_told() {
    let sound = archive(&[elf(&[bundle(&["gfx1010"])])]);
    for (at, bytes) in [
        (8 + 48, b"9999999999"),
        (8 + 48, b"-1        "),
        (8 + 48, b"          "),
        (8 + 50, b"\xff\xff\xff\xff\xff\xff\xff\xff``"),
    ] {
        let mut broken = sound.clone();
        broken[at..at + 10].copy_from_slice(bytes);
        let code = read(&broken);
        assert!(code.problems[0].contains("the archive is broken or cut off"), "{:?}", code.problems);
    }
    for length in 0..200 {
        read(&sound[..length]);
    }
}

/// Files of every kind with bytes changed, numbers made extreme, pieces cut out, doubled and exchanged. The seed is
/// fixed, so a failure comes again; RMCP_MUTATIONS sets another number of files.
#[test]
fn no_mutation_of_a_file_makes_the_reader_panic_or_read_without_end() {
    let count = std::env::var("RMCP_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000);
    let seeds = seeds();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut broken, mut with_code) = (0, 0);
    for number in 0..count {
        let mut bytes = seeds[number as usize % seeds.len()].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        // Written over in place: making a file takes longer than reading it.
        let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        let code = inspect(&path, number, &bytes);
        broken += u32::from(!code.problems.is_empty());
        with_code += u32::from(!code.targets.is_empty());
    }
    // The mutations reach what they are to reach.
    assert!(broken > count / 10 && with_code > count / 10, "{broken} broken and {with_code} with code of {count}");
    println!("{count} files, {broken} of them broken, {with_code} with code");
}

fn inspect(path: &Path, number: u32, bytes: &[u8]) -> Code {
    let read = std::panic::catch_unwind(|| inspect_file(path).unwrap());
    let Ok(code) = read else {
        let kept = std::env::temp_dir().join(format!("rmcp-mutation-{number}"));
        std::fs::write(&kept, bytes).unwrap();
        panic!("file {number} makes it panic; it is kept as {}", kept.display());
    };
    // Each bundle's table is read through a buffer; nothing is read twice but that.
    let limit = 4 * bytes.len() as u64 + (1 << 16) * (code.bundles + 1);
    assert!(code.bytes_read <= limit, "file {number}: {} bytes were read of {}", code.bytes_read, bytes.len());
    code
}

fn seeds() -> Vec<Vec<u8>> {
    let plain = bundle(&["gfx1010:xnack-", "gfx1030", "gfx10-3-generic", "gfx90a:sramecc+:xnack-"]);
    let small = {
        // Tables close together: more of the bytes matter.
        let mut bytes = b"__CLANG_OFFLOAD_BUNDLE__".to_vec();
        bytes.extend(1_u64.to_le_bytes());
        for number in [0_u64, 8, 30] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"hip-amdgcn-amd-amdhsa--gfx1010");
        bytes
    };
    let mut seeds = vec![
        plain.clone(),
        small.repeat(3),
        elf(&[plain.clone(), small.clone()]),
        code_object(0x233, 3),
        archive(&[elf(std::slice::from_ref(&small)), code_object(0x36, 3), small.clone()]),
        make::kpack(&[("lib/a.so#0", &["gfx1010", "gfx90a:xnack+"]), ("lib/a.so#1", &["gfx1030"])]),
        make::kpack_host("lib/a.so", &["file", "../.kpack/a_@GFXARCH@.kpack"], 2),
    ];
    for version in 1..=3 {
        for method in [Method::Zlib, Method::Zstd] {
            let packed = compressed(&plain, version, method);
            seeds.push(elf(&[packed.clone(), small.clone()]));
            seeds.push(packed);
        }
    }
    seeds
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const EXTREME: [u64; 8] = [0, 1, 0x7f, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX];
    if bytes.is_empty() {
        return;
    }
    // Headers are where it hurts: half of the places lie in the first 512 bytes.
    let reach = if random.below(2) == 0 { bytes.len().min(512) } else { bytes.len() };
    let at = random.below(reach);
    match random.below(7) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => {
            let number = EXTREME[random.below(EXTREME.len())].wrapping_add(random.below(3) as u64).to_le_bytes();
            let width = [2, 4, 8][random.below(3)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        3 => bytes.truncate(at),
        4 => {
            let end = (at + random.below(256)).min(bytes.len());
            bytes.drain(at..end);
        }
        5 => {
            let end = (at + random.below(4096)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.write_all(&piece).unwrap();
        }
        _ => {
            let other = random.below(bytes.len());
            let length = random.below(64).min(bytes.len() - at.max(other));
            let piece = bytes[at..at + length].to_vec();
            bytes[other..other + length].copy_from_slice(&piece);
        }
    }
}
