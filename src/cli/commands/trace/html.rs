//! The report as a page: one file that needs nothing else.

use super::report::{ChoiceRow, FunctionRow, TraceReport};
use super::text::{KIND_TITLES, duration, grouped};
use crate::output::bytes;
use std::fmt::{Display, Write};

/// Rows of the tables that grow with the program.
const ROWS: usize = 50;

/// The page.
pub fn page(traced: &TraceReport) -> String {
    let command = Escaped(&traced.command.join(" "));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>rmcp trace: {command}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <h1>rmcp trace: <code>{command}</code></h1>\n<p class=\"faint\">{}, {}; RMCP {}</p>\n",
        include_str!("page.css"),
        duration(traced.duration),
        Escaped(&traced.ending()),
        env!("CARGO_PKG_VERSION"),
    );
    if !traced.notes.is_empty() {
        let notes: Vec<_> = traced.notes.iter().map(|note| format!("<p>{}</p>", Escaped(note))).collect();
        page += &format!("<div class=\"notes\" role=\"note\">{}</div>\n", notes.join("\n"));
    }
    if !traced.is_empty() {
        tiles(&mut page, traced);
        plots(&mut page, traced);
        choice_table(&mut page, &traced.choices);
        function_table(&mut page, "Calls", &traced.calls);
        never_freed(&mut page, traced);
    }
    running(&mut page, traced);
    if !traced.runtime_calls.is_empty() {
        function_table(&mut page, "The runtime's calls of HSA, for these and for itself", &traced.runtime_calls);
    }
    processes(&mut page, traced);
    page + "</body>\n</html>\n"
}

/// Text between tags and in attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            other => f.write_char(other),
        })
    }
}

/// Adds to the page; a String takes everything.
macro_rules! add {
    ($page:expr, $($format:tt)*) => { let _ = writeln!($page, $($format)*); };
}

fn tiles(page: &mut String, traced: &TraceReport) {
    add!(page, "<dl class=\"tiles\">");
    let mut tile = |title: &str, value: String, more: String| {
        add!(page, "<div><dt>{title}</dt><dd>{value}<small>{more}</small></dd></div>");
    };
    for (memory, title) in traced.memory.iter().zip(KIND_TITLES).filter(|(memory, _)| memory.allocated > 0) {
        let more = format!("at {}<br>{} in all", duration(memory.peak_at), bytes(memory.allocated));
        tile(&format!("Peak, {title}"), bytes(memory.peak), more);
    }
    let sum = |what: fn(&FunctionRow) -> u64| traced.calls.iter().map(what).sum::<u64>();
    let failures = match sum(|call| call.failures) {
        0 => "none failed".into(),
        failures => format!("<span class=\"failed\">{} failed</span>", grouped(failures)),
    };
    tile("Calls", grouped(sum(|call| call.calls)), failures);
    let changed: u64 = traced.choices.iter().filter(|choice| choice.is_changed()).map(|choice| choice.calls).sum();
    tile("Changed by RMCP", grouped(changed), "calls".into());
    let left = traced.memory.iter().map(|memory| memory.never_freed).sum();
    tile("Never freed", grouped(sum(|call| call.never_freed)), bytes(left));
    add!(page, "</dl>");
}

