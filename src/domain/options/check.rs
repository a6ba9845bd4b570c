//! Everything that is wrong in one file, whatever program it is read for.

use super::complaint::Complaint;
use super::file::{FILE_LIMIT, File};
use super::{Options, SYSTEM_FENCES, Sources};
use crate::bounded_read::read_text;
use std::io;
use std::path::Path;
use toml::de::DeTable;

/// Checks a file, as whoever may read it: whether this user's programs trust it too is a complaint of its own. With errors
/// in its syntax only those are told: what the options would be is not known then.
///
/// # Errors
/// When the file cannot be read; that it does not exist is one too.
pub fn check(path: &Path) -> io::Result<Vec<Complaint>> {
    let text = match read_text(path, FILE_LIMIT) {
        Ok(text) => text,
        Err(error) if error.raw_os_error().is_some() => return Err(error),
        // It can be read and is no file of options: too large, no text, no regular file.
        Err(_) => return Ok(complaints(path)),
    };
    let file = File::new(path.into(), &text);
    if let Some(complaint) = file.nesting_error() {
        return Ok(vec![complaint]);
    }
    let (_, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        return Ok(errors.iter().map(|error| file.syntax_error(error)).collect());
    }
    Ok(complaints(path))
}

/// What a program of this user's would say.
fn complaints(path: &Path) -> Vec<Complaint> {
    let (name, value) = SYSTEM_FENCES;
    // rmcp-run sets it; that it is not set now is no fault of the file.
    let environment = vec![(name.into(), value.into())];
    let files = vec![path.into()];
    let sources = Sources { files, environment, program: None, ..Sources::from_command() };
    Options::load(&sources).complaints
}
