//! How many lines of each file were run, from LLVM's report in the format of lcov.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

/// Lines with code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    covered: u32,
    all: u32,
}

impl Count {
    fn percent(self) -> f64 {
        100.0 * f64::from(self.covered) / f64::from(self.all.max(1))
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.covered += other.covered;
        self.all += other.all;
    }
}

/// The lines of each file, by its path in the repository.
pub struct Lines(BTreeMap<PathBuf, Count>);

impl Lines {
    /// Reads a report on files below `root`, without those of tests, and without modules of tests within files.
    ///
    /// # Errors
    /// When a file cannot be read, or a line is none of a report.
    pub fn read(lcov: &str, root: &Path) -> Result<Lines> {
        let mut files = BTreeMap::new();
        let mut file = None;
        for line in lcov.lines() {
            if let Some(path) = line.strip_prefix("SF:") {
                file = Path::new(path).strip_prefix(root).ok().filter(|path| counts(path)).map(Path::to_owned);
                if let Some(path) = &file {
                    let source = fs::read_to_string(root.join(path)).with_context(|| path.display().to_string())?;
                    files.insert(path.clone(), (Count::default(), product(&source)));
                }
            }
            let (Some(data), Some(path)) = (line.strip_prefix("DA:"), &file) else { continue };
            let (number, count) = data.split_once(',').with_context(|| format!("no line of lcov: {line}"))?;
            let (lines, last) = files.get_mut(path).context("a line belongs to a file")?;
            if number.parse::<usize>()? <= *last {
                *lines += Count { covered: u32::from(count != "0"), all: 1 };
            }
        }
        Ok(Lines(
            files.into_iter().map(|(path, (lines, _))| (path, lines)).filter(|(_, lines)| lines.all > 0).collect(),
        ))
    }

    /// A table of the crates, one of the files, and one of the files below `low` percent.
    pub fn tables(&self, low: f64) -> String {
        let mut crates = BTreeMap::<PathBuf, Count>::new();
        let mut total = Count::default();
        for (path, count) in &self.0 {
            *crates.entry(path.components().take(2).collect()).or_default() += *count;
            total += *count;
        }
        let lowest = self.0.iter().filter(|(_, count)| count.percent() < low);
        let mut text = String::new();
        table(&mut text, "file", &self.0);
        table(&mut text, "crate", crates.iter().chain([(&"src and emulator".into(), &total)]));
        table(&mut text, &format!("below {low} %"), lowest);
        text
    }
}

/// Whether a file is the product's.
fn counts(path: &Path) -> bool {
    const OTHERS: [&str; 4] = ["tests", "benches", "tests.rs", "build.rs"];
    !path.iter().any(|part| OTHERS.iter().any(|other| part == *other))
}

/// The last line before a module of tests at the file's end.
fn product(source: &str) -> usize {
    let lines: Vec<_> = source.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with(" {"));
    tests.unwrap_or(lines.len())
}

fn table<'a>(text: &mut String, head: &str, rows: impl IntoIterator<Item = (&'a PathBuf, &'a Count)>) {
    let _ = writeln!(text, "\n| {head} | lines | covered |\n|---|---:|---:|");
    for (path, count) in rows {
        let _ = writeln!(text, "| {} | {} | {:.1} % |", path.display(), count.all, count.percent());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The repository's files with these texts, and a report.
    fn lines(files: &[(&str, &str)], report: &str) -> Lines {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Lines::read(&report.replace("SF:", &format!("SF:{}/", root.path().display())), root.path()).unwrap()
    }

    #[test]
    fn a_file_below_the_limit_is_listed_and_every_line_is_in_the_sum_of_its_crate() {
        let report = "SF:src/abi/a.rs\nDA:1,3\nDA:2,0\nend_of_record\nSF:src/abi/b.rs\nDA:1,1\nDA:2,1\nend_of_record\n";
        let tables = lines(&[("src/abi/a.rs", "a\nb\n"), ("src/abi/b.rs", "a\nb\n")], report).tables(60.0);
        let (files, rest) = tables.split_once("| crate |").unwrap();
        let (crates, low) = rest.split_once("| below 60 % |").unwrap();
        assert!(files.contains("| src/abi/a.rs | 2 | 50.0 % |\n| src/abi/b.rs | 2 | 100.0 % |\n"), "{files}");
        assert!(crates.contains("| src/abi | 4 | 75.0 % |\n| src and emulator | 4 | 75.0 % |\n"), "{crates}");
        assert!(low.contains("a.rs") && !low.contains("b.rs"), "{low}");
    }

    #[test]
    fn tests_are_not_counted() {
        let source = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let report = "SF:src/abi/a.rs\nDA:1,0\nDA:5,9\nend_of_record\nSF:src/abi/tests/b.rs\nDA:1,9\nend_of_record\n";
        let Lines(files) = lines(&[("src/abi/a.rs", source), ("src/abi/tests/b.rs", "")], report);
        assert_eq!(files, BTreeMap::from([("src/abi/a.rs".into(), Count { covered: 0, all: 1 })]));
    }
}
