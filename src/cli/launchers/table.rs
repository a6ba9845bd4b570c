//! The rows of config/launchers.toml.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

/// Every launcher that is known.
pub fn launchers() -> &'static [Launcher] {
    static LAUNCHERS: LazyLock<Vec<Launcher>> =
        LazyLock::new(|| parse_table(include_str!("../../../config/launchers.toml")).expect("a test reads the table"));
    &LAUNCHERS
}

/// The launcher with that file name.
pub(super) fn find_launcher(name: &str) -> Option<&'static Launcher> {
    launchers().iter().find(|launcher| launcher.names.iter().any(|other| other == name))
}

/// Reads a table of launchers.
pub(super) fn parse_table(text: &str) -> Result<Vec<Launcher>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        launcher: Vec<Launcher>,
    }
    Ok(toml::from_str::<File>(text)?.launcher)
}

/// A program that starts the program which its arguments name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Launcher {
    /// File names.
    pub names: Vec<String>,
    /// Its options, and how many values each takes.
    #[serde(default, deserialize_with = "parse_options")]
    pub(super) options: BTreeMap<String, OptionValues>,
    /// Whether long options may have one dash, and short ones are not joined.
    #[serde(default)]
    pub(super) one_dash: bool,
    /// Whether a dash and a number are an option.
    #[serde(default)]
    pub(super) numbers: bool,
    /// The word that makes it start something.
    pub command: Option<String>,
    /// How many words come before the program.
    #[serde(default)]
    pub(super) operands: usize,
    /// Whether words such as NAME=VALUE may come before the program.
    #[serde(default)]
    pub(super) assignments: bool,
    /// The options that matter here.
    #[serde(default, rename = "does", deserialize_with = "parse_effects")]
    pub(super) effects: BTreeMap<String, OptionEffect>,
    /// What it starts.
    #[serde(default, rename = "starts")]
    pub(super) kind: LaunchKind,
    /// Where that is known from.
    pub source: String,
}

/// The values of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OptionValues {
    Nothing,
    /// One, attached to it or the next word.
    Value,
    /// One if it is attached.
    Attached,
    /// The next two words.
    Two,
}

/// What an option changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OptionEffect {
    Clear,
    Unset,
    Set,
    Folder,
    Words,
    Text,
    Module,
    Script,
    Prefix,
    Environment,
    Project,
    Hosts,
    Other,
    Nothing,
}

/// What a launcher starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LaunchKind {
    #[default]
    Program,
    Shell,
    Uv,
    Poetry,
    Conda,
    /// A program with an environment of its own.
    Outside,
    /// A program that it prepares for by itself.
    Itself,
}

impl Launcher {
    /// What people call it.
    pub(super) fn title(&self, called: &OsStr) -> String {
        let name = Path::new(called).file_name().unwrap_or(called).to_string_lossy();
        self.command.as_ref().map_or_else(|| name.clone().into_owned(), |command| format!("{name} {command}"))
    }
}

fn parse_options<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, OptionValues>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let option = |word: &str| {
        let ends = [
            ("[=]", OptionValues::Attached),
            ("==", OptionValues::Two),
            ("=", OptionValues::Value),
            ("", OptionValues::Nothing),
        ];
        let (name, takes) = ends.into_iter().find_map(|(end, takes)| Some((word.strip_suffix(end)?, takes)))?;
        Some((name.to_owned(), takes))
    };
    Ok(text.split_ascii_whitespace().filter_map(option).collect())
}

fn parse_effects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, OptionEffect>, D::Error> {
    let mut all = BTreeMap::new();
    for (does, options) in BTreeMap::<OptionEffect, String>::deserialize(deserializer)? {
        for option in options.split_ascii_whitespace() {
            if all.insert(option.to_owned(), does).is_some() {
                return Err(D::Error::custom(format!("{option} does two things")));
            }
        }
    }
    Ok(all)
}
