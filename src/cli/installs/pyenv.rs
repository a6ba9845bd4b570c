//! pyenv's shims: scripts named after interpreters, which start the one that is chosen. (pyenv's README, Understanding
//! Python version selection)

use super::{Machine, file_name};
use rmcp_domain::bounded_read::read_text;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The files that choose a version hold a line or a few.
const TEXT_LIMIT: u64 = 4096;

/// The interpreter that a shim starts: of the version in PYENV_VERSION, in a `.python-version` of the current folder or
/// one above, or in pyenv's own file `version`; of several the first. None for what is no shim.
pub(super) fn shim_target(shim: &Path, machine: &Machine) -> Option<PathBuf> {
    let root = shim.parent().filter(|folder| file_name(folder) == "shims")?.parent()?;
    let read = |file: &Path| read_text(file, TEXT_LIMIT).ok();
    let local = || {
        let current = machine.resolve(machine.variable("PWD")?);
        current.ancestors().find_map(|folder| read(&folder.join(".python-version")))
    };
    let versions = machine.variable("PYENV_VERSION").and_then(OsStr::to_str).map(str::to_owned);
    let versions = versions.or_else(local).or_else(|| read(&root.join("version")))?;
    let version = versions.split([':', '\n', ' ']).find(|version| !version.is_empty())?;
    let program = root.join("versions").join(version).join("bin").join(shim.file_name()?);
    program.is_file().then_some(program)
}
