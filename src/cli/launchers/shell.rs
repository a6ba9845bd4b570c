//! Shell texts that are one plain command. There is no shell here: anything else is not known.

use std::ffi::{OsStr, OsString};

/// A command of words, without anything that a shell would expand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlainCommand {
    /// NAME=VALUE before it.
    pub assignments: Vec<OsString>,
    /// Program and arguments.
    pub words: Vec<OsString>,
}

/// What starts no program of that name. (POSIX, Shell Command Language: reserved words, special built-ins, and those
/// built-ins that change what follows)
const SHELL_WORDS: [&str; 44] = [
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while",
    ".", ":", "break", "continue", "eval", "exit", "export", "readonly", "return", "set", "shift", "times", "trap",
    "unset", "alias", "bg", "cd", "command", "fg", "hash", "read", "source", "type", "ulimit", "umask", "wait",
    "function", "[[",
];

/// Reads a text as one plain command, `exec` before it left out. None where it is anything else.
pub(super) fn parse_plain(text: &OsStr) -> Option<PlainCommand> {
    let text = text.to_str()?;
    if needs_shell(text) {
        return None;
    }
    let mut words: Vec<OsString> = shlex::split(text)?.into_iter().map(OsString::from).collect();
    let assigns = |word: &OsString| super::getopt::assignment(word).is_some_and(|(name, _)| is_identifier(&name));
    let assignments = words.drain(..words.iter().take_while(|word| assigns(word)).count()).collect();
    if words.first().is_some_and(|word| word == "exec") {
        words.remove(0);
    }
    let first = words.first()?.to_str()?;
    (!SHELL_WORDS.contains(&first) && !first.starts_with('-')).then_some(PlainCommand { assignments, words })
}

/// Whether a shell would do more with a text than split it into words and remove quotes.
fn needs_shell(text: &str) -> bool {
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('\''), letter) => quote = quote.filter(|_| letter != '\''),
            (_, '$' | '`') => return true,
            (_, '\\') => drop(letters.next()),
            (Some(_), letter) => quote = quote.filter(|_| letter != '"'),
            (None, '\'' | '"') => quote = Some(letter),
            (None, letter) => {
                if "|&;<>()*?[]{}!#~\n".contains(letter) {
                    return true;
                }
            }
        }
    }
    false
}

fn is_identifier(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The words that could be programs in a text that is no plain command.
pub fn program_candidates(text: &str) -> impl Iterator<Item = &str> {
    let other = |letter: char| !letter.is_ascii_alphanumeric() && !"._/+-".contains(letter);
    text.split(other).filter(|word| !word.is_empty())
}

/// A command line with rmcp-run before the program; None where it has other than text.
pub(super) fn insert_rmcp_run(before: &[OsString], program: &[OsString]) -> Option<String> {
    let text =
        |words: &[OsString]| words.iter().map(|word| word.to_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let words = [text(before)?, vec!["rmcp-run".into()], text(program)?].concat();
    shlex::try_join(words.iter().map(String::as_str)).ok()
}
