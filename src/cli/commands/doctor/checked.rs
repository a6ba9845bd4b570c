//! What was looked at: every fact with where it was read, and what became of every known problem.

use crate::doctor::{Facts, LogMatches, Outcome, facts::Fact, outcome, problems};
use crate::output::{self, FAINT, STRONG, styled};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// A fact, as it was read.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Seen {
    /// Its name, as docs/reference/problems.md has it.
    name: String,
    /// The number of its card, in the order of the KFD; null: it is the machine's.
    card: Option<usize>,
    /// Its values; none: it is known to be absent.
    values: Vec<String>,
    /// Where they were read.
    from: String,
}

/// What became of a known problem.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Decided {
    /// Its name.
    id: String,
    /// What is wrong where it shows.
    title: String,
    /// What became of it.
    outcome: Outcome,
    /// Facts that were missing for it.
    unknown: Vec<String>,
}

/// Every fact. Of the environment those variables alone that a problem asks about: others may be secrets.
pub fn seen(facts: &Facts) -> Vec<Seen> {
    let signs = problems().iter().flat_map(|problem| &problem.signs);
    let asked: BTreeSet<&String> = signs.flat_map(|sign| sign.facts.keys()).collect();
    let fact = |(name, fact): (&String, &Fact), card| Seen {
        name: name.clone(),
        card,
        values: fact.values.clone(),
        from: fact.from.clone(),
    };
    let machine = facts.machine.iter().filter(|(name, _)| !name.starts_with("env.") || asked.contains(name));
    let cards = facts.cards.iter().flatten().enumerate();
    let of_cards = cards.flat_map(|(number, card)| card.iter().map(move |entry| fact(entry, Some(number))));
    machine.map(|entry| fact(entry, None)).chain(of_cards).collect()
}

/// What became of each problem, those that show first.
pub fn decided(facts: &Facts, log: Option<&LogMatches>) -> Vec<Decided> {
    let decide = |problem: &'static crate::doctor::Problem| {
        let (outcome, unknown) = outcome(problem, facts, log);
        Decided { id: problem.id.clone(), title: problem.title.clone(), outcome, unknown }
    };
    let mut all: Vec<Decided> = problems().iter().map(decide).collect();
    all.sort_by_key(|decided| decided.outcome);
    all
}

/// Writes every fact for people.
pub fn write_seen(facts: &[Seen], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", styled(STRONG, "What was seen"))?;
    let line = |seen: &Seen| {
        let card = seen.card.map_or_else(String::new, |number| format!(" (card {number})"));
        let value = if seen.values.is_empty() { "absent".into() } else { seen.values.join(", ") };
        (format!("{}{card}", seen.name), format!("{value} {}", styled(FAINT, format!("({})", seen.from))))
    };
    writeln!(out, "{}\n", output::fact_table("  ", facts.iter().map(line)))
}

/// Writes what became of each problem for people.
pub fn write_decided(all: &[Decided], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", styled(STRONG, "What became of each known problem"))?;
    let line = |decided: &Decided| {
        let words = match decided.outcome {
            Outcome::Found => "shows".to_owned(),
            Outcome::Possible => format!("possible; not known: {}", decided.unknown.join(", ")),
            Outcome::Undecided => format!("not ruled out; not known: {}", decided.unknown.join(", ")),
            Outcome::WantsLog => "shows in a log alone; none was read".into(),
            Outcome::WordsAlone => "nothing to look for; --symptom finds it".into(),
            Outcome::RuledOut => "does not show".into(),
        };
        (decided.id.clone(), words)
    };
    writeln!(out, "{}\n", output::fact_table("  ", all.iter().map(line)))
}
