//! The gfx targets that files have code for.
//!
//! | what | how it is read |
//! |---|---|
//! | ELF programs, libraries, object files | offload bundles in `.hip_fatbin`: their tables |
//! | offload bundles (`.hsaco`, `.co`), plain and compressed | their tables |
//! | code objects | the flags in the ELF header |
//! | archives (`.a`) | their members, as above |
//! | kpack archives, and libraries whose code is in such | the tables of contents |
//! | folders of rocBLAS, hipBLASLt and MIOpen | file names |
//!
//! Only headers are read, in small pieces, so a library of a gigabyte takes milliseconds. The files may be anything:
//! sizes and offsets are checked, memory and time are bounded, and what is broken is said.

mod archive;
mod bundle;
mod closed;
mod compressed;
pub mod device_wheel;
mod elf;
mod isa;
mod kernel_files;
mod kpack;
pub(crate) mod source;
mod walk;

pub use isa::{Generic, InvalidIsa, Isa, Processor};
pub use walk::{CodeInventory, Problem, inspect_paths};

use rmcp_domain::gfx::GfxTarget;
use source::{Source, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What there is code for, and how many code objects or files of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    counts: BTreeMap<Isa, u64>,
}

impl Targets {
    /// One code object more.
    pub fn add(&mut self, isa: Isa) {
        *self.counts.entry(isa).or_default() += 1;
    }

    /// Those of another set, too.
    pub fn extend(&mut self, other: &Self) {
        for (isa, count) in &other.counts {
            *self.counts.entry(*isa).or_default() += count;
        }
    }

    /// Each and how many code objects or files it has, in order.
    pub fn counts(&self) -> impl Iterator<Item = (Isa, u64)> + '_ {
        self.counts.iter().map(|(isa, count)| (*isa, *count))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether any of the code runs on a card of this target.
    pub fn runs_on(&self, card: GfxTarget) -> bool {
        self.counts.keys().any(|isa| isa.runs_on(card))
    }
}

impl FromIterator<Isa> for Targets {
    fn from_iter<I: IntoIterator<Item = Isa>>(isas: I) -> Self {
        let mut targets = Self::default();
        isas.into_iter().for_each(|isa| targets.add(isa));
        targets
    }
}

/// What kind of thing has the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A program, library or object file with GPU code inside.
    Elf,
    /// A bare code object.
    CodeObject,
    /// An offload bundle in a file of its own.
    Bundle,
    /// An archive of object files.
    Archive,
    /// A program or library whose GPU code is in kpack archives.
    KpackHost,
    /// A kpack archive, or those of a folder that differ in the target alone.
    Kpack,
    /// A folder of rocBLAS's kernels, without which it does not start.
    RocBlas,
    /// A folder of hipBLASLt's or hipSPARSELt's kernels. PyTorch does without.
    BlasLt,
    /// A folder of the kernels of Cycles, Blender's renderer.
    Cycles,
    /// A folder of Tensile kernels of unknown use.
    Tensile,
    /// A folder of MIOpen's databases: without them the first run is slow, and that is all.
    MiOpen,
}

/// The GPU code of one file, or of the files of one library folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The file or folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What there is code for.
    pub targets: Targets,
    /// Targets under whose names a library folder has the kernels of another target, and of which.
    pub borrowed: BTreeMap<Isa, Processor>,
    /// Offload bundles in it, or in the kpack archives that it names.
    pub bundles: u64,
    /// How many of them are compressed. ROCm 5 cannot read these.
    pub compressed: u64,
    /// Code for what is no AMD GPU that is known here, as the file names it.
    pub foreign: BTreeSet<String>,
    /// What is broken in it; the first few.
    pub problems: Vec<String>,
    /// Bytes read to find out.
    pub bytes_read: u64,
    /// Whether a card that this has no code for does without it, beside the rest of what was [found](CodeInventory).
    pub optional: bool,
    /// Places where a bundle may begin that may still be looked at, where one does not tell where it ends.
    search: u64,
}

/// Why a file cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It does not exist, or may not be read.
    #[error("{} cannot be read: {}", path.display(), self.reason())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A device, FIFO or socket.
    #[error("{}: {}", .0.display(), self.reason())]
    NotAFile(PathBuf),
}

