//! Each known problem on a machine that has it, and on one that nearly has it.

use super::found;
use crate::doctor::diagnosis::{Certainty, detect};
use crate::doctor::facts::{CARD, Fact, Facts};
use crate::doctor::problems::table;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A machine of machines.toml.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    like: Option<String>,
    #[serde(default)]
    facts: BTreeMap<String, Values>,
    cards: Option<Vec<BTreeMap<String, Values>>>,
}

/// The values of a fact.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    All(Vec<String>),
}

/// A row of fixtures.toml.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    problem: String,
    machine: String,
    #[serde(default)]
    facts: BTreeMap<String, Values>,
    #[serde(default)]
    log: String,
    nearly: Nearly,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    detect: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nearly {
    #[serde(default)]
    facts: BTreeMap<String, Values>,
    log: Option<String>,
}

/// The file machines.toml.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machines {
    /// What all cards have.
    card: BTreeMap<String, Values>,
    machine: BTreeMap<String, Machine>,
}

fn machines() -> Machines {
    toml::from_str(include_str!("machines.toml")).unwrap()
}

fn fixtures() -> Vec<Fixture> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        fixture: Vec<Fixture>,
    }
    toml::from_str::<File>(include_str!("fixtures.toml")).unwrap().fixture
}

/// A machine by its name.
fn machine(machines: &Machines, name: &str) -> Facts {
    let row = machines.machine.get(name).unwrap_or_else(|| panic!("there is no machine {name}"));
    let mut facts = row.like.as_ref().map_or_else(Facts::default, |like| machine(machines, like));
    if let Some(cards) = &row.cards {
        facts.cards = Some(vec![BTreeMap::new(); cards.len()]);
        for (number, card) in cards.iter().enumerate() {
            machines
                .card
                .iter()
                .chain(card)
                .for_each(|(name, values)| set(&mut facts, &format!("card{}.{name}", number + 1), values));
        }
    }
    change(&mut facts, &row.facts);
    facts
}

/// Whether the KFD's topology can be read; where not, nobody knows which cards there are.
fn is_readable(facts: &Facts) -> bool {
    facts.machine.get("kfd.topology").is_none_or(|fact| fact.values == ["ok"])
}

/// The machine with other facts.
fn change(facts: &mut Facts, changes: &BTreeMap<String, Values>) {
    if changes.contains_key("cards") {
        facts.cards = Some(Vec::new());
    }
    count(facts);
    changes.iter().filter(|(name, _)| *name != "cards").for_each(|(name, values)| set(facts, name, values));
    if !is_readable(facts) {
        facts.cards = None;
        facts.machine.retain(|name, _| !name.starts_with("cards."));
    }
}

/// The counts that follow from the cards.
fn count(facts: &mut Facts) {
    let cards = facts.cards.as_deref().unwrap_or_default();
    let integrated = cards.iter().filter(|card| card["card.integrated"].values == ["yes"]).count();
    let counts = [cards.len(), integrated, cards.len() - integrated, cards.len()];
    for (name, count) in ["count", "integrated", "discrete", "visible"].into_iter().zip(counts) {
        set(facts, &format!("cards.{name}"), &Values::One(count.to_string()));
    }
}

fn set(facts: &mut Facts, name: &str, values: &Values) {
    let (number, rest): (usize, _) = match name.strip_prefix("card").and_then(|rest| rest.split_once('.')) {
        Some(("", rest)) => (1, rest),
        Some((number, rest)) => number.parse().map_or((0, name), |number| (number, rest)),
        None => (0, name),
    };
    let card = facts.cards.as_mut().and_then(|cards| cards.get_mut(number.checked_sub(1)?));
    let (map, name) = match card {
        Some(card) => (card, format!("{CARD}{rest}")),
        None => (&mut facts.machine, name.to_owned()),
    };
    assert!(crate::doctor::facts::is_known(&name), "there is no fact {name}");
    let values = match values {
        Values::One(unknown) if unknown == "?" => {
            map.remove(&name);
            return;
        }
        Values::One(value) => vec![value.clone()],
        Values::All(values) => values.clone(),
    };
    map.insert(name, Fact { values, from: "the fixture".into() });
}

/// What is certainly found.
fn certain(facts: &Facts, log: &str) -> BTreeSet<String> {
    let found = found(&table().problems, facts, (!log.is_empty()).then_some(log));
    found.into_iter().filter(|(_, certainty)| *certainty == Certainty::Found).map(|(id, _)| id).collect()
}

impl Fixture {
    /// What is found on its machine with these facts and this log.
    fn found(&self, machines: &Machines, facts: &BTreeMap<String, Values>, log: &str) -> BTreeSet<String> {
        let mut machine = machine(machines, &self.machine);
        change(&mut machine, facts);
        if !self.detect {
            return certain(&machine, log);
        }
        detect(&table().problems, &machine).iter().map(|finding| finding.problem.id.clone()).collect()
    }
}

