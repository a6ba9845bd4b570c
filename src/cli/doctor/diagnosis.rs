//! Which problems a machine and a log show.

use super::facts::{CARD, Evidence, Fact, Facts};
use super::log::LogMatches;
use super::problems::{self, Change, Problem, Sign};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A problem that shows.
#[derive(Debug)]
pub struct Finding<'a> {
    /// Which.
    pub problem: &'a Problem,
    /// How certain it is.
    pub certainty: Certainty,
    /// What was seen, and where.
    pub evidence: Vec<Evidence>,
    /// The facts that would decide, where it is but possible.
    pub undecided: Vec<String>,
    /// What the sign says.
    text: Option<&'a String>,
    /// The facts of the machine.
    facts: &'a Facts,
    /// Those of the card that it is about, where it is about one.
    card: Option<&'a BTreeMap<String, Fact>>,
}

impl Finding<'_> {
    /// The values of a fact: of the card that it is about, or of the machine.
    fn values(&self, name: &str) -> Option<Vec<String>> {
        match name.strip_prefix(CARD) {
            Some(_) => self.card?.get(name).map(|fact| fact.values.clone()),
            None => self.facts.of_machine(name).map(|fact| fact.values),
        }
    }

    /// What is wrong, with the values that were seen.
    pub fn title(&self) -> String {
        self.fill(self.text.unwrap_or(&self.problem.title))
    }

    /// A text of the problem, with the facts that it names.
    pub fn fill(&self, text: &str) -> String {
        problems::fill(text, |name| self.values(name))
    }

    /// What can be changed here by a program, as far as the facts that it needs are known.
    pub fn changes(&self) -> Vec<Change> {
        self.problem.changes.iter().filter_map(|change| change.filled(|name| self.values(name))).collect()
    }
}

/// How certain a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// All of a sign was seen.
    Found,
    /// The log fits, and facts that would decide are not known.
    Possible,
}

/// The problems of which a sign was seen, the worst and the surest first, without those that another of them hides.
pub fn diagnose<'a>(problems: &'a [Problem], facts: &'a Facts, log: Option<&LogMatches>) -> Vec<Finding<'a>> {
    findings(problems.iter().filter_map(|problem| finding(problem, facts, log)).collect())
}

/// The problems that `rmcp detect` has a name for, and that the machine shows: what it is like is part of that.
pub fn detect<'a>(problems: &'a [Problem], facts: &'a Facts) -> Vec<Finding<'a>> {
    let named = problems.iter().filter(|problem| problem.detect.is_some());
    findings(named.filter_map(|problem| best(problem, &mut problem.signs.iter(), facts, None)).collect())
}

/// The worst and the surest first, without those that another of them hides.
fn findings(mut found: Vec<Finding>) -> Vec<Finding> {
    let certain = found.iter().filter(|finding| finding.certainty == Certainty::Found);
    let hidden: BTreeSet<&String> = certain.flat_map(|finding| &finding.problem.hides).collect();
    found.retain(|finding| !hidden.contains(&finding.problem.id));
    found.sort_by_key(|finding| (finding.problem.severity, finding.certainty));
    found
}

/// The facts that are not known, and without which a sign of facts alone is not decided.
pub fn unknown_facts(problems: &[Problem], facts: &Facts) -> BTreeSet<String> {
    let signs = problems.iter().flat_map(Problem::doctor_signs).filter(|sign| sign.log.is_empty());
    let unknown = signs.filter_map(|sign| match test_facts(sign, facts).decided {
        Decided::Unknown(names) => Some(names),
        Decided::Yes | Decided::No => None,
    });
    // What --try would show was not looked for without it.
    unknown.flatten().filter(|name| !name.starts_with("card.trial")).collect()
}

pub(super) fn finding<'a>(problem: &'a Problem, facts: &'a Facts, log: Option<&LogMatches>) -> Option<Finding<'a>> {
    best(problem, &mut problem.doctor_signs(), facts, log)
}

