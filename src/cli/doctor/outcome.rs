//! What became of each known problem, and what was found well.

use super::diagnosis::{self, Certainty, Decided};
use super::facts::{CARD, Fact, Facts};
use super::log::LogMatches;
use super::problems::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of a known problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It shows.
    Found,
    /// The log fits it, and facts that would decide are not known.
    Possible,
    /// Facts that would decide are not known.
    Undecided,
    /// It shows in a log, and none was given.
    WantsLog,
    /// It has no sign that could be looked for.
    WordsAlone,
    /// None of its signs is there.
    RuledOut,
}

/// The outcome for a problem, and the facts that were missing for it.
pub fn outcome(problem: &Problem, facts: &Facts, log: Option<&LogMatches>) -> (Outcome, Vec<String>) {
    if let Some(finding) = diagnosis::finding(problem, facts, log) {
        return match finding.certainty {
            Certainty::Found => (Outcome::Found, Vec::new()),
            Certainty::Possible => (Outcome::Possible, finding.undecided),
        };
    }
    if problem.doctor_signs().next().is_none() {
        return (Outcome::WordsAlone, Vec::new());
    }
    let mut unknown = Vec::new();
    let mut wants_log = false;
    for sign in problem.doctor_signs() {
        match diagnosis::test_facts(sign, facts).decided {
            Decided::No => {}
            Decided::Unknown(names) if sign.log.is_empty() => unknown.extend(names),
            Decided::Yes | Decided::Unknown(_) => wants_log |= log.is_none(),
        }
    }
    unknown.sort();
    unknown.dedup();
    let outcome = match (unknown.is_empty(), wants_log) {
        (false, _) => Outcome::Undecided,
        (true, true) => Outcome::WantsLog,
        (true, false) => Outcome::RuledOut,
    };
    (outcome, unknown)
}

/// What is worth saying where it is well: a fact, the test that it passes then, and the words, in which {} is the value and
/// {target} the card's. One that fails its test is a problem's business and not named here.
const WELL: &[(&str, &str, &str)] = &[
    ("kernel.release", "present", "Linux {}"),
    ("amdgpu.loaded", "yes", "the driver amdgpu is loaded"),
    ("kfd.open", "ok", "/dev/kfd opens"),
    ("cards.visible", ">=1", "HIP sees {} of the cards"),
    ("card.render_open", "ok", "the render node of {target} is open"),
    ("card.waves_per_cu", "<33", "queues of {target} are as Linux takes them"),
    ("override.readable", "yes", "the override can be read"),
    ("rocm.release", "present", "ROCm {}"),
    ("torch.rocm", "present", "PyTorch for ROCm {}"),
    ("card.in_torch", "yes", "PyTorch has code for {target}"),
    ("card.in_rocblas", "yes", "rocBLAS has code for {target}"),
    ("rmcp.configuration", "valid", "RMCP's options are valid"),
    ("rmcp.library", "present", "RMCP can be loaded"),
];

/// What was found well, a few words each.
pub fn well(facts: &Facts) -> Vec<String> {
    let no_cards = Vec::new();
    let cards = facts.cards.as_ref().unwrap_or(&no_cards);
    let of_target = |card: &BTreeMap<String, Fact>| {
        card.get("card.target").and_then(|fact| fact.values.first().cloned()).unwrap_or_default()
    };
    let mut said = Vec::new();
    for (name, test, words) in WELL {
        let test: super::fact_test::FactTest = test.parse().expect("a test reads the table");
        let passes = |fact: Option<&Fact>| test.holds(fact) == Some(true);
        let fill = |fact: &Fact, target: &str| words.replace("{}", &fact.values.join(", ")).replace("{target}", target);
        if name.starts_with(CARD) {
            let fine = cards.iter().filter_map(|card| Some((card.get(*name)?, of_target(card))));
            said.extend(fine.filter(|(fact, _)| passes(Some(fact))).map(|(fact, target)| fill(fact, &target)));
        } else if let Some(fact) = facts.machine.get(*name).filter(|fact| passes(Some(fact))) {
            said.push(fill(fact, ""));
        }
    }
    said.dedup();
    said
}
