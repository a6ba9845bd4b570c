//! The table of known problems: `config/problems.toml`.

mod change;
mod in_use;
mod placeholder;

pub use change::Change;
pub use in_use::{FORCED, InUse, SYSTEM_FILE, read, user_file};
pub use placeholder::fill;

use super::fact_test::FactTest;
use super::facts;
use crate::recipes::Confidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A known problem.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Dotted words that stay the same, as in override.unreadable.
    pub id: String,
    /// Other names: the number in the list that it comes from, and the recipe that is about it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What `rmcp detect` calls it, which shows those alone that have such a name; problems may share one.
    #[serde(default)]
    pub detect: Option<String>,
    /// What is wrong, in a few words.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The problems that need not be said where this one is found: it is their cause, or says the same more exactly.
    #[serde(default)]
    pub hides: Vec<String>,
    /// Where it comes from.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// What can be typed for it.
    #[serde(default)]
    pub commands: Vec<String>,
    /// What the fix changes.
    pub apply: Apply,
    /// What can be changed for it by a program; empty: it is advice alone.
    #[serde(default, rename = "change")]
    pub changes: Vec<Change>,
    /// How sure the fix is.
    pub confidence: Confidence,
    /// Where that is known from.
    pub sources: Vec<String>,
    /// What must not be tried, and why.
    #[serde(default)]
    pub harmful: Vec<String>,
    /// Words that its users use.
    #[serde(default)]
    pub symptoms: Vec<String>,
    /// The ways in which it shows; one is enough.
    #[serde(default, rename = "sign")]
    pub signs: Vec<Sign>,
}

/// One way in which a problem shows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// Parts of lines, all of which the log has; * stands for any text within a line.
    #[serde(default)]
    pub log: Vec<String>,
    /// Tests of facts, all of which hold: those of `card.` for the same card.
    #[serde(default)]
    pub facts: BTreeMap<String, FactTest>,
    /// What is said where it holds, in place of the title.
    #[serde(default)]
    pub text: Option<String>,
    /// Only `rmcp detect` asks it, which tells what a machine is like: it holds on machines on which all is well, too.
    #[serde(default)]
    pub detect: bool,
}

/// How bad a problem is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No GPU program works, or not on this card.
    Error,
    /// Some programs fail or compute wrongly, or RMCP does not work.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// As text says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a fix changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// A variable of one program.
    Environment,
    /// The program's own packages.
    VirtualEnvironment,
    /// The machine, as root.
    Root,
    /// Nothing that a command could do.
    Advice,
}

/// Known problems, of one version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The day on which it was last changed, as in 2026-11-30: the later is the newer.
    pub version: String,
    /// The problems.
    #[serde(default, rename = "problem")]
    pub problems: Vec<Problem>,
}

/// The text of the table that this command was built with.
const OWN: &str = include_str!("../../../config/problems.toml");

/// The table that this command was built with.
pub fn own_table() -> Table {
    parse(OWN).expect("a test reads the table")
}

/// The table in use, read anew.
pub fn read_in_use() -> InUse {
    InUse::choose(OWN, own_table(), [SYSTEM_FILE.into()].into_iter().chain(user_file()))
}

/// The table in use.
pub fn in_use() -> &'static InUse {
    static IN_USE: LazyLock<InUse> = LazyLock::new(read_in_use);
    &IN_USE
}

/// Its content.
pub fn table() -> &'static Table {
    &in_use().table
}

/// Its problems.
pub fn problems() -> &'static [Problem] {
    &table().problems
}

/// Reads a table; the error says where it is wrong.
pub fn parse(text: &str) -> Result<Table, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let parts: Vec<&str> = table.version.split('-').collect();
    let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.iter().all(digits) || parts.iter().map(|part| part.len()).ne([4, 2, 2]) {
        return Err(format!("version {:?} is no day such as 2026-11-30", table.version));
    }
    for problem in &table.problems {
        problem
            .check()
            .map_err(|why| format!("line {}, problem {:?}: {why}", line_of(text, &problem.id), problem.id))?;
    }
    let shared: BTreeSet<&str> = table.problems.iter().filter_map(|problem| problem.detect.as_deref()).collect();
    let mut names: Vec<&str> = table.problems.iter().flat_map(Problem::own_names).chain(shared).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{:?} is the name of two problems", twice[0]));
    }
    check_hidden(&table.problems)?;
    Ok(table)
}

/// The line of a problem's id, from 1.
fn line_of(text: &str, id: &str) -> usize {
    let is_it = |line: &str| {
        line.split_once('=')
            .is_some_and(|(key, value)| key.trim() == "id" && value.trim().trim_matches(['"', '\'']) == id)
    };
    text.lines().position(is_it).map_or(1, |at| at + 1)
}

/// Whether what problems hide exists, and no problem is hidden by one that it hides itself, however indirectly.
fn check_hidden(problems: &[Problem]) -> Result<(), String> {
    let place = |id: &String| problems.iter().position(|problem| problem.id == *id);
    for problem in problems {
        let (mut hidden, mut next) = (vec![&problem.id], 0);
        while let Some(&id) = hidden.get(next) {
            let at = place(id).ok_or_else(|| format!("problem {:?} hides {id:?}, which there is not", problem.id))?;
            for id in &problems[at].hides {
                if *id == problem.id {
                    return Err(format!("problem {id:?} is hidden by what it hides"));
                }
                if !hidden.contains(&id) {
                    hidden.push(id);
                }
            }
            next += 1;
        }
    }
    Ok(())
}

impl Problem {
    /// Its id and its other names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.own_names().chain(self.detect.as_deref())
    }

    /// The signs that `rmcp doctor` looks for.
    pub fn doctor_signs(&self) -> impl Iterator<Item = &Sign> {
        self.signs.iter().filter(|sign| !sign.detect)
    }

    /// Those that no other problem has.
    fn own_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    fn check(&self) -> Result<(), String> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if !self.id.contains('.') || !self.id.split('.').all(is_word) {
            return Err("an id is words of small letters with dots between, as in override.unreadable".into());
        }
        let empty = [&self.title, &self.cause, &self.fix].iter().any(|text| text.trim().is_empty());
        if empty || self.sources.is_empty() {
            return Err("title, cause, fix and sources must say something".into());
        }
        let mut texts = [&self.title, &self.cause, &self.fix].into_iter().chain(&self.commands).chain(&self.harmful);
        texts.try_for_each(|text| placeholder::check(text, true))?;
        self.changes.iter().flat_map(Change::texts).try_for_each(|text| placeholder::check(text, false))?;
        for sign in &self.signs {
            sign.text.iter().try_for_each(|text| placeholder::check(text, false))?;
            if sign.detect && self.detect.is_none() {
                return Err("rmcp detect alone asks a sign of it, and has no name for it".into());
            }
            if sign.log.is_empty() && sign.facts.is_empty() {
                return Err("a sign needs a log, facts or both".into());
            }
            if sign.log.iter().any(|fragment| fragment.split('*').all(|part| part.trim().len() < 4)) {
                return Err("a part of a log line needs four letters in a row".into());
            }
            if let Some(unknown) = sign.facts.keys().find(|name| !facts::is_known(name)) {
                return Err(format!("there is no fact {unknown:?}"));
            }
        }
        Ok(())
    }
}
