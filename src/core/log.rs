//! RMCP_LOG: one line per event, to stderr or to a file. Off unless asked for.
//!
//! Every line is written before the call goes on: tracing-appender's background writer loses the lines of a forked
//! child and the last ones before an exit.

use rmcp::options::Level;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicPtr, Ordering};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

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
    let logger = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).event_format(Line);
    let mut refused = None;
    let target = file.and_then(|path| {
        Appender::open(path)
            .map(|appender| File { path: path.to_owned(), appender })
            .map_err(|e| refused = Some(e))
            .ok()
    });
    // An error here means that a logger is set already: two threads detected at once, and the first one's stays.
    let _ = match target {
        Some(file) => tracing::subscriber::set_global_default(logger.with_writer(file).finish()),
        None => tracing::subscriber::set_global_default(logger.with_writer(io::stderr).finish()),
    };
    if let (Some(path), Some(why)) = (file, refused) {
        tracing::warn!("cannot write the log file {}: {why}; logging to stderr instead", path.display());
    }
}

/// `2026-01-31T12:00:00.000000Z rmcp[1234] debug: message`
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        SystemTime.format_time(&mut line)?;
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        write!(line, " rmcp[{}] {level}: ", std::process::id())?;
        context.field_format().format_fields(line.by_ref(), event)?;
        line.write_char('\n')
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

impl<'a> MakeWriter<'a> for File {
    type Writer = Box<dyn io::Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        // SAFETY: the pointer is a leaked box, never freed.
        let mut current = unsafe { &*self.appender.load(Ordering::Acquire) };
        if current.pid != std::process::id() {
            let Ok(mine) = Appender::open(&self.path) else { return Box::new(io::sink()) };
            let mine = mine.into_inner();
            self.appender.store(mine, Ordering::Release);
            // SAFETY: as above.
            current = unsafe { &*mine };
        }
        Box::new(current.file.make_writer())
    }
}

/// Opens the standard descriptors that the process was started without, so that the log file takes none of them: the
/// program may give them a meaning later. They close again when the result is dropped.
fn fill_standard_descriptors() -> Vec<std::fs::File> {
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