fn plots(page: &mut String, traced: &TraceReport) {
    let timeline = &traced.timeline;
    let lines = [&timeline.vram, &timeline.pinned, &timeline.managed, &timeline.registered];
    let kinds = traced.memory.iter().zip(KIND_TITLES).zip(lines).filter(|((memory, _), _)| memory.allocated > 0);
    let kinds: Vec<_> = kinds.map(|((memory, title), steps)| (memory, title, steps)).collect();
    let Some((_, _, steps)) = kinds.first() else { return };
    let whole = timeline.step * steps.len() as u64;
    add!(page, "<h2>Memory over time</h2>");
    for (memory, title, steps) in &kinds {
        let grid = Grid::bytes(memory.peak);
        let height = |amount: u64| 100.0 - 100.0 * amount as f64 / grid.top as f64;
        let peak = format!("peak {} at {}", bytes(memory.peak), duration(memory.peak_at));
        add!(page, "<figure><figcaption><b>{title}</b><output>{peak}</output></figcaption>");
        add!(page, "<div class=\"plot\" tabindex=\"0\" data-kind=\"{}\">", memory.kind);
        for line in grid.lines() {
            add!(
                page,
                "<div class=\"grid\" style=\"top:{:.3}%\"><span>{}</span></div>",
                height(line),
                bytes_short(line)
            );
        }
        // Flat stretches are one stroke.
        let mut edge = String::new();
        for (index, amount) in steps.iter().enumerate() {
            if index == 0 {
                let _ = write!(edge, "M0 {:.2}", height(*amount));
            } else if *amount != steps[index - 1] {
                let _ = write!(edge, "H{index}V{:.2}", height(*amount));
            }
        }
        let _ = write!(edge, "H{}", steps.len());
        add!(
            page,
            "<svg viewBox=\"0 0 {} 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title} over {}: {peak}\">\
             <path class=\"area\" d=\"{edge}V100H0Z\"/><path class=\"edge\" d=\"{edge}\"/></svg>",
            steps.len(),
            duration(whole),
        );
        let (left, bottom) = (100.0 * memory.peak_at as f64 / whole as f64, 100.0 - height(memory.peak));
        add!(page, "<span class=\"peak\" style=\"left:{left:.3}%;bottom:{bottom:.3}%\"></span>");
        add!(page, "<span class=\"cursor\"></span></div></figure>");
    }
    let grid = Grid::time(whole);
    add!(page, "<div class=\"axis\">");
    for line in grid.lines().filter(|line| *line <= whole) {
        let left = 100.0 * line as f64 / whole as f64;
        add!(page, "<span style=\"left:{left:.3}%\">{}</span>", time_short(line));
    }
    add!(page, "</div>");
    add!(
        page,
        "<p class=\"faint\">Each of {} steps of {} shows the most that there was in it.</p>",
        steps.len(),
        duration(timeline.step)
    );
    let data: Vec<_> = kinds.iter().map(|(memory, _, steps)| format!("{}: {steps:?}", memory.kind)).collect();
    let script = include_str!("page.js");
    add!(page, "<script>\nconst width = {}, steps = {{ {} }};\n{script}</script>", timeline.step, data.join(", "));
}

/// Lines at round numbers.
struct Grid {
    step: u64,
    top: u64,
}

impl Grid {
    /// At most five lines up to `most`, at round numbers of bytes.
    fn bytes(most: u64) -> Self {
        let most = most.max(1);
        let unit = 1u64 << (most.ilog2() / 10 * 10);
        Self::round(most, unit, 4)
    }

    fn time(most: u64) -> Self {
        Self::round(most.max(1), 1, 8)
    }

    /// Steps of 1, 2 or 5 times a power of ten units, so that there are at most `lines`.
    fn round(most: u64, unit: u64, lines: u64) -> Self {
        let mut tens = 1u64;
        loop {
            for step in [1, 2, 5].map(|digit| tens.saturating_mul(digit).saturating_mul(unit)) {
                if most.div_ceil(step) <= lines {
                    return Self { step, top: most.div_ceil(step) * step };
                }
            }
            tens = tens.saturating_mul(10);
        }
    }

    fn lines(&self) -> impl Iterator<Item = u64> {
        (0..=self.top).step_by(self.step as usize)
    }
}

/// Round numbers need no decimals.
fn bytes_short(number: u64) -> String {
    bytes(number).replace(".0 ", " ")
}

fn time_short(ns: u64) -> String {
    let shown = duration(ns);
    let Some((number, unit)) = shown.split_once(' ').filter(|(number, _)| number.contains('.')) else {
        return if ns == 0 { "0".into() } else { shown };
    };
    format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

fn choice_table(page: &mut String, choices: &[ChoiceRow]) {
    if choices.is_empty() {
        return;
    }
    add!(page, "<h2>Asked for and given</h2>");
    add!(
        page,
        "<div class=\"key\"><span class=\"changed\"><i></i>changed by RMCP</span><span><i></i>as asked</span>\
         <span class=\"refused\"><i></i>refused by RMCP</span></div>"
    );
    table(page, &["function", "asked for", "given", "#calls", "#failed", "#bytes", "calls to scale"]);
    let most = choices.iter().map(|choice| choice.calls).max().unwrap_or(1).max(1);
    for choice in choices.iter().take(ROWS) {
        let [asked, given] = choice.requested_and_passed();
        let class = match choice.outcome {
            "as-asked" | "kept" => "",
            "refused" => "refused",
            _ => "changed",
        };
        add!(
            page,
            "<tr class=\"{class}\"><td><code>{}</code></td><td class=\"long\">{}</td><td class=\"long given\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"track\"><span class=\"bar\" style=\"width:{:.1}%\"></span></td></tr>",
            choice.function,
            Escaped(&asked),
            Escaped(&given),
            grouped(choice.calls),
            non_zero(choice.failures, grouped),
            non_zero(choice.bytes, bytes),
            100.0 * choice.calls as f64 / most as f64,
        );
    }
    end_table(page, choices.len());
}

fn function_table(page: &mut String, title: &str, calls: &[FunctionRow]) {
    add!(page, "<h2>{title}</h2>");
    table(
        page,
        &["function", "#calls", "failed", "#bytes", "#peak", "#never freed", "#lived least", "#median", "#most"],
    );
    for call in calls {
        let allocates = call.effect == "allocates";
        let lived = call.lifetime.as_ref();
        let lived =
            lived.map_or_else(Default::default, |lived| [lived.least, lived.median, lived.greatest].map(duration));
        let left = if call.never_freed == 0 {
            String::new()
        } else {
            format!("{} ({})", grouped(call.never_freed), bytes(call.never_freed_bytes))
        };
        let failed = if call.failures == 0 { String::new() } else { call.error_counts() };
        add!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td class=\"failed\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{left}</td><td class=\"n\">{}</td></tr>",
            call.function,
            grouped(call.calls),
            Escaped(&failed),
            non_zero(call.bytes, bytes),
            if allocates { bytes(call.peak) } else { String::new() },
            lived.join("</td><td class=\"n\">"),
        );
    }
    end_table(page, 0);
}

