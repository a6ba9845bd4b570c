//! The text of /etc/ld.so.preload.
//!
//! The loader takes blanks, tabs, line ends and colons as separators, and from # to the end of the line as a comment
//! (glibc, elf/rtld.c). What is not RMCP's stays as it is, byte for byte.

use std::ops::Range;
use std::path::Path;

/// The file name by which RMCP knows its own entries.
pub const GATE: &str = "librmcp.so";

/// Where the entries of a list stand, in order.
fn spans(list: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut line = 0;
    for text in list.split_inclusive(|&byte| byte == b'\n') {
        let code = text.split(|&byte| byte == b'#').next().unwrap_or_default();
        let mut at = line;
        for word in code.split(|byte| b" \t\n:".contains(byte)) {
            if !word.is_empty() {
                spans.push(at..at + word.len());
            }
            at += word.len() + 1;
        }
        line += text.len();
    }
    spans
}

/// The libraries that a list names.
pub fn entries(list: &[u8]) -> Vec<String> {
    spans(list).into_iter().map(|span| String::from_utf8_lossy(&list[span]).into_owned()).collect()
}

/// Whether an entry is RMCP's.
pub fn is_rmcp(entry: &str) -> bool {
    Path::new(entry).file_name().is_some_and(|name| name == GATE)
}

/// The list with `entry` as RMCP's only one, in a line of its own at the end.
pub fn with_entry(list: &[u8], entry: &str) -> Vec<u8> {
    if entries(list).iter().filter(|other| is_rmcp(other)).eq([entry]) {
        return list.into();
    }
    let mut new = without_entries(list);
    if new.last().is_some_and(|&last| last != b'\n') {
        new.push(b'\n');
    }
    new.extend_from_slice(entry.as_bytes());
    new.push(b'\n');
    new
}

/// The list without RMCP's entries. A line that held nothing else goes too.
pub fn without_entries(list: &[u8]) -> Vec<u8> {
    let ours = |span: &Range<usize>| is_rmcp(&String::from_utf8_lossy(&list[span.clone()]));
    let removed: Vec<_> = spans(list).into_iter().filter(ours).collect();
    let mut new = Vec::new();
    let mut start = 0;
    for line in list.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len();
        let cut: Vec<_> = removed.iter().filter(|span| (start..end).contains(&span.start)).collect();
        let rest: Vec<u8> =
            (start..end).filter(|at| !cut.iter().any(|span| span.contains(at))).map(|at| list[at]).collect();
        if cut.is_empty() || rest.iter().any(|byte| !b" \t\n:".contains(byte)) {
            new.extend(rest);
        }
        start = end;
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "/usr/lib/rmcp/system/1/$LIB/librmcp.so";

    #[test]
    fn entries_are_read_as_the_loader_reads_them() {
        let list = b"# /no.so\n/a.so:/b.so\t/c.so /d.so # /no.so /no.so\n\n \n/e.so";
        assert_eq!(entries(list), ["/a.so", "/b.so", "/c.so", "/d.so", "/e.so"]);
        assert!(entries(b"").is_empty());
    }

    #[test]
    fn an_entry_is_added_once_and_the_rest_stays() {
        for (before, after) in [
            ("", format!("{OURS}\n")),
            ("/a.so", format!("/a.so\n{OURS}\n")),
            ("# mine\n/a.so /b.so\n", format!("# mine\n/a.so /b.so\n{OURS}\n")),
            ("/old/librmcp.so\n/a.so\n", format!("/a.so\n{OURS}\n")),
            ("/old/librmcp.so:/a.so\n", format!(":/a.so\n{OURS}\n")),
        ] {
            let once = with_entry(before.as_bytes(), OURS);
            assert_eq!(String::from_utf8_lossy(&once), after, "{before:?}");
            assert_eq!(with_entry(&once, OURS), once, "{before:?}");
        }
    }

    #[test]
    fn adding_and_removing_gives_back_every_foreign_byte() {
        for foreign in ["", "/a.so\n", "# comment only", "\u{ff}\0 odd\n", "/a.so:/b.so # /usr/lib/librmcp.so\n\n"] {
            let ended = if foreign.is_empty() || foreign.ends_with('\n') { "" } else { "\n" };
            let expected = [foreign.as_bytes(), ended.as_bytes()].concat();
            assert_eq!(without_entries(&with_entry(foreign.as_bytes(), OURS)), expected, "{foreign:?}");
        }
    }

    #[test]
    fn only_the_file_name_makes_an_entry_ours() {
        let list = b"/opt/my-librmcp.so /librmcp.so.d/x.so librmcp.so /x/librmcp.so.1\n";
        assert_eq!(without_entries(list), b"/opt/my-librmcp.so /librmcp.so.d/x.so  /x/librmcp.so.1\n");
    }
}
