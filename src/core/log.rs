//! RMCP_LOG: one line per event, to stderr or to a file. Off unless asked for.
//!
//! Every line is written before the call goes on: a writer in a thread of its own loses the lines of a forked child and the
//! last ones before an exit. [`sink`] says what is not done for the sake of a line.

mod sink;

use crate::unnoticed::unnoticed;
use rmcp::options::Level;
use sink::Sink;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// Sends what a panic says to the log: the program's standard error is not RMCP's.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!("a mistake in RMCP, the call is forwarded: {panic}")));
}

/// Sends every event of `level` and above to `file`, or to stderr. A file that cannot be written: stderr, and why.
pub fn start(level: Level, file: Option<&Path>) {
    let level = match level {
        Level::Off => return,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let (sink, refused) = match file.map(Sink::file) {
        Some(Ok(sink)) => (sink, None),
        Some(Err(why)) => (Sink::stderr(), Some(why)),
        None => (Sink::stderr(), None),
    };
    // An error here means that a logger is set already: two threads detected at once, and the first one's stays.
    let _ = tracing::subscriber::set_global_default(Logger { level, sink });
    if let (Some(path), Some(why)) = (file, refused) {
        tracing::warn!("cannot write the log file {}: {why}; logging to stderr instead", path.display());
    }
}

/// Writes each event as one line: `2026-01-31T12:00:00.000000Z rmcp[1234] debug: message`.
///
/// tracing-subscriber's own logger formats in a thread-local variable: a call from a thread that has destroyed its own
/// would panic, and once more while that is logged, which ends the process.
struct Logger {
    level: LevelFilter,
    sink: Sink,
}

/// The longest line: so much goes into a pipe at once, whoever else writes.
const LONGEST: usize = libc::PIPE_BUF;

/// The lines that could not be written since the last that could.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Whether the last write ended within a line, as where a file may not become larger.
static TORN: AtomicBool = AtomicBool::new(false);

impl Logger {
    fn write(&self, event: &Event<'_>) {
        let mut line = String::new();
        let lost = LOST.swap(0, Ordering::Relaxed);
        let torn = TORN.swap(false, Ordering::Relaxed);
        if torn {
            line.push('\n');
        }
        let _ = format(&mut line, event, lost);
        cut(&mut line, LONGEST - 1);
        line.push('\n');
        let written = self.sink.write(line.as_bytes());
        if written < line.len() {
            LOST.fetch_add(lost + 1, Ordering::Relaxed);
            TORN.store(torn || written > 0, Ordering::Relaxed);
        }
    }
}

/// Appends one line for the event, without its end.
fn format(line: &mut String, event: &Event<'_>, lost: u64) -> fmt::Result {
    SystemTime.format_time(&mut Writer::new(line))?;
    let level = event.metadata().level().as_str().to_ascii_lowercase();
    write!(line, " rmcp[{}] {level}: ", std::process::id())?;
    if lost > 0 {
        write!(line, "({lost} lines before this one could not be written) ")?;
    }
    let mut message = String::new();
    event.record(&mut Message(&mut message));
    // One line, and nothing that a terminal obeys: names of files and values of options are in it.
    message.chars().for_each(|character| match character.is_control() {
        true => line.extend(character.escape_default()),
        false => line.push(character),
    });
    Ok(())
}

/// Shortens a text to so many bytes, and says that it did.
fn cut(text: &mut String, longest: usize) {
    const MORE: &str = " ...";
    if text.len() > longest {
        let end = (0..=longest - MORE.len()).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(MORE);
    }
}

impl Subscriber for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        unnoticed(|| self.write(event));
    }

    // RMCP opens no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Takes an event's message, its one field.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut text = "\u{e9}".repeat(4000);
        cut(&mut text, LONGEST - 1);
        assert!(text.ends_with("\u{e9} ...") && (LONGEST - 2..LONGEST).contains(&text.len()), "{}", text.len());
        let mut short = "short".to_owned();
        cut(&mut short, LONGEST - 1);
        assert_eq!(short, "short");
    }
}
