//! One file of options as text: what its parser says, and on which line.

use super::complaint::{Complaint, Place};
use super::values::RawValue;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::de::DeValue;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// More than anybody writes by hand.
pub(super) const FILE_LIMIT: u64 = 64 * 1024;
/// Deeper than any option stands. The parser calls itself for each level, and a thread may have little stack.
const MAX_DEPTH: usize = 4;

/// A file as it was read.
pub(super) struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
    /// Where its lines end.
    ends: Vec<usize>,
}

impl<'a> File<'a> {
    pub(super) fn new(path: Arc<Path>, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(end, _)| end).collect();
        Self { path, text, ends }
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place::File(self.path.clone(), self.ends.partition_point(|&end| end < span.start) + 1)
    }

    /// What the parser says.
    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> Complaint {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let place = error.span().map_or_else(|| Place::File(self.path.clone(), 0), |span| self.place(span));
        Complaint { place, problem: format!("{message}; all of the file is ignored") }
    }

    /// Where brackets, or the parts of a key, are nested deeper than any option stands. The lexer looks at one token after
    /// the other; the parser would recurse.
    pub(super) fn nesting_error(&self) -> Option<Complaint> {
        let (mut brackets, mut dots) = (0_usize, 0_usize);
        for token in Source::new(self.text).lex() {
            match token.kind() {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => brackets += 1,
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    brackets = brackets.saturating_sub(1);
                }
                TokenKind::Dot => dots += 1,
                TokenKind::Newline | TokenKind::Equals | TokenKind::Comma => dots = 0,
                _ => {}
            }
            if brackets.max(dots) > MAX_DEPTH {
                let span = token.span();
                let problem = format!("nested more than {MAX_DEPTH} deep; all of the file is ignored");
                return Some(Complaint { place: self.place(span.start()..span.end()), problem });
            }
        }
        None
    }
}

/// None for tables and for lists of anything but text, which no option takes.
pub(super) fn raw_value(value: DeValue<'_>) -> Option<RawValue> {
    Some(match value {
        DeValue::Array(items) => RawValue::List(
            items.into_iter().map(|item| item.into_inner().as_str().map(String::from)).collect::<Option<_>>()?,
        ),
        DeValue::Table(_) => return None,
        DeValue::String(text) => RawValue::Text(text.into_owned()),
        DeValue::Integer(number) => RawValue::Text(number.to_string()),
        DeValue::Float(number) => RawValue::Text(number.to_string()),
        DeValue::Boolean(truth) => RawValue::Text(truth.to_string()),
        DeValue::Datetime(time) => RawValue::Text(time.to_string()),
    })
}
