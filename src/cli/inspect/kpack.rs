//! KPACK: GPU code in archives beside the library that it is of, an archive a target. The library says by what name its
//! code goes and where the archives lie. (ROCm/rocm-systems shared/kpack: docs/multi_arch_packaging_with_kpack.md,
//! runtime/src/loader.cpp, runtime/src/toc_parser.cpp)

use super::source::{Source, Span};
use super::{Code, Isa, Kind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How an archive begins.
pub(super) const MAGIC: &[u8; 4] = b"KPAK";
/// What stands in a search path for the target.
pub(super) const PLACEHOLDER: &str = "@GFXARCH@";

/// Bytes of an archive's header: magic, version, where the table of contents begins.
const HEADER: u64 = 16;
/// The magic of a record in `.hipFatBinSegment` whose code is in archives.
const HIPK: [u8; 4] = 0x4b50_4948_u32.to_le_bytes();
/// Bytes of such a record.
const WRAPPER: usize = 24;
/// What the loader reads of a library's reference, in bytes.
const REFERENCE: u64 = 64 << 10;
/// Maps within maps, where the format has four.
const DEPTH: usize = 16;
/// More search paths than any library has, and more archives than there are targets.
const PATHS: usize = 64;
const ARCHIVES: usize = 256;
/// Entries of a folder that are looked at for archives.
const ENTRIES: usize = 1 << 14;
/// Bytes of tables of contents that are read for one library.
const TABLES: u64 = 64 << 20;

/// What an archive holds. How large it is bounds how many entries it has.
#[derive(Deserialize)]
struct Contents<'a> {
    /// What the loader knows the archive to have; other code in it is never found.
    #[serde(borrow, default)]
    gfx_arches: BTreeSet<&'a str>,
    /// By the library's name for its code, as in `lib/libtorch_hip.so#0`, and by target.
    #[serde(borrow, default)]
    toc: BTreeMap<&'a str, BTreeMap<&'a str, IgnoredAny>>,
}

/// Where a library's code is.
#[derive(Deserialize)]
struct Reference<'a> {
    kernel_name: &'a str,
    #[serde(borrow)]
    kpack_search_paths: Vec<&'a str>,
}

/// Lists the code in an archive.
pub(super) fn list_archive(span: Span<'_>, code: &mut Code) {
    let table = match read_table(span) {
        Ok(table) => table,
        Err(problem) => return code.add_problem(problem),
    };
    match parse::<Contents<'_>>(&table) {
        Ok(contents) => {
            for target in contents.toc.values().flat_map(BTreeMap::keys).filter(|t| contents.gfx_arches.contains(*t)) {
                match target.parse() {
                    Ok(isa) => code.targets.add(isa),
                    Err(_) => code.add_foreign((*target).into()),
                }
            }
        }
        Err(problem) => code.add_problem(problem),
    }
}

/// Lists the code that a library has in archives. `wrappers` are its records of bundles, of which it may have others.
pub(super) fn list_references(reference: Option<Span<'_>>, wrappers: Option<Span<'_>>, code: &mut Code) {
    let records = wrappers.and_then(|span| span.bytes(0, span.size())).unwrap_or_default();
    let records = records.chunks_exact(WRAPPER).filter(|record| record.starts_with(&HIPK));
    let indices: Vec<u32> =
        records.filter_map(|record| Some(u32::from_le_bytes(record.get(16..20)?.try_into().ok()?))).collect();
    if indices.is_empty() {
        return;
    }
    code.kind = Kind::KpackHost;
    code.bundles += indices.len() as u64;
    let Some(bytes) = reference.and_then(|span| span.bytes(0, span.size().min(REFERENCE))) else {
        return code.add_problem("the section .rocm_kpack_ref is cut off".into());
    };
    let reference = match parse::<Reference<'_>>(&bytes) {
        Ok(reference) => reference,
        Err(problem) => return code.add_problem(format!("the section .rocm_kpack_ref is broken: {problem}")),
    };
    let mut found: BTreeMap<u32, BTreeSet<Isa>> = BTreeMap::new();
    let mut read = 0;
    for archive in archives(&code.path, &reference.kpack_search_paths) {
        if read > TABLES {
            code.add_problem("the tables of its kpack archives are too large; the rest was not read".into());
            break;
        }
        // What is no file, or may not be read, the loader passes over, too.
        let Ok(source) = Source::open(&archive.path) else { continue };
        let table = read_table(source.whole());
        read += source.bytes_read();
        let contents = table.as_deref().map_err(Clone::clone).and_then(parse::<Contents<'_>>);
        match contents {
            Ok(contents) => {
                for (index, isas) in archive.code_of(reference.kernel_name, &contents) {
                    found.entry(index).or_default().extend(isas);
                }
            }
            Err(problem) => code.add_problem(format!("{}: {problem}", archive.path.display())),
        }
    }
    for isas in indices.iter().filter_map(|index| found.get(index)) {
        isas.iter().for_each(|isa| code.targets.add(*isa));
    }
}

