//! The words of a command line that are a launcher's own, read as getopt(3) reads them: up to the first that is no option.

use super::table::{Launcher, OptionEffect, OptionValues};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What a launcher's own words are.
#[derive(Debug, Default)]
pub(super) struct LauncherWords {
    /// How many there are; the program comes next.
    pub count: usize,
    /// What matters of them, in order, each with its value.
    pub effects: Vec<(OptionEffect, OsString)>,
}

impl LauncherWords {
    /// The value of the last option that does this.
    pub fn effect_value(&self, does: OptionEffect) -> Option<&OsStr> {
        self.effects.iter().rev().find(|(other, _)| *other == does).map(|(_, value)| value.as_os_str())
    }
}

/// Why no program follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoProgram {
    /// None is started.
    NotStarted,
    /// That option may take a value or not.
    UnknownOption(String),
}

/// Reads a launcher's own words.
pub(super) fn parse_words(launcher: &Launcher, arguments: &[OsString]) -> Result<LauncherWords, NoProgram> {
    let mut own = LauncherWords::default();
    let mut command = launcher.command.as_deref();
    let (mut operands, mut options) = (launcher.operands, true);
    loop {
        let word = arguments.get(own.count).ok_or(NoProgram::NotStarted)?;
        if options && word == "--" && command.is_none() {
            options = false;
        } else if options && is_option(launcher, word) {
            let words = parse_option(launcher, word, &arguments[own.count + 1..], &mut own.effects)?;
            own.count += words;
            match own.effects.last() {
                Some((OptionEffect::Nothing, _)) => return Err(NoProgram::NotStarted),
                Some((OptionEffect::Words, _)) => {
                    own.count += 1;
                    return Ok(own);
                }
                _ => {}
            }
        } else if let Some(expected) = command.take() {
            if word != expected {
                return Err(NoProgram::NotStarted);
            }
        } else if launcher.assignments && assignment(word).is_some() {
            own.effects.push((OptionEffect::Set, word.clone()));
            options = false;
        } else if operands > 0 {
            operands -= 1;
            options = false;
        } else {
            return Ok(own);
        }
        own.count += 1;
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
fn parse_option(
    launcher: &Launcher,
    word: &OsStr,
    rest: &[OsString],
    done: &mut Vec<(OptionEffect, OsString)>,
) -> Result<usize, NoProgram> {
    let bytes = word.as_bytes();
    let unknown = || NoProgram::UnknownOption(word.to_string_lossy().into_owned());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if bytes == b"--help" || bytes == b"--version" {
        return Err(NoProgram::NotStarted);
    }
    let mut note = |name: &str, value: OsString| {
        if let Some(does) = launcher.effects.get(name) {
            done.push((*does, value));
        }
    };
    let next = |count: usize| -> Result<OsString, NoProgram> {
        let values = rest.get(..count).ok_or(NoProgram::NotStarted)?;
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
                OptionValues::Nothing | OptionValues::Attached => (OsString::new(), 0),
                OptionValues::Value => (next(1)?, 1),
                OptionValues::Two => (next(2)?, 2),
            };
            note(name, value);
            return Ok(words);
        }
        (Some((name, OptionValues::Value | OptionValues::Attached)), Some(value)) if is_long => {
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
            Some(OptionValues::Nothing) => note(&name, OsString::new()),
            Some(OptionValues::Value) if after.is_empty() => {
                note(&name, next(1)?);
                return Ok(1);
            }
            Some(OptionValues::Value | OptionValues::Attached) => {
                note(&name, after);
                return Ok(0);
            }
            Some(OptionValues::Two) | None => return Err(unknown()),
        }
    }
    Ok(0)
}
