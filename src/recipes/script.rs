//! Scripts, and what runs them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Scripts that are run by scripts; Linux ends there, too (fs/exec.c).
const SCRIPTS: usize = 5;

/// The interpreters of a script, each with its argument, and so on; none for another file.
pub fn interpreters(file: &Path) -> Vec<(PathBuf, Option<OsString>)> {
    let mut chain: Vec<(PathBuf, Option<OsString>)> = Vec::new();
    while chain.len() < SCRIPTS {
        let last = chain.last().map_or(file, |(interpreter, _)| interpreter);
        match shebang(last) {
            Some(next) => chain.push(next),
            None => break,
        }
    }
    chain
}

/// The line after #!, as Linux reads it: a path and at most one argument. (fs/binfmt_script.c)
fn shebang(file: &Path) -> Option<(PathBuf, Option<OsString>)> {
    let mut start = Vec::new();
    File::open(file).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let end = line.iter().position(|byte| b" \t".contains(byte)).unwrap_or(line.len());
    let (path, argument) = (&line[..end], line[end..].trim_ascii());
    let os = |bytes: &[u8]| OsString::from_vec(bytes.into());
    (!path.is_empty()).then(|| (os(path).into(), (!argument.is_empty()).then(|| os(argument))))
}
