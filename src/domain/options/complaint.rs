//! What is wrong in the configuration, and where: the lines that a person reads.

use super::table::{Options, Row, Scope, TABLE};
use super::values::{Choice, Kind, RawValue};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The characters that are shown of a key or a value.
const MAX_SHOWN: usize = 60;
/// The section for programs that have RMCP through /etc/ld.so.preload.
pub(super) const SYSTEM: &str = "system";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table.
    Default,
    /// A file or the environment.
    Set(Place),
}

/// A place where an option is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, from 1; 0 is the file as a whole.
    File(Arc<Path>, usize),
    /// An environment variable.
    Environment(String),
}

/// Something wrong in the configuration: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Complaint {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub problem: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, 0) => write!(f, "{}", path.display()),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Set(place) => place.fmt(f),
        }
    }
}

/// Reads "host=keep", as a command line has it.
pub fn assignment(text: &str) -> Result<(&'static Row, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as option=value")?;
    let unknown =
        || format!("there is no option {}{}", quote_short(key), did_you_mean(key, TABLE.iter().map(|row| row.name)));
    let row = super::row(key).ok_or_else(unknown)?;
    if row.scope == Scope::System {
        return Err(scope_error(row));
    }
    let hint = |value: &str, words: &[Choice]| did_you_mean(value, words.iter().map(|choice| choice.word));
    value_error(row, &RawValue::Text(value.into()), hint).map_or_else(|| Ok((row, value.into())), Err)
}

/// What is wrong with a value. `hint`: what may have been meant by a word.
pub(super) fn value_error(row: &Row, raw: &RawValue, hint: impl FnOnce(&str, &[Choice]) -> String) -> Option<String> {
    if row.set(&mut Options::default(), raw) {
        return None;
    }
    let (value, hint) = match (raw, row.kind) {
        (RawValue::Text(text), Kind::Word(choices)) => (quote_short(text), hint(text, choices)),
        (RawValue::Text(text), _) => (quote_short(text), String::new()),
        (RawValue::List(list), _) => (truncate(&format!("{list:?}")), String::new()),
    };
    Some(format!("{} takes {}, not {value}{hint}", row.name, row.allowed()))
}

pub(super) fn scope_error(row: &Row) -> String {
    format!("{} stands in the section [{SYSTEM}] of a file alone: write it there, below a line [{SYSTEM}]", row.name)
}

pub(super) fn not_a_section(name: &str, header: &str) -> String {
    format!("{name} is a section: write [{header}] and options below it; this is ignored")
}

/// In quotes, and no longer than a person reads: it may be all of a file.
pub(super) fn quote_short(text: &str) -> String {
    truncate(&format!("{text:?}"))
}

fn truncate(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

/// " (did you mean X?)" for a slip of the pen, else nothing.
pub fn did_you_mean<'a>(value: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near = names.map(|name| (strsim::osa_distance(value, name), name)).min();
    match near {
        Some((distance, name)) if distance <= (name.len() / 3).clamp(1, 3) => {
            format!(" (did you mean {name}?)")
        }
        _ => String::new(),
    }
}
