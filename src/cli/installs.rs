//! The ROCm installations of this machine, the frameworks that bring a runtime of their own, and what programs load.
//!
//! | module | question |
//! |---|---|
//! | `rocm` | which installations are here, and of which release |
//! | `python`, `pyenv` | where does a Python interpreter find its packages |
//! | `distributions` | what is installed among those packages |
//! | `frameworks` | which of those packages use a GPU, through which runtime |
//! | `applications` | which applications are here, known by their folders |
//! | `known` | the table of frameworks and applications |
//! | `program` | which libraries does a program load |
//!
//! Everything is read from files; no program is run, so that `rmcp-run` may ask before each start.

mod applications;
mod distributions;
mod elf;
mod frameworks;
mod known;
mod program;
mod pyenv;
mod python;
mod rocm;

pub use applications::{Application, ApplicationFolder, applications};
pub use distributions::Distribution;
pub use frameworks::{Backend, Framework};
pub use known::{KNOWN, Known};
pub use program::{Library, Program, ProgramError, configured_folders};
pub use python::{PackageNotFound, Python};
pub use rmcp_domain::release::{InvalidRelease, Release};
pub use rocm::{Rocm, Runtime, installations};

use rmcp_domain::bounded_read::read_text;
use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The machine as a program on it sees it: where its file system begins, and its environment. Tests make their own.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What "/" is: its absolute paths lie below.
    pub root: PathBuf,
    /// The environment variables.
    pub variables: BTreeMap<OsString, OsString>,
}

impl Machine {
    /// This machine, with the environment of this process.
    pub fn local() -> Self {
        Self { root: "/".into(), variables: env::vars_os().collect() }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Where an absolute path of the machine lies; a path below the root already stays as it is.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if path.starts_with(&self.root) {
            return path.into();
        }
        path.strip_prefix("/").map_or_else(|_| path.into(), |path| self.root.join(path))
    }

    /// The text of one of its small files, without blanks around it; None where it cannot be read.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        /// Larger than any of those.
        const LIMIT: u64 = 4 << 20;
        Some(read_text(&self.resolve(path), LIMIT).ok()?.trim().to_owned())
    }

    /// The file of a program as exec finds it: its path, or that name in PATH, an executable one before others.
    pub fn find_program(&self, called: &OsStr) -> Option<PathBuf> {
        if called.as_bytes().contains(&b'/') {
            return Some(self.resolve(Path::new(called))).filter(|path| path.exists());
        }
        let files = env::split_paths(self.variable("PATH")?)
            .map(|folder| self.resolve(folder).join(called))
            .filter(|file| file.is_file());
        let files: Vec<_> = files.collect();
        files.iter().find(|file| is_executable(file)).or(files.first()).cloned()
    }

    /// The folders in a variable such as PYTHONPATH.
    fn variable_folders(&self, name: &str) -> Vec<PathBuf> {
        let value = self.variable(name).unwrap_or_default();
        let folders = env::split_paths(value).filter(|folder| !folder.as_os_str().is_empty());
        folders.map(|folder| self.resolve(folder)).collect()
    }
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o111 != 0)
}

/// The files and folders in a folder, sorted; none where it cannot be read.
pub fn folder_entries(folder: &Path) -> Vec<PathBuf> {
    /// More than any folder of libraries or packages has.
    const LIMIT: usize = 100_000;
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().take(LIMIT).flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

/// The file's name, as text.
fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
