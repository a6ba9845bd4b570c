//! The words of a command line that are a launcher's own, read as getopt(3) reads them: up to the first that is no option.

use super::table::{Does, Launcher, Takes};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What a launcher's own words are.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// How many there are; the program comes next.
    pub words: usize,
    /// What matters of them, in order, each with its value.
    pub done: Vec<(Does, OsString)>,
}

impl Own {
    /// The value of the last option that does this.
    pub fn value(&self, does: Does) -> Option<&OsStr> {
        self.done.iter().rev().find(|(other, _)| *other == does).map(|(_, value)| value.as_os_str())
    }
}

/// Why no program follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// None is started.
    Nothing,
    /// That option may take a value or not.
    Unknown(String),
}

/// Reads a launcher's own words.
pub(super) fn read(launcher: &Launcher, arguments: &[OsString]) -> Result<Own, Stop> {
    let mut own = Own::default();
    let mut command = launcher.command.as_deref();
    let (mut operands, mut options) = (launcher.operands, true);
    loop {
        let word = arguments.get(own.words).ok_or(Stop::Nothing)?;
        if options && word == "--" && command.is_none() {
            options = false;
        } else if options && is_option(launcher, word) {
            let words = option(launcher, word, &arguments[own.words + 1..], &mut own.done)?;
            own.words += words;
            match own.done.last() {
                Some((Does::Nothing, _)) => return Err(Stop::Nothing),
                Some((Does::Words, _)) => {
                    own.words += 1;
                    return Ok(own);
                }
                _ => {}
            }
        } else if let Some(expected) = command.take() {
            if word != expected {
                return Err(Stop::Nothing);
            }
        } else if launcher.assignments && assignment(word).is_some() {
            own.done.push((Does::Set, word.clone()));
            options = false;
        } else if operands > 0 {
            operands -= 1;
            options = false;
        } else {
            return Ok(own);
        }
        own.words += 1;
    }
}

/// NAME and VALUE of NAME=VALUE.
pub(super) fn assignment(word: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = word.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    Some((OsString::from_vec(bytes[..at].into()), OsString::from_vec(bytes[at + 1..].into())))
}

fn is_option(launcher: &Launcher, word: &OsStr) -> bool {
    word.as_bytes().starts_with(b"-") && (word.len() > 1 || launcher.options.contains_key("-"))
}

/// Takes an option in, and returns how many of the words after it are its values.
fn option(
    launcher: &Launcher,
    word: &OsStr,
    rest: &[OsString],
    done: &mut Vec<(Does, OsString)>,
) -> Result<usize, Stop> {
    let bytes = word.as_bytes();
    let unknown = || Stop::Unknown(word.to_string_lossy().into_owned());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if bytes == b"--help" || bytes == b"--version" {
        return Err(Stop::Nothing);
    }
    let mut note = |name: &str, value: OsString| {
        if let Some(does) = launcher.does.get(name) {
            done.push((*does, value));
        }
    };
    let next = |count: usize| -> Result<OsString, Stop> {
        let values = rest.get(..count).ok_or(Stop::Nothing)?;
        Ok(values.join(OsStr::new("=")))
    };
    // By its whole name, or by that before an =.
    let (name, attached) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (text(&bytes[..at]), Some(OsString::from_vec(bytes[at + 1..].into()))),
        None => (text(bytes), None),
    };
    let twice = format!("-{name}");
    let names = [Some(name.as_str()), Some(twice.as_str()).filter(|_| launcher.one_dash)];
    let known = names.into_iter().flatten().find_map(|name| Some((name, *launcher.options.get(name)?)));
    let is_long = name.starts_with("--") || launcher.one_dash;
    match (known, attached) {
        (Some((name, takes)), None) => {
            let (value, words) = match takes {
                Takes::Nothing | Takes::Attached => (OsString::new(), 0),
                Takes::Value => (next(1)?, 1),
                Takes::Two => (next(2)?, 2),
            };
            note(name, value);
            return Ok(words);
        }
        (Some((name, Takes::Value | Takes::Attached)), Some(value)) if is_long => {
            note(name, value);
            return Ok(0);
        }
        _ => {}
    }
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    if launcher.numbers && digits(bytes.strip_prefix(b"--").unwrap_or(&bytes[1..])) {
        return Ok(0);
    }
    if is_long {
        return Err(unknown());
    }
    // Several short ones in one word, the last with its value.
    for (at, letter) in bytes[1..].iter().enumerate() {
        let name = format!("-{}", char::from(*letter));
        let after = OsString::from_vec(bytes[at + 2..].into());
        match launcher.options.get(&name) {
            Some(Takes::Nothing) => note(&name, OsString::new()),
            Some(Takes::Value) if after.is_empty() => {
                note(&name, next(1)?);
                return Ok(1);
            }
            Some(Takes::Value | Takes::Attached) => {
                note(&name, after);
                return Ok(0);
            }
            Some(Takes::Two) | None => return Err(unknown()),
        }
    }
    Ok(0)
}
