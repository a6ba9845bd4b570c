//! Finding parts of lines in a log, all at once and in one pass.

use super::problems::Problem;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The lines of a log that have parts of lines which problems name.
#[derive(Debug, Default)]
pub struct LogMatches {
    seen: BTreeMap<String, Seen>,
    /// The end of the log.
    tail: String,
}

/// Where a part of a line was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The last line that has it, as far as it is shown.
    pub text: String,
    /// That line's number, from 1 on.
    pub line: u64,
    /// How many lines have it.
    pub count: u64,
}

/// So much of a log is looked at together.
const BLOCK: usize = 1 << 20;
/// A longer line is cut, in characters.
const SHOWN: usize = 1000;
/// So much of the end is kept, in bytes.
const TAIL: usize = 16 << 10;

impl LogMatches {
    /// Reads a log for what these problems name.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(mut log: impl Read, problems: &[Problem]) -> io::Result<Self> {
        let fragments: Vec<&str> =
            problems.iter().flat_map(|problem| &problem.signs).flat_map(|sign| &sign.log).map(String::as_str).collect();
        // Of each the part that tells most is looked for, and the rest in its line.
        let keys =
            fragments.iter().map(|fragment| fragment.split('*').max_by_key(|part| part.len()).unwrap_or_default());
        // The fastest; some hundred fragments take little memory.
        let finder = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(keys).map_err(io::Error::other)?;
        let mut matches = Self::default();
        let (mut block, mut lines) = (Vec::with_capacity(2 * BLOCK), 0);
        loop {
            let more = log.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
            // What follows the last line's end waits for its rest, unless there is none or it has no end.
            let end = match memchr::memrchr(b'\n', &block) {
                Some(end) if more > 0 => end + 1,
                _ if more > 0 && block.len() < 2 * BLOCK => continue,
                _ => block.len(),
            };
            matches.look(&block[..end], lines, &finder, &fragments);
            lines += memchr::memchr_iter(b'\n', &block[..end]).count() as u64;
            matches.keep_tail(&block[..end]);
            block.drain(..end);
            if more == 0 {
                return Ok(matches);
            }
        }
    }

    fn look(&mut self, block: &[u8], lines_before: u64, finder: &AhoCorasick, fragments: &[&str]) {
        let (mut counted, mut line) = (0, lines_before + 1);
        for found in finder.find_overlapping_iter(block) {
            let start = memchr::memrchr(b'\n', &block[..found.start()]).map_or(0, |end| end + 1);
            let end = memchr::memchr(b'\n', &block[found.end()..]).map_or(block.len(), |end| found.end() + end);
            let text = &block[start..end];
            let fragment = fragments[found.pattern().as_usize()];
            if !has_parts(text, fragment) {
                continue;
            }
            if start > counted {
                line += memchr::memchr_iter(b'\n', &block[counted..start]).count() as u64;
                counted = start;
            }
            let shown = || {
                let text = String::from_utf8_lossy(text);
                text.trim().chars().take(SHOWN).collect()
            };
            match self.seen.get_mut(fragment) {
                Some(seen) if seen.line == line => {}
                Some(seen) => *seen = Seen { text: shown(), line, count: seen.count + 1 },
                None => _ = self.seen.insert(fragment.into(), Seen { text: shown(), line, count: 1 }),
            }
        }
    }

    fn keep_tail(&mut self, block: &[u8]) {
        let new = String::from_utf8_lossy(&block[block.len().saturating_sub(TAIL)..]);
        self.tail.push_str(&new);
        let surplus = self.tail.len().saturating_sub(TAIL);
        let cut = (surplus..self.tail.len()).find(|&at| self.tail.is_char_boundary(at)).unwrap_or(self.tail.len());
        self.tail.drain(..cut);
    }

    /// The lines that were found, in their order, and the end of the log.
    pub fn excerpt(&self) -> String {
        let mut lines: Vec<(u64, &str)> = self.seen.values().map(|seen| (seen.line, seen.text.as_str())).collect();
        lines.sort_unstable();
        lines.dedup();
        let found: String = lines.into_iter().map(|(_, line)| format!("{line}\n")).collect();
        format!("{found}[the end of the log]\n{}", self.tail)
    }

    /// Where a part of a line was found.
    pub fn seen(&self, fragment: &str) -> Option<&Seen> {
        self.seen.get(fragment)
    }
}

/// Whether a line has the parts between a fragment's * in their order.
fn has_parts(line: &[u8], fragment: &str) -> bool {
    let mut rest = line;
    fragment.split('*').all(|part| match memchr::memmem::find(rest, part.as_bytes()) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}
