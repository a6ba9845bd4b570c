//! The .deb, by cargo-deb.

use super::root::Root;
use super::{VERSION, maintainer, manifest, texts, time};
use crate::changelog;
use crate::run::{program, root as repository, stdout_of};
use crate::tools::CARGO_DEB;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// Makes it in the folder `packages`.
pub fn make(dist: &Path, scratch: &Path, packages: &Path) -> Result<()> {
    let root = Root::of_distribution(scratch.join("root"), dist)?;
    // The loader looks there for a name without a folder: LD_PRELOAD=librmcp.so.
    root.link("usr/lib/x86_64-linux-gnu/librmcp.so", "../rmcp/librmcp.so")?;
    root.rename("usr/share/doc/rmcp/LICENSE", "usr/share/doc/rmcp/copyright")?;
    // Debian's zsh looks for packages' completions there, and in site-functions below /usr/local alone.
    root.rename("usr/share/zsh/site-functions", "usr/share/zsh/vendor-completions")?;
    root.text("debian/lintian-overrides", "usr/share/lintian/overrides/rmcp")?;

    let asset = |file: PathBuf| {
        let mut asset = Table::new();
        asset.insert(
            "source".into(),
            root.path(&file).to_str().context("the target folder has a name in UTF-8")?.into(),
        );
        asset.insert("dest".into(), file.to_str().context("the files have names in ASCII")?.into());
        asset.insert("mode".into(), root.mode(&file)?.into());
        Ok(Value::from(asset))
    };
    let assets = root.files()?.into_iter().map(asset).collect::<Result<Vec<_>>>()?;
    let manifest = manifest(scratch, "deb", assets)?;
    fs::write(scratch.join("changelog"), debian_changelog()?)?;
    program("cp").arg("--recursive").arg(texts().join("debian")).arg(scratch).run()?;
    program(CARGO_DEB.program()?)
        .args(["deb", "--no-build", "--no-strip", "--offline", "--manifest-path"])
        .arg(&manifest)
        .arg("--output")
        .arg(packages.join(format!("rmcp_{VERSION}-1_amd64.deb")))
        .env("SOURCE_DATE_EPOCH", time()?)
        .run()
}

/// CHANGELOG.md's section of this version in Debian's form. (deb-changelog(5))
fn debian_changelog() -> Result<String> {
    let changes = fs::read_to_string(repository().join("CHANGELOG.md")).context("CHANGELOG.md")?;
    let section = changelog::section(&changes, VERSION)?;
    let day = section.date.map_or_else(|| time().map(|time| format!("@{time}")), |date| Ok(date.to_owned()))?;
    let date = stdout_of(Command::new("date").args(["--utc", "--rfc-email", "--date", &day]))?;
    let entries = entries(section.text);
    Ok(format!("rmcp ({VERSION}-1) unstable; urgency=medium\n\n{entries}\n -- {}  {date}", maintainer()?))
}

/// The items of a section, each a paragraph of lines that are not too long; headings and what introduces them go.
fn entries(section: &str) -> String {
    const WIDTH: usize = 78;
    let mut text = String::new();
    for item in format!("\n{section}").split("\n- ").skip(1) {
        let item = item.split("\n\n").next().unwrap_or_default();
        let mut line = String::from("  *");
        for word in item.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                text += &format!("{line}\n");
                line = String::from("   ");
            }
            line += &format!(" {word}");
        }
        text += &format!("{line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_of_the_changelog_become_debians() {
        let long = "word ".repeat(20);
        let section = format!("Of it all.\n\n### Added\n\n- One\n  thing.\n- {long}\n\n### Fixed\n\n- Another.\n");
        let lines: Vec<_> = entries(&section).lines().map(str::to_owned).collect();
        let words = |count| vec!["word"; count].join(" ");
        let expected = ["  * One thing.", &format!("  * {}", words(15)), &format!("    {}", words(5)), "  * Another."];
        assert_eq!(lines, expected);
    }
}
