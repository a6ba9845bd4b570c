//! The report for people.

use super::report::{ChoiceRow, FunctionRow, TraceReport, TracedProcess};
use crate::output::{self, BAD, FAINT, GOOD, Report, STRONG, WARN, bytes, styled};
use std::io::{self, Write};

/// How many of the allocations that were never freed the text shows; the JSON has more.
const SHOWN: usize = 5;

/// The kinds of memory, in the order of [`KINDS`](super::report::KINDS).
pub const KIND_TITLES: [&str; 4] = ["VRAM", "pinned host", "managed", "registered host"];

impl Report for TraceReport {
    const SCHEMA: &'static str = "rmcp.trace/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", styled(STRONG, "rmcp trace"), output::escape_line(self.command.join(" ")))?;
        writeln!(out, "{}, {}", duration(self.duration), self.ending())?;
        if !self.is_empty() {
            self.processes(out)?;
            self.memory(out)?;
            self.function_table(out, "Calls", &self.calls)?;
            self.choices(out)?;
        }
        if !self.runtime_calls.is_empty() {
            self.function_table(out, "The runtime's calls of HSA, for these and for itself", &self.runtime_calls)?;
        }
        self.never_freed(out)?;
        self.running(out)?;
        if !self.notes.is_empty() {
            writeln!(out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "{}", styled(WARN, note)))
    }
}

impl TraceReport {
    /// How it ended, and whether all of it is here.
    pub fn ending(&self) -> String {
        let ending = match (self.exit_status, self.signal) {
            (Some(status), _) => format!("exit status {status}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".into(),
        };
        if self.incomplete { ending + "; incomplete" } else { ending }
    }

    fn processes(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = output::table(["process", "program", "GPUs", "RMCP", "recorded calls"]);
        for ran in &self.processes {
            table.add_row([
                ran.pid.to_string(),
                output::escape_line(ran.command_line()),
                ran.gpus.clone(),
                ran.state(),
                grouped(ran.calls),
            ]);
        }
        writeln!(out, "\n{table}")
    }

    fn memory(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.memory.iter().all(|memory| memory.allocated == 0) {
            return Ok(());
        }
        let mut table = output::table(["memory", "peak", "at", "allocated", "never freed"]);
        for (memory, title) in self.memory.iter().zip(KIND_TITLES).filter(|(memory, _)| memory.allocated > 0) {
            let never_freed_cell = left(memory.never_freed, bytes(memory.never_freed));
            table.add_row([
                title.into(),
                styled(STRONG, bytes(memory.peak)),
                duration(memory.peak_at),
                bytes(memory.allocated),
                never_freed_cell,
            ]);
        }
        for device in self.devices.iter().filter(|_| self.devices.len() > 1) {
            let title = format!("  {} of device {}", KIND_TITLES[0], device.device);
            table.add_row([title, bytes(device.peak), String::new(), bytes(device.allocated), String::new()]);
        }
        writeln!(out, "\n{table}")
    }

    fn function_table(&self, out: &mut dyn Write, title: &str, calls: &[FunctionRow]) -> io::Result<()> {
        let mut table = output::table([
            "function",
            "calls",
            "failed",
            "bytes",
            "peak",
            "never freed",
            "lived: least, median, most",
        ]);
        for call in calls {
            let nothing = String::new;
            let allocates = call.effect == "allocates";
            table.add_row([
                call.function.into(),
                grouped(call.calls),
                if call.failures == 0 { nothing() } else { styled(BAD, call.error_counts()) },
                if call.bytes == 0 { nothing() } else { bytes(call.bytes) },
                if allocates { bytes(call.peak) } else { nothing() },
                if allocates { left(call.never_freed, grouped(call.never_freed)) } else { nothing() },
                call.lifetime.as_ref().map_or_else(nothing, |lifetime| {
                    [lifetime.least, lifetime.median, lifetime.greatest].map(duration).join(", ")
                }),
            ]);
        }
        writeln!(out, "\n{}\n{table}", styled(STRONG, title))
    }

    fn choices(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.choices.is_empty() {
            return Ok(());
        }
        let mut table = output::table(["function", "asked for", "given", "calls", "bytes"]);
        for choice in &self.choices {
            let [requested, passed] = choice.requested_and_passed();
            let style = if choice.is_changed() { GOOD } else { FAINT };
            table.add_row([
                choice.function.into(),
                requested,
                styled(style, passed),
                grouped(choice.calls),
                bytes(choice.bytes),
            ]);
        }
        writeln!(out, "\n{}\n{table}", styled(STRONG, "Asked for and given"))
    }

    fn never_freed(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.never_freed.is_empty() {
            return Ok(());
        }
        let all: u64 = self.calls.iter().map(|call| call.never_freed).sum();
        let of =
            if all as usize > SHOWN { format!(", the largest {SHOWN} of {}", grouped(all)) } else { String::new() };
        let mut table = output::table(["function", "bytes", "address", "allocated at", "process", "thread"]);
        for one in self.never_freed.iter().take(SHOWN) {
            table.add_row([
                one.function.into(),
                bytes(one.bytes),
                one.address.clone(),
                duration(one.at),
                one.pid.to_string(),
                one.thread.to_string(),
            ]);
        }
        writeln!(out, "\n{}{of}\n{table}", styled(STRONG, "Never freed"))
    }

    fn running(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.running.is_empty() {
            return Ok(());
        }
        let mut table = output::table(["function", "bytes", "began at", "process", "thread"]);
        for one in &self.running {
            let size = if one.bytes == 0 { String::new() } else { bytes(one.bytes) };
            table.add_row([one.function.into(), size, duration(one.at), one.pid.to_string(), one.thread.to_string()]);
        }
        writeln!(out, "\n{}\n{table}", styled(STRONG, "Did not return"))
    }
}

impl TracedProcess {
    /// What RMCP did in it.
    pub fn state(&self) -> String {
        let incomplete = if self.incomplete { ", incomplete" } else { "" };
        format!("{}{incomplete}", self.inactive.as_deref().unwrap_or("active"))
    }

