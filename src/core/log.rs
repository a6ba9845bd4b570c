//! RMCP_LOG: one line per event, to stderr or to a file. Off unless asked for.
//!
//! Every line is written before the call goes on: a writer in a thread of its own loses the lines of a forked child and the
//! last ones before an exit. [`sink`] says what is not done for the sake of a line.

mod sink;

use crate::isolation::isolated;
use humantime::format_rfc3339_micros;
use log::{LevelFilter, Log, Metadata, Record};
use rmcp_abi::process;
use rmcp_domain::options::Level;
use sink::Sink;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

/// Sends what a panic says to the log: the program's standard error is not RMCP's.
pub fn redirect_panics() {
    std::panic::set_hook(Box::new(|panic| log::error!("a mistake in RMCP, the call is forwarded: {panic}")));
}

/// Sends every event of `level` and above to `file`, or to stderr. A file that cannot be written: stderr, and why.
pub fn start(level: Level, file: Option<&Path>) {
    // A second thread that detects would wait in the crate for the first, and a child forked between two steps of it for ever.
    if level == Level::Off || BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    let (sink, refused) = match file.map(Sink::file) {
        Some(Ok(sink)) => (sink, None),
        Some(Err(why)) => (Sink::stderr(), Some(why)),
        None => (Sink::stderr(), None),
    };
    // Refused only where one is set.
    let _ = log::set_boxed_logger(Box::new(Logger(sink)));
    // The option has the words that the crate has.
    log::set_max_level(level.word().parse().unwrap_or(LevelFilter::Off));
    if let (Some(path), Some(why)) = (file, refused) {
        log::warn!("cannot write the log file {}: {why}; logging to stderr instead", path.display());
    }
}

/// Whether a thread has begun to set the logger.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// The option's value of each level of the crate.
const LEVELS: [Level; 6] = [Level::Off, Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];

/// Writes each record as one line: `2026-01-31T12:00:00.000000Z rmcp[1234] debug: message`.
struct Logger(Sink);

/// The lines that this process could not write since the last that it could.
static LOST_LINES: AtomicU64 = AtomicU64::new(0);

/// The [`process::fork_id`] of the process whose they are: a forked child has lost none yet.
static LOST_BY: AtomicU64 = AtomicU64::new(0);

/// Whether the last write ended within a line, as where a file may not become larger.
static TORN_LINE: AtomicBool = AtomicBool::new(false);

impl Logger {
    fn write(&self, record: &Record) {
        let process = process::fork_id();
        let mine = LOST_BY.swap(process, Ordering::Relaxed) == process;
        let lost = LOST_LINES.swap(0, Ordering::Relaxed) * u64::from(mine);
        let torn = TORN_LINE.swap(false, Ordering::Relaxed);
        let mut line = Line::new();
        if torn {
            line.append(b"\n");
        }
        // A line has room or is cut; it refuses nothing.
        let _ = format(&mut line, record, lost);
        let line = line.end();
        let written = self.0.write(line);
        if written < line.len() {
            LOST_LINES.fetch_add(lost + 1, Ordering::Relaxed);
            TORN_LINE.store(torn || written > 0, Ordering::Relaxed);
        }
    }
}

/// Writes one line for the record, without its end.
fn format(line: &mut Line, record: &Record, lost: u64) -> fmt::Result {
    write!(line, "{} rmcp[{}] ", format_rfc3339_micros(SystemTime::now()), std::process::id())?;
    write!(line, "{}: ", LEVELS[record.level() as usize].word())?;
    if lost > 0 {
        write!(line, "({lost} lines before this one could not be written) ")?;
    }
    line.write_fmt(*record.args())
}

/// A line, in memory that need not be asked for. So much goes into a pipe at once, whoever else writes.
struct Line {
    bytes: [u8; libc::PIPE_BUF],
    length: usize,
    cut: bool,
}

impl Line {
    /// The end of a line that is longer.
    const CUT: &[u8] = b" ...\n";

    const fn new() -> Self {
        Self { bytes: [0; libc::PIPE_BUF], length: 0, cut: false }
    }

    fn append(&mut self, more: &[u8]) {
        let end = self.length + more.len();
        self.cut |= end > self.bytes.len() - Self::CUT.len();
        if !self.cut {
            self.bytes[self.length..end].copy_from_slice(more);
            self.length = end;
        }
    }

    /// All of it.
    fn end(&mut self) -> &[u8] {
        let end = if self.cut { Self::CUT } else { b"\n" };
        self.bytes[self.length..][..end.len()].copy_from_slice(end);
        &self.bytes[..self.length + end.len()]
    }
}

/// One line, and nothing that a terminal obeys: names of files and values of options are in it.
impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut bytes = [0; 4];
            let mut append = |character: char| self.append(character.encode_utf8(&mut bytes).as_bytes());
            if character.is_control() { character.escape_default().for_each(append) } else { append(character) }
        }
        Ok(())
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        isolated(|| self.write(record));
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let mut line = Line::new();
        line.write_str(text).unwrap();
        String::from_utf8(line.end().to_vec()).unwrap()
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let cut = line(&"\u{e9}".repeat(4000));
        assert!(cut.ends_with("\u{e9} ...\n"));
        assert!((libc::PIPE_BUF - 1..=libc::PIPE_BUF).contains(&cut.len()), "{}", cut.len());
    }

    #[test]
    fn a_line_has_no_character_that_a_terminal_obeys() {
        assert_eq!(line("a\nb\x1b[2J\u{9b}c"), "a\\nb\\u{1b}[2J\\u{9b}c\n");
    }
}