/// The surest of what some signs of a problem show.
fn best<'a>(
    problem: &'a Problem,
    signs: &mut dyn Iterator<Item = &'a Sign>,
    facts: &'a Facts,
    log: Option<&LogMatches>,
) -> Option<Finding<'a>> {
    let seen = signs.filter_map(|sign| {
        let mut evidence = log_evidence(sign, log)?;
        let tested = test_facts(sign, facts);
        evidence.extend(tested.evidence);
        let (certainty, undecided) = match tested.decided {
            Decided::Yes => (Certainty::Found, Vec::new()),
            // Without a word in the log nothing speaks for it.
            Decided::Unknown(names) if !sign.log.is_empty() => (Certainty::Possible, names),
            _ => return None,
        };
        Some(Finding { problem, certainty, evidence, undecided, text: sign.text.as_ref(), facts, card: tested.card })
    });
    seen.min_by_key(|finding| finding.certainty)
}

/// The lines that a sign wants; None: the log lacks one of them.
fn log_evidence(sign: &Sign, log: Option<&LogMatches>) -> Option<Vec<Evidence>> {
    let line = |fragment: &String| {
        let seen = log?.seen(fragment)?;
        let more = if seen.count > 1 { format!(", the last of {}", seen.count) } else { String::new() };
        Some(Evidence { what: seen.text.clone(), from: format!("the log, line {}{more}", seen.line) })
    };
    sign.log.iter().map(line).collect()
}

/// What the facts say of a sign.
pub(super) struct Tested<'a> {
    pub(super) decided: Decided,
    evidence: Vec<Evidence>,
    /// The card whose facts they are.
    card: Option<&'a BTreeMap<String, Fact>>,
}

pub(super) enum Decided {
    Yes,
    No,
    /// These facts are not known.
    Unknown(Vec<String>),
}

/// Whether the facts are as the sign wants them: those of cards of one card, the first of which they hold.
pub(super) fn test_facts<'a>(sign: &Sign, facts: &'a Facts) -> Tested<'a> {
    let machine = test(sign, false, |name| facts.of_machine(name));
    let asks_cards = sign.facts.keys().any(|name| name.starts_with(CARD));
    if !asks_cards || matches!(machine.decided, Decided::No) {
        return machine;
    }
    let unknown = || Tested { decided: Decided::Unknown(vec![TARGET.into()]), evidence: Vec::new(), card: None };
    let cards = facts.cards.as_ref().map(|cards| {
        cards.iter().map(|card| Tested { card: Some(card), ..test(sign, true, |name| card.get(name).cloned()) })
    });
    let likeliest = |tested: &Tested| match tested.decided {
        Decided::Yes => 0,
        Decided::Unknown(_) => 1,
        Decided::No => 2,
    };
    let card = cards.map_or_else(|| Some(unknown()), |cards| cards.min_by_key(likeliest));
    let Some(card) = card else { return Tested { decided: Decided::No, ..machine } };
    let decided = match (card.decided, machine.decided) {
        (Decided::Unknown(one), Decided::Unknown(other)) => Decided::Unknown([one, other].concat()),
        (Decided::Yes, decided) | (decided, _) => decided,
    };
    Tested { decided, evidence: [card.evidence, machine.evidence].concat(), card: card.card }
}

/// A card's gfx target.
const TARGET: &str = "card.target";

/// The tests of the machine's facts, or of a card's.
fn test<'a>(sign: &Sign, of_card: bool, fact: impl Fn(&str) -> Option<Fact>) -> Tested<'a> {
    let (mut unknown, mut evidence) = (Vec::new(), Vec::new());
    for (name, test) in sign.facts.iter().filter(|(name, _)| name.starts_with(CARD) == of_card) {
        let fact = fact(name);
        match (test.holds(fact.as_ref()), fact) {
            (Some(true), Some(fact)) => evidence.push(fact.evidence(name)),
            (Some(false), _) => return Tested { decided: Decided::No, evidence: Vec::new(), card: None },
            _ => unknown.push(name.clone()),
        }
    }
    let decided = if unknown.is_empty() { Decided::Yes } else { Decided::Unknown(unknown) };
    Tested { decided, evidence, card: None }
}
