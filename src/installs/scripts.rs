//! Scripts that stand for a Python interpreter.

use super::{Machine, name};
use crate::bounded::read_text;
use crate::inspect::source::Source;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The first line of a script.
pub(super) struct Interpreter {
    /// The Python that it names, as a path or a name in PATH. None where it names something else.
    pub python: Option<PathBuf>,
}

/// The first line of a file that begins with `#!`; the kernel reads no more of it than this.
const LINE: usize = 256;
/// pyenv's files hold a line or a few.
const TEXT_LIMIT: u64 = 4096;

/// What the first line of a script says. None for what is no script.
pub(super) fn interpreter(file: &Path) -> Option<Interpreter> {
    let source = Source::open(file).ok()?;
    let mut bytes = [0; LINE];
    let there = source.all().fill(0, &mut bytes).ok()?;
    let line = bytes[..there].strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    // `/usr/bin/env python3` names a program in PATH.
    let is_env = |word: &&str| Path::new(word).file_name() == Some(OsStr::new("env")) || word.starts_with('-');
    let python =
        words.find(|word| !is_env(word)).map(PathBuf::from).filter(|path| super::python::is_python(name(path)));
    Some(Interpreter { python })
}

/// What pyenv starts for one of its shims: the version of PYENV_VERSION, of a `.python-version` in the current folder or
/// one above, or of its file `version`. Where that names several, the first counts.
pub(super) fn pyenv(shim: &Path, machine: &Machine) -> Option<PathBuf> {
    let shims = shim.parent().filter(|folder| name(folder) == "shims")?;
    let root = shims.parent()?;
    let local = || {
        let current = machine.variable("PWD").map(PathBuf::from)?;
        current.ancestors().find_map(|folder| read_text(&machine.path(folder).join(".python-version"), TEXT_LIMIT).ok())
    };
    let chosen = machine.variable("PYENV_VERSION").and_then(OsStr::to_str).map(str::to_owned);
    let chosen = chosen.or_else(local).or_else(|| read_text(&root.join("version"), TEXT_LIMIT).ok())?;
    let version = chosen.split([':', '\n', ' ']).find(|version| !version.is_empty())?.trim();
    let program = root.join("versions").join(version).join("bin").join(shim.file_name()?);
    Some(program).filter(|program| program.is_file())
}
