//! Text from outside on a terminal: names of files, values of variables, what programs say. Any of it may hold sequences that
//! move the cursor, rename the window or hide what is before them.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};

/// Writes text for people: colours as they are, every other control character as Rust writes it, as in `\u{1b}`.
pub struct EscapingWriter<W>(pub W);

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(escape_text(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A name or a value from outside, on one line and without colours of its own.
pub fn escape_line(text: impl Display) -> String {
    escape(&text.to_string(), |letter| letter.escape_default().to_string(), |_| None).into_owned()
}

/// JSON without what acts on a terminal: the same values.
pub(super) fn escape_json(text: &str) -> Cow<'_, str> {
    // Those below U+0020 are escaped in strings already, and between them there are only line ends.
    escape(text, |letter| format!("\\u{:04x}", u32::from(letter)), |rest| rest.starts_with('\n').then_some(1))
}

fn escape_text(text: &str) -> Cow<'_, str> {
    escape(
        text,
        |letter| letter.escape_default().to_string(),
        |rest| if rest.starts_with(['\n', '\t']) { Some(1) } else { sgr_length(rest) },
    )
}

/// The length of a sequence that changes nothing but colours, at the start of a text. (ECMA-48, SGR) 8 would hide.
fn sgr_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    let hides = parameters[..end].split(';').any(|parameter| parameter.trim_start_matches('0') == "8");
    (parameters[end..].starts_with('m') && !hides).then_some(end + 3)
}

/// Whether a terminal acts on it instead of showing it. (Unicode: Cc; the marks and overrides of UAX #9)
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with each such letter escaped, except where `keep` says how many bytes stay as they are.
fn escape(text: &str, escape: impl Fn(char) -> String, keep: impl Fn(&str) -> Option<usize>) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_control) {
        safe += &rest[..at];
        rest = &rest[at..];
        let kept = keep(rest).unwrap_or(0);
        safe += &rest[..kept];
        rest = &rest[kept..];
        if kept == 0 {
            let mut letters = rest.chars();
            // Writing to a String cannot fail.
            let _ = letters.next().map(|letter| safe.write_str(&escape(letter)));
            rest = letters.as_str();
        }
    }
    (safe + rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{BAD, FAINT, GOOD, STRONG, WARN, styled};

    fn written(text: &str) -> String {
        let mut out = EscapingWriter(Vec::new());
        write!(out, "{text}").unwrap();
        String::from_utf8(out.0).unwrap()
    }

    #[test]
    fn colours_lines_and_all_that_is_shown_stay() {
        for style in [BAD, FAINT, GOOD, STRONG, WARN] {
            let text = format!("a\t{}\n\u{e9}\u{4e2d}\u{1f600} \\", styled(style, "b"));
            assert_eq!(written(&text), text);
        }
    }

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}[8mhidden", "\\u{1b}[8mhidden"),
            ("\u{1b}[1;008mhidden", "\\u{1b}[1;008mhidden"),
            ("\u{1b}[31", "\\u{1b}[31"),
            ("\u{1b}", "\\u{1b}"),
            ("over\rwritten\u{8}", "over\\rwritten\\u{8}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
        ] {
            assert_eq!(written(text), shown);
        }
    }

    #[test]
    fn a_name_is_one_line_without_colours() {
        assert_eq!(
            escape_line("a\nGPU 0 \u{1b}[32mwell\u{1b}[0m \u{e9}"),
            "a\\nGPU 0 \\u{1b}[32mwell\\u{1b}[0m \u{e9}"
        );
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({ "name": "\u{1b}[2J\n\u{9b}2J\u{7f}\u{202e}\u{e9}" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = escape_json(&text);
        assert!(!safe.contains(|letter| is_control(letter) && letter != '\n'), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