#[test]
fn each_problem_is_found_where_it_is_with_nothing_else_and_not_where_it_nearly_is() {
    let machines = machines();
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let expected: BTreeSet<String> = fixture.also.iter().chain([&fixture.problem]).cloned().collect();
        let sick = fixture.found(&machines, &fixture.facts, &fixture.log);
        if sick != expected {
            wrong.push(format!("{}: {sick:?} is found", fixture.problem));
        }
        let mut facts = fixture.facts.clone();
        facts.extend(fixture.nearly.facts.clone());
        let nearly = fixture.found(&machines, &facts, fixture.nearly.log.as_ref().unwrap_or(&fixture.log));
        if nearly.contains(&fixture.problem) {
            wrong.push(format!("{} is found where it is not", fixture.problem));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_problem_that_can_be_seen_has_a_fixture() {
    let with: BTreeSet<String> = fixtures().into_iter().map(|fixture| fixture.problem).collect();
    let problems = &table().problems;
    let seen = problems.iter().filter(|problem| !problem.signs.is_empty());
    let without: Vec<&String> = seen.map(|problem| &problem.id).filter(|id| !with.contains(*id)).collect();
    assert!(without.is_empty(), "{without:?}");
    let words = problems.iter().filter(|problem| problem.signs.is_empty());
    let unheard: Vec<&String> = words.filter(|row| row.symptoms.is_empty()).map(|problem| &problem.id).collect();
    assert!(unheard.is_empty(), "neither seen nor found by words: {unheard:?}");
}

#[test]
fn nothing_is_found_on_machines_on_which_all_is_well() {
    let machines = machines();
    for name in machines.machine.keys() {
        let found = found(&table().problems, &machine(&machines, name), None);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn words_that_have_several_causes_have_the_one_that_the_machine_has() {
    const RESOURCES: &str = "Call returned HSA_STATUS_ERROR_OUT_OF_RESOURCES: The runtime failed to allocate.";
    const FAULT: &str = "Memory access fault by GPU node-1 (Agent handle: 0x5) on address 0x7f00. Reason: Unknown.";
    let machines = machines();
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let rows: &[Row] = &[
        (RESOURCES, "rx5700xt", &[("kfd.open", "EACCES"), ("user.listed_in_kfd_group", "no")], &["kfd.permission"]),
        (RESOURCES, "container", &[("kfd.open", "EACCES")], &["container.group"]),
        (RESOURCES, "rx5700xt", &[("card.refused_runtimes", "ROCm 10.0.0 in /opt/rocm")], &["rocm.save-area-rdna1"]),
        (
            RESOURCES,
            "rx5700xt",
            &[("override.value", "\"10.1.0\""), ("override.readable", "no")],
            &["override.unreadable"],
        ),
        (
            RESOURCES,
            "rx5700xt",
            &[("override.value", "gfx1010"), ("override.readable", "no")],
            &["override.unreadable"],
        ),
        (RESOURCES, "rx5700xt", &[], &[]),
        (
            FAULT,
            "rx5700xt",
            &[("card.override_target", "gfx1030"), ("override.readable", "yes")],
            &["override.rdna1-as-rdna2"],
        ),
        (FAULT, "rx5700xt", &[], &[]),
        (FAULT, "rx6600-torch", &[], &[]),
        (FAULT, "rx7900xtx", &[], &["card.memory-fault"]),
    ];
    for (log, name, facts, expected) in rows {
        let mut machine = machine(&machines, name);
        facts.iter().for_each(|(name, value)| set(&mut machine, name, &Values::One((*value).into())));
        assert_eq!(certain(&machine, log), expected.iter().map(ToString::to_string).collect(), "{name} {facts:?}");
    }
}

#[test]
fn an_override_is_judged_by_the_card_and_the_target_that_it_names() {
    let machines = machines();
    for (target, family, named, differs, expected) in [
        ("gfx1010", "RDNA1", "gfx1030", "no", &["override.rdna1-as-rdna2"][..]),
        ("gfx1012", "RDNA1", "gfx1030", "no", &["override.rdna1-as-rdna2"]),
        ("gfx1012", "RDNA1", "gfx1010", "no", &[]),
        ("gfx1031", "RDNA2", "gfx1030", "no", &[]),
        ("gfx1032", "RDNA2", "gfx1030", "no", &[]),
        ("gfx1034", "RDNA2", "gfx1030", "no", &[]),
        ("gfx1035", "RDNA2", "gfx1030", "no", &[]),
        ("gfx1030", "RDNA2", "gfx1030", "no", &["override.without-use"]),
        ("gfx1030", "RDNA2", "gfx1100", "yes", &["override.other-generation"]),
        ("gfx1010", "RDNA1", "gfx900", "yes", &["override.other-generation"]),
    ] {
        let mut machine = machine(&machines, "rx5700xt");
        for (name, value) in [
            ("card.target", target),
            ("card.family", family),
            ("card.override_target", named),
            ("card.override_is_own", if named == target { "yes" } else { "no" }),
            ("card.override_differs", differs),
        ] {
            set(&mut machine, name, &Values::One(value.into()));
        }
        let found = detect(&table().problems, &machine);
        let ids: Vec<&str> = found.iter().map(|finding| finding.problem.id.as_str()).collect();
        assert_eq!(ids, expected, "{target} as {named}");
    }
}
