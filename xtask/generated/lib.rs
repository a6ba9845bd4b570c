//! Texts of the repository that come from code or from what tests observe: pages, tables, schemas, the C header.
//!
//! A test checks each. Under `WRITE_GENERATED=1`, which `cargo xtask generate` sets, the same check writes it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Panics where the file at `path`, from the repository's root, has another text; writes it where `WRITE_GENERATED` is set.
#[track_caller]
pub fn check(path: &str, text: &str) {
    if let Err(why) = check_file(&file(path), text, env::var_os("WRITE_GENERATED").is_some()) {
        panic!("{path}: {why}");
    }
}

/// As [`check`], for what stands below the line of a page that begins with `<!-- Generated`. Above it is prose.
#[track_caller]
pub fn check_below(path: &str, text: &str) {
    let page = fs::read_to_string(file(path)).unwrap_or_default();
    let prose = prose(&page).unwrap_or_else(|| panic!("{path} has no line that begins with {MARK}"));
    check(path, &format!("{prose}{text}"));
}

const MARK: &str = "<!-- Generated";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The page to the end of its mark.
fn prose(page: &str) -> Option<&str> {
    let mark = if page.starts_with(MARK) { 0 } else { page.find(&format!("\n{MARK}"))? + 1 };
    let end = page[mark..].find('\n')? + 1;
    Some(&page[..mark + end])
}

fn check_file(file: &Path, text: &str, write: bool) -> Result<(), String> {
    let old = fs::read_to_string(file).unwrap_or_default();
    if old == text {
        return Ok(());
    }
    if write {
        let folder = file.parent().unwrap_or(file);
        return fs::create_dir_all(folder).and_then(|()| fs::write(file, text)).map_err(|why| why.to_string());
    }
    let number = old.lines().zip(text.lines()).take_while(|(old, new)| old == new).count();
    let line = |text: &str| text.lines().nth(number).unwrap_or("the end").to_owned();
    Err(format!(
        "line {} is\n{}\nand should be\n{}\n`cargo xtask generate` writes it, with --observed what tests observe",
        number + 1,
        line(&old),
        line(text)
    ))
}

/// A table of Markdown. A `|` in a cell stays one.
pub fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let line = |cells: [String; COLUMNS]| format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    let rows: String = rows.into_iter().map(line).collect();
    format!("{}|{}\n{rows}", line(head.map(str::to_owned)), "---|".repeat(COLUMNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_out_of_date_is_named_with_its_line_and_written_when_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("new/page.md");
        let missing = check_file(&file, "a\n", false).expect_err("there is no such file");
        assert!(missing.starts_with("line 1 is\nthe end\nand should be\na\n"), "{missing}");
        check_file(&file, "a\nb\n", true).expect("it can be written");
        check_file(&file, "a\nb\n", false).expect("it is as it was written");
        let other = check_file(&file, "a\nc\n", false).expect_err("the second line differs");
        assert!(other.starts_with("line 2 is\nb\nand should be\nc\n"), "{other}");
        let shorter = check_file(&file, "a\n", false).expect_err("a line is too many");
        assert!(shorter.starts_with("line 2 is\nb\nand should be\nthe end\n"), "{shorter}");
    }

    #[test]
    fn the_prose_of_a_page_ends_with_its_mark() {
        let page = "# A\n\nText.\n<!-- Generated below -->\n\n## B\n";
        assert_eq!(prose(page), Some("# A\n\nText.\n<!-- Generated below -->\n"));
        assert_eq!(prose("<!-- Generated -->\nB\n"), Some("<!-- Generated -->\n"));
        assert_eq!(prose("# A\n"), None);
    }

    #[test]
    fn a_table_has_a_line_for_each_row_and_its_cells_stay_whole() {
        let table = table(["call", "flags"], [["`a`".to_owned(), "x|y".to_owned()]]);
        assert_eq!(table, "| call | flags |\n|---|---|\n| `a` | x\\|y |\n");
    }
}
