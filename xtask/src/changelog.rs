//! The sections of CHANGELOG.md.

use anyhow::{Context, Result};

/// What a version brings.
#[derive(Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The day of its release, YYYY-MM-DD; None until it has one.
    pub date: Option<&'a str>,
    /// Everything below its heading.
    pub text: &'a str,
}

/// The section of a version.
///
/// # Errors
/// Where there is none.
pub fn section<'a>(changelog: &'a str, version: &str) -> Result<Section<'a>> {
    let heading = format!("## [{version}]");
    let (_, found) = changelog.split_once(&format!("\n{heading}")).with_context(|| {
        format!("CHANGELOG.md has no section {heading:?}: write it, or change the version in Cargo.toml")
    })?;
    let (rest, below) = found.split_once('\n').unwrap_or((found, ""));
    let text = below.find("\n## ").map_or(below, |end| &below[..end]);
    Ok(Section { date: rest.strip_prefix(" - ").filter(|date| is_date(date)), text: text.trim() })
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "\
# Changelog

## [0.2.0] - Unreleased

### Added

- Two.

## [0.1.0] - 2026-11-21

- One.
";

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let two = section(CHANGELOG, "0.2.0").expect("it is there");
        assert_eq!(two, Section { date: None, text: "### Added\n\n- Two." });
        let one = section(CHANGELOG, "0.1.0").expect("it is there");
        assert_eq!(one, Section { date: Some("2026-11-21"), text: "- One." });
    }

    #[test]
    fn a_version_without_a_section_is_named() {
        let error = section(CHANGELOG, "0.3.0").expect_err("it is not there").to_string();
        assert_eq!(error, "CHANGELOG.md has no section \"## [0.3.0]\": write it, or change the version in Cargo.toml");
    }

    #[test]
    fn the_changelog_has_a_section_for_the_version_in_cargo_toml() {
        let text = std::fs::read_to_string(crate::run::root().join("CHANGELOG.md")).expect("it is there");
        assert!(!section(&text, env!("CARGO_PKG_VERSION")).expect("it has one").text.is_empty());
    }
}
