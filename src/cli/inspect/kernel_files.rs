//! Libraries that keep their kernels in one file a target, and name the file after it.

use super::{Isa, Kind, Processor};
use rmcp_domain::gfx::GfxTarget;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest files that are compared, in bytes: indices of kernels are smaller.
const COMPARED: u64 = 4 << 20;

/// What the name of a file in a library folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelFile {
    /// Whose file it is.
    pub kind: Kind,
    /// Which target it is for.
    pub isa: Isa,
    /// Whether it is rocBLAS's or hipBLASLt's index of a target's kernels, without which the others are not found.
    pub index: bool,
}

/// What the file's name tells; None where it is no such file.
pub(super) fn kernel_file(path: &Path) -> Option<KernelFile> {
    let name = path.file_name()?.to_str()?;
    let start = name.find("gfx")?;
    if start == 0 && [".kdb", ".db", "db.txt", ".model", ".tn.model"].iter().any(|end| name.ends_with(end)) {
        return Some(KernelFile { kind: Kind::MiOpen, isa: Isa::for_target(database_target(name)?), index: false });
    }
    // Blender's, one file a target. (blender: intern/cycles/device/hip/device_impl.cpp)
    if let Some(rest) = name.strip_prefix("kernel_").filter(|name| name.contains(".fatbin")) {
        let isa = rest.split('.').next()?.parse().ok()?;
        return Some(KernelFile { kind: Kind::Cycles, isa, index: false });
    }
    let tensile = name.starts_with("TensileLibrary") || name.starts_with("Kernels.so-");
    if !tensile || ![".dat", ".co", ".hsaco"].iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let (stem, _) = name[start..].rsplit_once('.')?;
    // As in Kernels.so-000-gfx90a-xnack+.hsaco; some names go on with a number of CUs, as in gfx942_80cu.
    let isa = stem.split('_').next().unwrap_or_default().replace('-', ":").replace("xnack:", "xnack-").parse().ok()?;
    Some(KernelFile { kind: library_kind(path), isa, index: name.starts_with("TensileLibrary_lazy_") })
}

/// gfx1030 in gfx1030_36.kdb (36 CUs) and in gfx103060.kdb (96 CUs, in hexadecimal).
fn database_target(name: &str) -> Option<GfxTarget> {
    let digits = name[3..].find(|c: char| !c.is_ascii_hexdigit()).map_or(name, |end| &name[..3 + end]);
    digits.parse().ok().or_else(|| digits.get(..digits.len().checked_sub(2)?)?.parse().ok())
}

/// Tensile's files lie in `rocblas/library`, `hipblaslt/library` or a folder below.
fn library_kind(path: &Path) -> Kind {
    for folder in path.ancestors().skip(1).take(4) {
        match folder.file_name().and_then(|name| name.to_str()) {
            Some("rocblas") => return Kind::RocBlas,
            Some("hipblaslt" | "hipsparselt") => return Kind::BlasLt,
            _ => {}
        }
    }
    Kind::Tensile
}

/// The folder of a library whose kernels for one target lie in `folder`. (ROCm/rocm-libraries#5976)
pub(super) fn library_folder(folder: &Path) -> Option<&Path> {
    folder.file_name()?.to_str()?.parse::<Isa>().ok()?;
    folder.parent()
}

/// Under which targets' names the files of a folder are those of another target, and of which: links, and indices that
/// are copies. The files are right for the other alone, and a library that finds them by name knows no better.
pub(super) fn borrowed_names(files: &[(PathBuf, KernelFile)]) -> BTreeMap<Processor, Processor> {
    let linked = files.iter().filter(|(_, file)| file.kind != Kind::MiOpen).filter_map(|(path, file)| {
        let real = path.is_symlink().then(|| path.canonicalize())?.ok()?;
        let of = kernel_file(&real)?.isa.processor;
        (of != file.isa.processor).then_some((file.isa.processor, of))
    });
    linked.chain(copied_indices(files)).collect()
}

/// Indices that are, byte for byte, those of another target: they name the other's files.
fn copied_indices(files: &[(PathBuf, KernelFile)]) -> Vec<(Processor, Processor)> {
    let mut by_size: BTreeMap<u64, Vec<&(PathBuf, KernelFile)>> = BTreeMap::new();
    for index in files.iter().filter(|(_, file)| file.index) {
        let size = fs::symlink_metadata(&index.0).ok().filter(|data| data.is_file()).map(|data| data.size());
        if let Some(size @ 1..=COMPARED) = size {
            by_size.entry(size).or_default().push(index);
        }
    }
    let mut copies = Vec::new();
    for group in by_size.into_values().filter(|group| group.len() > 1) {
        let contents: Vec<io::Result<Vec<u8>>> = group.iter().map(|(path, _)| fs::read(path)).collect();
        for (at, bytes) in contents.iter().enumerate() {
            let Ok(bytes) = bytes else { continue };
            let names = |processor: Processor| {
                let name = Isa { processor, sramecc: None, xnack: None }.to_string();
                bytes.windows(name.len()).any(|window| window == name.as_bytes())
            };
            let own = group[at].1.isa.processor;
            let equal = group.iter().zip(&contents).filter(|(_, other)| other.as_ref().is_ok_and(|it| it == bytes));
            let of = equal.map(|((_, file), _)| file.isa.processor).find(|other| *other != own && names(*other));
            copies.extend(of.filter(|_| !names(own)).map(|of| (own, of)));
        }
    }
    copies
}