fn never_freed(page: &mut String, traced: &TraceReport) {
    if traced.never_freed.is_empty() {
        return;
    }
    add!(page, "<h2>Never freed: the largest</h2>");
    table(page, &["function", "#bytes", "address", "#allocated at", "#process", "#thread"]);
    for one in &traced.never_freed {
        add!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td><code>{}</code></td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            one.function,
            bytes(one.bytes),
            one.address,
            duration(one.at),
            one.pid,
            one.thread,
        );
    }
    end_table(page, 0);
}

fn running(page: &mut String, traced: &TraceReport) {
    if traced.running.is_empty() {
        return;
    }
    add!(page, "<h2>Did not return</h2>");
    table(page, &["function", "#bytes", "#began at", "#process", "#thread"]);
    for one in traced.running.iter().take(ROWS) {
        add!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            one.function,
            non_zero(one.bytes, bytes),
            duration(one.at),
            one.pid,
            one.thread,
        );
    }
    end_table(page, traced.running.len());
}

fn processes(page: &mut String, traced: &TraceReport) {
    if traced.processes.is_empty() {
        return;
    }
    add!(page, "<h2>Processes</h2>");
    table(page, &["#process", "#parent", "program", "GPUs", "RMCP", "#recorded calls", "#first call", "#ended"]);
    for ran in traced.processes.iter().take(ROWS) {
        add!(
            page,
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"long\"><code>{}</code></td><td>{}</td>\
             <td class=\"long\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            ran.pid,
            ran.parent,
            Escaped(&ran.arguments.join(" ")),
            Escaped(&ran.gpus),
            Escaped(&ran.state()),
            grouped(ran.calls),
            duration(ran.began),
            ran.ended.map_or_else(|| "ran on".into(), duration),
        );
    }
    end_table(page, traced.processes.len());
}

/// A table's head. A name that begins with # is that of a column of numbers.
fn table(page: &mut String, columns: &[&str]) {
    let head = columns.iter().map(|column| match column.strip_prefix('#') {
        Some(column) => format!("<th class=\"n\" scope=\"col\">{column}</th>"),
        None => format!("<th scope=\"col\">{column}</th>"),
    });
    add!(page, "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>", head.collect::<String>());
}

/// Its end, and how many rows it would have had beyond [`ROWS`].
fn end_table(page: &mut String, rows: usize) {
    add!(page, "</tbody></table></div>");
    if rows > ROWS {
        add!(page, "<p class=\"faint\">{} more are in the JSON.</p>", grouped((rows - ROWS) as u64));
    }
}

/// Nothing in place of 0.
fn non_zero(number: u64, show: fn(u64) -> String) -> String {
    if number == 0 { String::new() } else { show(number) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::trace::report::Ending;
    use crate::trace::replay::Replay;

    #[test]
    fn what_a_program_is_called_does_not_become_part_of_the_page() {
        let ending = Ending {
            command: vec!["<script>alert(\"a&b\")</script>".into()],
            exit_status: Some(0),
            signal: None,
            clock: (1, 2),
            started: 0,
            ends: Vec::new(),
            obstacle: None,
            inactive: None,
        };
        let page = page(&TraceReport::new(ending, &[], Replay::default()));
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;alert(&quot;a&amp;b&quot;)&lt;/script&gt;").count(), 2);
    }

    #[test]
    fn lines_are_at_few_round_numbers_and_the_last_is_no_lower_than_the_peak() {
        for (most, step) in [(1, 1), (5, 2), (1 << 20, 1 << 20), (832 << 20, 500 << 20), (3 << 30, 1 << 30)] {
            let grid = Grid::bytes(most);
            assert_eq!(grid.step, step, "{most}");
            assert!(grid.top >= most && grid.lines().count() <= 5, "{most}");
        }
        for most in [1, u64::from(u32::MAX), 1 << 62] {
            assert!(Grid::bytes(most).top >= most && Grid::time(most).lines().count() <= 9, "{most}");
        }
    }
}
