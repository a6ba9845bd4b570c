//! A generated page of docs/ as a man page: headings, paragraphs, lists and blocks of code are all that such a page has.

use super::title;
use anyhow::Result;
use clap_mangen::roff::{Inline, bold, roman};

/// The man page of a page of docs/.
pub fn page(name: &str, section: u8, what: &str, markdown: &str) -> Result<Vec<u8>> {
    let mut roff = title(name, section);
    roff.control("SH", ["NAME"]).text([roman(format!("{name} - {what}"))]);
    roff.control("SH", ["DESCRIPTION"]);
    let mut code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            code = !code;
            let controls = if code { ["PP", "RS 4", "nf"] } else { ["fi", "RE", "PP"] };
            controls.into_iter().for_each(|control| _ = roff.control(control, []));
        } else if code {
            roff.text([roman(line)]);
        } else if let Some(heading) = line.strip_prefix("## ") {
            roff.control("SH", [heading]);
        } else if let Some(item) = line.strip_prefix("- ") {
            roff.control("IP", ["\\(bu", "2"]).text(inline(item));
        } else if let Some((number, item)) = numbered(line) {
            roff.control("IP", [&format!("{number}."), "4"]).text(inline(item));
        } else if line.is_empty() {
            roff.control("PP", []);
        } else if !line.starts_with("# ") && !line.starts_with("<!--") {
            roff.text(inline(line));
        }
    }
    let mut page = Vec::new();
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// The number and the text of an item of a numbered list.
fn numbered(line: &str) -> Option<(&str, &str)> {
    line.split_once(". ").filter(|(number, _)| number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Bold for what stands between backticks; links without their addresses.
fn inline(line: &str) -> Vec<Inline> {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        let (ahead, name) = before.rsplit_once('[').unwrap_or(("", before));
        text.extend([ahead, name]);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text += rest;
    let part = |(place, part): (usize, &str)| if place % 2 == 1 { bold(part) } else { roman(part) };
    text.split('`').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_of_docs_has_becomes_what_a_man_page_has() {
        let markdown = "# Options\n\nThe `[a]` of [every one](all.md), then:\n\n1. first;\n2. last.\n\n```toml\na = 1\n```\n\n## a\n\n- `b`: c.\n";
        let page = String::from_utf8(page("x", 5, "what it is", markdown).unwrap()).unwrap();
        let (_, body) = page.split_once(".SH DESCRIPTION\n").unwrap();
        let expected = "\
            .PP\nThe \\fB[a]\\fR of every one, then:\n.PP\n.IP 1. 4\nfirst;\n.IP 2. 4\nlast.\n.PP\n\
            .PP\n.RS 4\n.nf\na = 1\n.fi\n.RE\n.PP\n.PP\n.SH a\n.PP\n.IP \\(bu 2\n\\fBb\\fR: c.\n";
        assert_eq!(body, expected);
    }
}
