//! The options for the calls of one library, which are the program's but for what is known of that library.

use super::complaint::Place;
use super::load::Loaded;
use super::table::Options;
use super::values::{Callers, DeviceFinegrained, DeviceUncached, Host, HsaPool, Managed};
use crate::libraries::{self, Library, Memory};
use std::fmt;

/// The options for the calls of one library, or of the program itself.
#[derive(Clone, Debug)]
pub struct CallerOptions {
    /// The options.
    pub options: Options,
    /// Why they are not the program's; None: they are.
    pub exception: Option<Exception>,
}

/// Why the calls of a library have other options than those of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    /// It is known to need coherent memory.
    NeedsCoherent(&'static Library),
    /// A section of a file names it.
    Section(Place),
    /// RMCP is in every process of the machine, and the library is not known to be right with it.
    UnknownCaller,
    /// It is linked with functions that need coherent memory.
    Linked(Linkage),
}

/// Functions of HIP that need coherent memory, and with which a library is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// A stream waits for a word of memory, or writes one: hipStreamWaitValue32.
    StreamMemory,
    /// A graph calls a function of the program, which some runtimes do without a fence: hipGraphAddHostNode.
    HostNodes,
}

impl Linkage {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::StreamMemory, Self::HostNodes];

    /// What it uses, as the end of a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::StreamMemory => "uses hipStreamWaitValue32 or the like, which need coherent memory",
            Self::HostNodes => {
                "has graphs call its functions, which this runtime does before the GPU has written back non-coherent memory"
            }
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsCoherent(library) => {
                let memory = if library.memory == Memory::Unmapped { "mapped memory" } else { "memory" };
                write!(f, "{} needs coherent {memory}", library.name)
            }
            Self::Section(place) => write!(f, "a section [library] says so ({place})"),
            Self::UnknownCaller => f.write_str(
                "it is not known to be right with RMCP, which every process here has ([system] callers=known)",
            ),
            Self::Linked(linkage) => write!(f, "it {}", linkage.text()),
        }
    }
}

impl Loaded {
    /// Whether `host` and `managed` act for known libraries alone.
    pub fn known_callers_only(&self) -> bool {
        self.system && self.options.callers == Callers::Known && self.named_at.is_none()
    }

    /// The options for the calls of the file at `path`; empty: of the program itself, or of code outside every file.
    /// `linkage`: whether it is linked with functions that need coherent memory; asked only where it matters.
    pub fn caller_options(&self, path: &str, linkage: impl FnOnce() -> Option<Linkage>) -> CallerOptions {
        let CallerOptions { mut options, mut exception } = match libraries::by_path(path) {
            Some(library) => self.library_options(library),
            None if self.known_callers_only() => self.coherent_options(Exception::UnknownCaller),
            None => match linkage() {
                Some(linkage) => self.coherent_options(Exception::Linked(linkage)),
                None => self.program_options(),
            },
        };
        for section in self.libraries.iter().filter(|section| libraries::path_matches(path, &section.pattern)) {
            section.apply(&mut options);
            exception = Some(Exception::Section(section.place.clone()));
        }
        if options == self.options {
            exception = None;
        }
        CallerOptions { options, exception }
    }

    /// The options for a library of the table, whatever sections of files say.
    pub fn library_options(&self, library: &'static Library) -> CallerOptions {
        match library.memory {
            Memory::Rewrite => self.program_options(),
            Memory::Unmapped if self.options.host == Host::Keep => self.program_options(),
            Memory::Unmapped => {
                let options = Options { host: Host::Unmapped, ..self.options.clone() };
                CallerOptions { options, exception: Some(Exception::NeedsCoherent(library)) }
            }
            Memory::Keep => {
                let mut kept = self.coherent_options(Exception::NeedsCoherent(library));
                kept.options.device_finegrained = DeviceFinegrained::Keep;
                kept.options.device_uncached = DeviceUncached::Keep;
                kept.options.hsa_pool = HsaPool::Keep;
                kept
            }
        }
    }

    fn program_options(&self) -> CallerOptions {
        CallerOptions { options: self.options.clone(), exception: None }
    }

    fn coherent_options(&self, exception: Exception) -> CallerOptions {
        let options = Options { host: Host::Keep, managed: Managed::Keep, ..self.options.clone() };
        CallerOptions { options, exception: Some(exception) }
    }

    /// The patterns of the sections of libraries, weak to strong.
    pub fn library_patterns(&self) -> impl Iterator<Item = &str> {
        self.libraries.iter().map(|section| section.pattern.as_str())
    }

    /// All options that any call of the program could have: its own first, then those of each section of a library.
    pub fn all_options(&self) -> Vec<Options> {
        let sections = self.libraries.iter().map(|section| {
            let mut options = self.options.clone();
            section.apply(&mut options);
            options
        });
        std::iter::once(self.options.clone()).chain(sections).collect()
    }
}
