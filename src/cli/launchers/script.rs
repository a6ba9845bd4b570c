//! Scripts, and what runs them.

use rmcp_domain::bounded_read::read_start;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Bytes that the kernel reads of a script. (BINPRM_BUF_SIZE)
const LINE: usize = 256;
/// What pip and uv write above an interpreter whose path is too long for that, or has a blank.
const EXEC: &[u8] = b"'''exec' ";

/// The interpreter of a script and its one argument, as Linux reads the line after #!. (fs/binfmt_script.c)
pub(super) fn shebang(file: &Path) -> Option<(PathBuf, Option<OsString>)> {
    let start = read_start(file, LINE).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let end = line.iter().position(|byte| b" \t".contains(byte)).unwrap_or(line.len());
    let (path, argument) = (&line[..end], line[end..].trim_ascii());
    let os = |bytes: &[u8]| OsString::from_vec(bytes.into());
    (!path.is_empty()).then(|| (os(path).into(), (!argument.is_empty()).then(|| os(argument))))
}

/// Whether the kernel runs another program for this file.
pub fn is_script(file: &Path) -> bool {
    shebang(file).is_some()
}

/// The Python that a shell script is for which pip or uv wrote: its second line executes it. (distlib, scripts.py)
pub(super) fn exec_python(script: &Path) -> Option<PathBuf> {
    let start = read_start(script, 16 * LINE).ok()?;
    let line = start.split(|&byte| byte == b'\n').nth(1)?.strip_prefix(EXEC)?;
    let words = shlex::split(std::str::from_utf8(line).ok()?)?;
    let [python, this, ..] = &words[..] else { return None };
    (this == "$0").then(|| python.into())
}