    /// How it was called, as far as it fits.
    pub fn command_line(&self) -> String {
        const LENGTH: usize = 60;
        let words = self.arguments.join(" ");
        match words.char_indices().nth(LENGTH) {
            Some((end, _)) => format!("{}...", &words[..end]),
            None => words,
        }
    }
}

impl FunctionRow {
    /// How often it failed, and how.
    pub fn error_counts(&self) -> String {
        let errors = self.errors.iter().map(|error| match error.name {
            Some(name) => format!("{} {name}", grouped(error.times)),
            None => format!("{} error {}", grouped(error.times), error.code),
        });
        errors.collect::<Vec<_>>().join(", ")
    }
}

impl ChoiceRow {
    /// What was asked for and given, with the kind of memory that each means.
    pub fn requested_and_passed(&self) -> [String; 2] {
        let word = |text: &str, coherent| match coherent {
            Some(true) => format!("{text} (coherent)"),
            Some(false) => format!("{text} (non-coherent)"),
            None => text.to_owned(),
        };
        let passed = match self.outcome {
            "as-asked" => "as asked".into(),
            "kept" => self.passed.clone(),
            _ => word(&self.passed, self.passed_coherent),
        };
        [word(&self.requested, self.requested_coherent), passed]
    }

    /// Whether RMCP gave something else.
    pub fn is_changed(&self) -> bool {
        !matches!(self.outcome, "as-asked" | "kept")
    }
}

/// What was never freed, in a colour if there is any.
fn left(amount: u64, shown: String) -> String {
    if amount == 0 { styled(FAINT, shown) } else { styled(WARN, shown) }
}

/// "1,234,567".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A time in the largest unit of which there is one: "1.50 ms".
pub fn duration(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us")];
    match UNITS.iter().find(|(unit, _)| ns >= *unit) {
        Some((unit, name)) => format!("{:.2} {name}", ns as f64 / *unit as f64),
        None => format!("{ns} ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }

    #[test]
    fn times_are_in_the_largest_unit_of_which_there_is_one() {
        for (ns, shown) in
            [(0, "0 ns"), (999, "999 ns"), (1500, "1.50 us"), (2_000_000, "2.00 ms"), (61_500_000_000, "61.50 s")]
        {
            assert_eq!(duration(ns), shown);
        }
    }
}
