//! What the commands print: for people with colour on a terminal, for programs as JSON.
//!
//! A command gathers a [`Report`] and hands it to [`OutputArguments::print`]. Colours are written as they are and removed again
//! where they do not belong: away from a terminal, and under NO_COLOR; CLICOLOR_FORCE keeps them.

mod escape;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use comfy_table::{Cell, ContentArrangement, Table, presets};
pub use escape::{EscapingWriter, escape_line};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, StderrLock, StdoutLock, Write};

/// Headings and what a table is about.
pub const STRONG: Style = Style::new().bold();
/// As it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Works, and could be better.
pub const WARN: Style = AnsiColor::Yellow.on_default();
/// Does not work.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What few readers need.
pub const FAINT: Style = Style::new().dimmed();

/// What a command found out.
pub trait Report: Serialize + JsonSchema {
    /// Name and version of the JSON, as in `rmcp.detect/1`. The number rises when a field goes away or changes its
    /// meaning; a new field leaves it.
    const SCHEMA: &'static str;

    /// Writes it for people.
    fn text(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// The options of every command that reports something; `#[command(flatten)]` takes them in.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OutputArguments {
    /// Prints JSON; docs/reference/json.md describes it.
    #[arg(long)]
    pub json: bool,
}

impl OutputArguments {
    /// Prints a report to standard output in the form that was asked for.
    pub fn print<R: Report>(self, report: &R) -> Result<()> {
        let mut out = stdout();
        if self.json {
            write_json(&mut out, report)?;
        } else {
            report.text(&mut out)?;
        }
        Ok(out.flush()?)
    }
}

/// A report with what says whose it is.
#[derive(Serialize)]
struct Envelope<'a, R> {
    schema: &'a str,
    rmcp: &'a str,
    #[serde(flatten)]
    report: &'a R,
}

/// Writes a report as JSON.
pub fn write_json<R: Report>(out: &mut dyn Write, report: &R) -> Result<()> {
    let envelope = Envelope { schema: R::SCHEMA, rmcp: env!("CARGO_PKG_VERSION"), report };
    let text = serde_json::to_string_pretty(&envelope)?;
    Ok(writeln!(out, "{}", escape::escape_json(&text))?)
}

/// Standard output, without colours where they do not belong.
pub fn stdout() -> EscapingWriter<AutoStream<StdoutLock<'static>>> {
    EscapingWriter(AutoStream::auto(io::stdout().lock()))
}

/// The same of standard error.
pub fn stderr() -> EscapingWriter<AutoStream<StderrLock<'static>>> {
    EscapingWriter(AutoStream::auto(io::stderr().lock()))
}

/// Says what is wrong in the name of the command `who`. Nothing is left to tell where standard error is closed.
pub fn print_error(who: &str, message: impl Display) {
    let _ = writeln!(stderr(), "{who}: {message}");
}

/// Prints clap's own word on a command line, which may quote it.
pub fn print_usage(message: &clap::Error) {
    let plain = message.render().to_string();
    // A closed terminal is no reason to panic.
    let _ = match message.use_stderr() && plain.lines().any(|line| escape_line(line) != line) {
        true => write!(stderr(), "{plain}"),
        false => message.print(),
    };
}

/// Whether the error is that nobody reads on, as in `rmcp detect | head -1`.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

/// A text in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A table with a header, as wide as the terminal at most.
pub fn table<T: Display>(header: impl IntoIterator<Item = T>) -> Table {
    let mut table = plain_table();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(header.into_iter().map(|title| Cell::new(styled(STRONG, title))));
    table
}

/// Names and what belongs to each, in two columns. A line end in either is from outside, and shown.
pub fn fact_table<N: Display, T: Display>(indent: &str, facts: impl IntoIterator<Item = (N, T)>) -> String {
    let mut table = plain_table();
    table.add_rows(
        facts
            .into_iter()
            .map(|(name, text)| [format!("{indent}{name}"), text.to_string()].map(|text| text.replace('\n', "\\n"))),
    );
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table.trim_fmt()
}

/// A table without header and lines.
pub fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = terminal_width() {
        table.set_width(width);
    }
    table
}

/// Columns of the terminal that standard output is; None where it is none.
pub fn terminal_width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(size.ws_col).filter(|columns| *columns > 0)
}

/// A number of bytes for people: "6.0 GiB".
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut number = bytes as f64;
    let mut unit = None;
    for next in UNITS {
        if number < 1024.0 {
            break;
        }
        (number, unit) = (number / 1024.0, Some(next));
    }
    unit.map_or_else(|| format!("{bytes} B"), |unit| format!("{number:.1} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Cards {
        cards: u32,
    }

    impl Report for Cards {
        const SCHEMA: &'static str = "rmcp.cards/1";

        fn text(&self, out: &mut dyn Write) -> io::Result<()> {
            writeln!(out, "{} cards", self.cards)
        }
    }

    #[test]
    fn json_says_whose_it_is_before_what_it_holds() {
        let mut out = Vec::new();
        write_json(&mut out, &Cards { cards: 2 }).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!("{{\n  \"schema\": \"rmcp.cards/1\",\n  \"rmcp\": \"{version}\",\n  \"cards\": 2\n}}\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_reader_who_left_is_known_however_deep_the_error_lies() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&anyhow::Error::from(broken()).context("cannot print")));
        assert!(!is_closed_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }

    #[test]
    fn a_reader_who_left_is_known_in_json_too() {
        struct ClosedPipe;
        impl Write for ClosedPipe {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(is_closed_pipe(&write_json(&mut ClosedPipe, &Cards { cards: 1 }).unwrap_err()));
    }

    #[test]
    fn a_fact_is_one_line_whatever_its_value() {
        assert_eq!(fact_table("  ", [("prefix", "a\nb"), ("other\n", "c")]).lines().count(), 2);
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_of_which_there_is_one() {
        for (number, shown) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (6 << 30, "6.0 GiB"), (u64::MAX, "16384.0 PiB")]
        {
            assert_eq!(bytes(number), shown);
        }
    }

    #[test]
    fn a_coloured_cell_is_as_wide_as_its_text() {
        let mut plain = table(["a"]);
        plain.add_row(["word"]);
        let mut coloured = table(["a"]);
        coloured.add_row([styled(GOOD, "word")]);
        let strip = |table: &Table| anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(strip(&coloured), strip(&plain));
        assert_eq!(strip(&plain).lines().count(), 3);
    }
}
