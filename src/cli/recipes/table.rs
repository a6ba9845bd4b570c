//! The rows of config/recipes.toml.

use crate::installs::{InvalidRelease, KNOWN, Known, Release};
use rmcp_domain::gfx::GfxTarget;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// Every recipe, in the order in which they apply: of two that set one variable the later counts.
pub fn recipes() -> &'static [Recipe] {
    static RECIPES: LazyLock<Vec<Recipe>> =
        LazyLock::new(|| parse_table(include_str!("../../../config/recipes.toml")).expect("a test reads the table"));
    &RECIPES
}

/// Reads a table of recipes.
pub fn parse_table(text: &str) -> Result<Vec<Recipe>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        recipe: Vec<Recipe>,
    }
    Ok(toml::from_str::<File>(text)?.recipe)
}

/// One recipe: conditions that must all hold, and what is done then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub id: String,
    /// The real gfx targets for which it is; empty: any.
    #[serde(default, deserialize_with = "targets")]
    pub targets: Vec<GfxTarget>,
    /// The frameworks for which it is; empty: any program.
    #[serde(default, deserialize_with = "frameworks")]
    pub frameworks: Vec<&'static Known>,
    /// The releases of the framework.
    pub version: Option<Range>,
    /// The ROCm releases that the program may run with.
    pub rocm: Option<Range>,
    /// Packages of the program's Python and their versions, one of which must be there. In their names, `*` stands for any
    /// text and `{target}` for the GPU's.
    #[serde(default)]
    pub packages: BTreeMap<String, Range>,
    /// Packages that must not be there, in the same way.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// What the program's libraries hold for the GPU.
    pub code: Option<CodeMatch>,
    /// The target whose code may stand in; required by [`CodeMatch::Substitute`].
    #[serde(default, deserialize_with = "target")]
    pub substitute: Option<GfxTarget>,
    /// A condition that is none of the above.
    #[serde(rename = "when")]
    pub condition: Option<Condition>,
    /// The profile that must be asked for.
    pub profile: Option<String>,
    /// Variables that do the same; where the user has set one, nothing is set.
    #[serde(default)]
    pub unless: Vec<String>,
    /// What is done.
    pub action: Action,
    /// Variables and their values, or what the user's must look like.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Why, a sentence; for anything but set one that goes on after "because".
    pub why: String,
    /// What to do, as a clause that goes on after it; a warning that needs the user has one.
    pub fix: Option<String>,
    /// Where that is known from.
    pub sources: Vec<String>,
    /// How sure it is.
    pub confidence: Confidence,
}

/// What a recipe does to its variables.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Sets them where the user has not.
    Set,
    /// Removes the user's, and says so.
    Remove,
    /// Leaves the user's, knowingly.
    Leave,
    /// Leaves the user's, and says what is wrong with them.
    Warn,
}

/// How sure a recipe is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum Confidence {
    /// Confirmed by maintainers, by source code or by at least two users.
    A,
    /// One report, or disputed.
    B,
    /// An inference.
    C,
}

/// What the GPU code in a program's libraries means to one GPU.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum CodeMatch {
    /// Every library that has code for the GPU's target or its substitute has it for the target.
    Native,
    /// One has code for the substitute only.
    Substitute,
    /// One has code for the target only, another for the substitute only.
    Torn,
    /// None has code for either.
    Missing,
    /// Some have code for neither, whatever the others hold.
    Partial,
}

/// Conditions on the machine, the user's environment and options.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Integrated GPUs and cards are visible, RDNA1 or RDNA2 is among them, and the user has hidden none.
    BesideCard,
    /// ROCr does not read the user's override.
    OverrideUnreadable,
    /// The user's override names a target with another major number than an RDNA1 or RDNA2 GPU's.
    OverrideOtherMajor,
    /// The user's override names a target of which the program's libraries have no code.
    OverrideLacksCode,
    /// An override that one GPU needs is wrong for another.
    PerNode,
    /// The same, and the release has no override for one GPU.
    NoPerNode,
    /// The framework was built without ROCm.
    WithoutRocm,
    /// The program brings its own ROCm runtime.
    BundledRuntime,
    /// The kernel checks a queue's save area, and the card's waves are not those by which it does.
    SaveArea,
    /// A library of the runtime wants an executable stack, and the C library refuses that.
    ExecutableStack,
    /// PyTorch's own library has no code for the GPU.
    TorchWithoutCode,
    /// A library of the program has code neither for the GPU nor for the substitute.
    LibraryWithoutCode,
    /// The option register is coarse, for a program in which RMCP is active.
    RegisterCoarse,
}

/// A range of releases, or that the release is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// From the first on, before the second.
    Known(Option<Release>, Option<Release>),
    /// The release is not known.
    Unknown,
}

impl Range {
    /// Whether a release is in it.
    pub fn contains(&self, release: Option<Release>) -> bool {
        match (self, release) {
            (Self::Known(from, before), Some(release)) => {
                from.is_none_or(|from| from <= release) && before.is_none_or(|before| release < before)
            }
            (Self::Unknown, None) => true,
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unknown" {
            return Ok(Self::Unknown);
        }
        let (mut from, mut before) = (None, None);
        for part in text.split(',').map(str::trim) {
            let (end, release) = match part.strip_prefix(">=") {
                Some(release) => (&mut from, release),
                None => (&mut before, part.strip_prefix('<').ok_or(format!("{part:?} is neither >= nor <"))?),
            };
            *end = Some(release.parse().map_err(|error: InvalidRelease| error.to_string())?);
        }
        Ok(Self::Known(from, before))
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Known(Some(from), None) => write!(f, "{from} and later"),
            Self::Known(None, Some(before)) => write!(f, "before {before}"),
            Self::Known(Some(from), Some(before)) => write!(f, "{from} and later, before {before}"),
            Self::Known(None, None) => f.write_str("any"),
        }
    }
}

fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<GfxTarget>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

fn frameworks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static Known>, D::Error> {
    let rows = || KNOWN.iter().filter(|row| row.application.is_none());
    let known = |id: &String| {
        rows().find(|row| row.id == id).ok_or_else(|| {
            let ids: BTreeSet<&str> = rows().map(|row| row.id).collect();
            D::Error::custom(format!("{id:?} is no framework; known are {}", Vec::from_iter(ids).join(", ")))
        })
    };
    Vec::<String>::deserialize(deserializer)?.iter().map(known).collect()
}

fn target<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<GfxTarget>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// Whether a text is what a pattern of the table says: * stands for any text, & joins patterns that must all match.
pub fn pattern_matches(pattern: &str, text: &str) -> bool {
    pattern.split('&').all(|pattern| glob_matches(pattern, text))
}

fn glob_matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::pattern_matches;

    #[test]
    fn a_star_stands_for_any_text_and_an_ampersand_for_both() {
        for (pattern, text, expected) in [
            ("10.3.0", "10.3.0", true),
            ("10.3.0", "110.3.0", false),
            ("*", "", true),
            ("*a*", "xax", true),
            ("*a*", "xx", false),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("*ab*b", "ab", false),
            ("*a*&*b*", "ba", true),
            ("*a*&*b*", "b", false),
        ] {
            assert_eq!(pattern_matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
