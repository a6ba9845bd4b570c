//! Facts in texts: `{kfd.group}`, or `{kfd.group|render}` with what is said where the fact has no value.

use crate::doctor::facts::{self, CARD};

/// A piece of a text.
enum Piece<'a> {
    Text(&'a str),
    Fact { name: &'a str, otherwise: Option<&'a str> },
}

/// The gfx target of the card that a problem is about.
const TARGET: &str = "target";

/// What else stands in braces is text.
fn pieces(mut text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    while let Some((begin, end)) = text.find('{').and_then(|begin| Some((begin, begin + text[begin..].find('}')?))) {
        let inner = &text[begin + 1..end];
        let (name, otherwise) = inner.split_once('|').map_or((inner, None), |(name, other)| (name, Some(other)));
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(of_name);
        if is_name && (name == TARGET || name.contains('.')) {
            pieces.push(Piece::Text(&text[..begin]));
            pieces.push(Piece::Fact { name, otherwise });
            text = &text[end + 1..];
        } else {
            pieces.push(Piece::Text(&text[..=begin]));
            text = &text[begin + 1..];
        }
    }
    pieces.push(Piece::Text(text));
    pieces
}

/// The fact of a name in a text.
fn fact(name: &str) -> String {
    if name == TARGET { format!("{CARD}{TARGET}") } else { name.into() }
}

/// The text with the values of facts in it.
pub fn fill(text: &str, values: impl Fn(&str) -> Option<Vec<String>>) -> String {
    let said = |piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Fact { name, otherwise } => {
            let known = values(&fact(name)).filter(|values| !values.is_empty());
            let unknown = if name == TARGET { "gfxNNNN" } else { "unknown" };
            known.map_or_else(|| otherwise.unwrap_or(unknown).to_owned(), |values| values.join(", "))
        }
    };
    pieces(text).into_iter().map(said).collect()
}

/// As [`fill`], but a text that is a fact alone stands for each of its values. None: a fact has no value, and nothing is
/// said in its place.
pub fn fill_all(text: &str, values: impl Fn(&str) -> Option<Vec<String>>) -> Option<Vec<String>> {
    let known = |name: &str| values(&fact(name)).filter(|values| !values.is_empty());
    let pieces: Vec<Piece> = pieces(text).into_iter().filter(|piece| !matches!(piece, Piece::Text(""))).collect();
    if let [Piece::Fact { name, otherwise }] = pieces[..] {
        return known(name).or_else(|| Some(vec![otherwise?.to_owned()]));
    }
    let is_said = |piece: &Piece| match *piece {
        Piece::Fact { name, otherwise } => otherwise.is_some() || known(name).is_some(),
        Piece::Text(_) => true,
    };
    pieces.iter().all(is_said).then(|| vec![fill(text, &values)])
}

/// Whether each fact in the text exists and, in one that is always said, has something to be said in its place.
pub fn check(text: &str, is_always_said: bool) -> Result<(), String> {
    for piece in pieces(text) {
        match piece {
            Piece::Fact { name, .. } if !facts::is_known(&fact(name)) => {
                return Err(format!("there is no fact {name:?} to stand in a text"));
            }
            Piece::Fact { name, otherwise: None } if is_always_said && name != TARGET => {
                return Err(format!("{{{name}}} says nothing where the fact has no value: write {{{name}|WORDS}}"));
            }
            _ => {}
        }
    }
    Ok(())
}