/// An archive where a library looks for one.
struct Archive {
    path: PathBuf,
    /// The target that stands for the placeholder; None where the path has none.
    isa: Option<Isa>,
}

impl Archive {
    /// The numbers of the library's records that it has code for, and for which targets.
    fn code_of(&self, kernel_name: &str, contents: &Contents<'_>) -> Vec<(u32, Vec<Isa>)> {
        let number = |key: &str| key.strip_prefix(kernel_name)?.strip_prefix('#')?.parse().ok();
        let entries = contents.toc.iter().filter_map(|(key, targets)| Some((number(key)?, targets)));
        let usable = |target: &&str| {
            let isa: Isa = target.parse().ok().filter(|_| contents.gfx_arches.contains(*target))?;
            // The loader opens an archive for the target of its name alone, with fewer features or as many.
            self.isa.is_none_or(|named| named.processor == isa.processor).then_some(isa)
        };
        entries.map(|(number, targets)| (number, targets.keys().filter_map(&usable).collect())).collect()
    }
}

/// The archives that the search paths of a library lead to, in order and each once.
fn archives(library: &Path, search_paths: &[&str]) -> Vec<Archive> {
    let folder = library.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned())).unwrap_or_default();
    let mut archives = Vec::new();
    for search_path in search_paths.iter().take(PATHS) {
        let path = folder.join(search_path);
        match search_path.split_once(PLACEHOLDER) {
            None => archives.push(Archive { path, isa: None }),
            Some(_) => archives.extend(expand(&path)),
        }
    }
    archives.truncate(ARCHIVES);
    archives
}

/// What lies where the placeholder is the name of a target.
fn expand(pattern: &Path) -> Vec<Archive> {
    let Some(pattern) = pattern.to_str() else { return Vec::new() };
    let Some((before, after)) = pattern.split_once(PLACEHOLDER) else { return Vec::new() };
    let (folder, start) = before.rsplit_once('/').unwrap_or((".", before));
    let end = after.split('/').next().unwrap_or_default();
    let names = fs::read_dir(folder).into_iter().flatten().take(ENTRIES).flatten();
    let targets = names.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let target = name.strip_prefix(start)?.strip_suffix(end)?;
        let path = PathBuf::from(format!("{before}{target}{after}"));
        Some(Archive { path, isa: Some(target.parse().ok()?) })
    });
    let mut archives: Vec<Archive> = targets.collect();
    archives.sort_by(|a, b| a.path.cmp(&b.path));
    archives
}

/// The bytes of an archive's table of contents, which goes to the end of the file.
fn read_table(span: Span<'_>) -> Result<Vec<u8>, String> {
    let header = span.array::<{ HEADER as usize }>(0).filter(|header| header.starts_with(MAGIC));
    let header = header.ok_or("it is no kpack archive, or cut off")?;
    let [version, low, high] = [4, 8, 12].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte])));
    if version != 1 {
        return Err(format!("it is a kpack archive of version {version}; version 1 is known"));
    }
    let table = span.tail(u64::from(high) << 32 | u64::from(low)).filter(|table| table.size() > 0);
    let table = table.ok_or("the table of contents lies beyond its end")?;
    let bytes = table.bytes(0, table.size());
    bytes.ok_or_else(|| format!("the table of contents has {} bytes, more than any archive needs", table.size()))
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH);
    T::deserialize(&mut reader).map_err(|error| format!("its MessagePack is broken: {error}"))
}

/// A name for all archives of a group that lie in one folder, as their libraries have it. None where the name of this
/// one says no target.
pub(super) fn group_path(archive: &Path) -> Option<PathBuf> {
    let stem = archive.file_name()?.to_str()?.strip_suffix(".kpack")?;
    let (group, target) = stem.rsplit_once('_')?;
    target.parse::<Isa>().ok()?;
    Some(archive.with_file_name(format!("{group}_{PLACEHOLDER}.kpack")))
}