impl InspectError {
    /// Why, without the path.
    fn reason(&self) -> String {
        match self {
            Self::Unreadable { source, .. } => source.to_string(),
            Self::NotAFile(_) => "it is neither a file nor a folder".into(),
        }
    }
}

/// Places of one file where a bundle is searched for: a gigabyte of pages. A sparse file has no end of them.
const SEARCH: u64 = 1 << 18;
/// Problems of one file that are told; a broken file has no end of them.
const PROBLEMS: usize = 8;
/// Names of foreign entries of one file that are told.
const FOREIGN: usize = 64;

/// Lists the GPU code of one file, which may have none.
///
/// # Errors
/// When it cannot be opened or is no regular file. A broken file is no error: see [`Code::problems`].
pub fn inspect_file(path: &Path) -> Result<Code, InspectError> {
    let source = Source::open(path)?;
    let mut code = Code::new(path, Kind::Elf);
    let span = source.whole();
    let mut magic = [0; 8];
    let there = span.fill(0, &mut magic).map_err(|source| InspectError::Unreadable { path: path.into(), source })?;
    if magic[..there] == *archive::MAGIC {
        code.kind = Kind::Archive;
        archive::list_members(span, &mut code);
    } else if magic[..there] == *archive::THIN {
        code.kind = Kind::Archive;
        code.add_problem("the members of this archive lie beside it; inspect those".into());
    } else if magic[..there].starts_with(kpack::MAGIC) {
        code.kind = Kind::Kpack;
        kpack::list_archive(span, &mut code);
    } else {
        list_code(span, &mut code);
    }
    code.bytes_read = source.bytes_read();
    Ok(code)
}

/// Lists the code in an ELF file or a bundle.
fn list_code(span: Span<'_>, code: &mut Code) {
    let mut magic = [0; bundle::MAGIC.len()];
    let Ok(there) = span.fill(0, &mut magic) else { return };
    let magic = &magic[..there];
    if magic.starts_with(&object::elf::ELFMAG) {
        elf::list_elf(span, code);
    } else if bundle::is_bundle(magic) {
        if code.kind == Kind::Elf {
            code.kind = Kind::Bundle;
        }
        bundle::list_bundles(span, bundle::ALIGN, code);
    }
}

impl Code {
    fn new(path: &Path, kind: Kind) -> Self {
        Self {
            path: path.into(),
            kind,
            targets: Targets::default(),
            borrowed: BTreeMap::new(),
            bundles: 0,
            compressed: 0,
            foreign: BTreeSet::new(),
            problems: Vec::new(),
            bytes_read: 0,
            optional: false,
            search: SEARCH,
        }
    }

    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        !self.needs_targets() && self.foreign.is_empty() && self.problems.is_empty()
    }

    /// Whether it asks something of cards: it has code for some, or looks for code elsewhere, if in vain.
    pub fn needs_targets(&self) -> bool {
        !self.targets.is_empty() || !self.borrowed.is_empty() || self.kind == Kind::KpackHost
    }

    /// Whether programs that bring this do without, if slower: MIOpen's databases, hipBLASLt's kernels, and libraries
    /// that serve only several GPUs or one kind of sparse matrix.
    fn is_optional_library(&self) -> bool {
        const OPTIONAL: [&str; 4] = ["libhipblaslt.so", "libhipsparselt.so", "librccl.so", "libaotriton"];
        let name = self.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        matches!(self.kind, Kind::MiOpen | Kind::BlasLt) || OPTIONAL.iter().any(|prefix| name.starts_with(prefix))
    }

    fn add_problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn add_foreign(&mut self, name: String) {
        if self.foreign.len() < FOREIGN {
            self.foreign.insert(name);
        }
    }

    /// Counts an entry of a bundle by its name: kind, triple of three or four parts, target id.
    fn count_entry(&mut self, name: &str) {
        if name.starts_with("host") {
            return;
        }
        match name.splitn(6, '-').nth(5).map(str::parse) {
            Some(Ok(isa)) => self.targets.add(isa),
            _ => self.add_foreign(name.into()),
        }
    }
}
