//! RMCP_LOG: one line per event, to stderr or to a file. Off unless asked for.
//!
//! Every line is written before the call goes on: tracing-appender's background writer loses the lines of a forked
//! child and the last ones before an exit.

use rmcp::options::Level;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicPtr, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::MakeWriter;
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
    let mut refused = None;
    let target = file.and_then(|path| {
        Appender::open(path)
            .map(|appender| File { path: path.to_owned(), appender })
            .map_err(|e| refused = Some(e))
            .ok()
    });
    // An error here means that a logger is set already: two threads detected at once, and the first one's stays.
    let _ = tracing::subscriber::set_global_default(Logger { level, file: target });
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
    /// None: standard error.
    file: Option<File>,
}

impl Logger {
    fn write(&self, event: &Event<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let mut line = String::new();
        SystemTime.format_time(&mut Writer::new(&mut line))?;
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        write!(line, " rmcp[{}] {level}: ", std::process::id())?;
        event.record(&mut Message(&mut line));
        line.push('\n');
        match &self.file {
            Some(file) => {
                file.appender().map_or(Ok(()), |appender| appender.file.make_writer().write_all(line.as_bytes()))
            }
            None => Stderr.write_all(line.as_bytes()),
        }
        .map_err(Into::into)
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
        // Nobody is left to tell.
        let _ = self.write(event);
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

/// Standard error without the lock of [`io::stderr`], which a forked child may find held for ever.
struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // SAFETY: the bytes are those of the slice.
        let written = unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log file, opened anew by each process: a forked child must not touch the parent's lock.
struct File {
    path: PathBuf,
    appender: AtomicPtr<Appender>,
}

struct Appender {
    pid: u32,
    file: RollingFileAppender,
}

impl Appender {
    /// A leaked appender of this process, to be put into [`File::appender`].
    fn open(path: &Path) -> Result<AtomicPtr<Appender>, String> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("it has no plain file name")?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let low = fill_standard_descriptors();
        let file = RollingFileAppender::builder().rotation(Rotation::NEVER).filename_prefix(name).build(folder);
        drop(low);
        // tracing-appender says what it failed to do; its source says why.
        let file =
            file.map_err(|e| std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string))?;
        Ok(AtomicPtr::new(Box::into_raw(Box::new(Appender { pid: std::process::id(), file }))))
    }
}

impl File {
    /// This process's appender; None where the file cannot be opened again.
    fn appender(&self) -> Option<&Appender> {
        // SAFETY: the pointer is a leaked box, never freed.
        let mut current = unsafe { &*self.appender.load(Ordering::Acquire) };
        if current.pid != std::process::id() {
            let mine = Appender::open(&self.path).ok()?.into_inner();
            self.appender.store(mine, Ordering::Release);
            // SAFETY: as above.
            current = unsafe { &*mine };
        }
        Some(current)
    }
}

/// Opens the standard descriptors that the process was started without, so that the log file takes none of them: the
/// program may give them a meaning later. They close again when the result is dropped.
pub fn fill_standard_descriptors() -> Vec<std::fs::File> {
    use std::os::fd::AsRawFd;
    let mut held = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        if file.as_raw_fd() > 2 {
            break;
        }
        held.push(file);
    }
    held
}
