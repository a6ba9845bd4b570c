//! Libraries that keep their kernels in one file a target, and name the file after it.

use super::{Isa, Kind};
use rmcp_domain::gfx::GfxTarget;
use std::path::Path;

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
