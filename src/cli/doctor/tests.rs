//! What the table, the tests of facts and the matching of logs promise.

mod fixtures;

use super::diagnosis::{Certainty, diagnose, unknown_facts};
use super::fact_test::FactTest;
use super::facts::{CARD, Fact, Facts};
use super::log::LogMatches;
use super::problems::{Change, Problem, parse, problems};
use super::symptom::by_symptom;
use std::collections::BTreeMap;
use std::io::Read;

fn fact(values: &[&str]) -> Fact {
    Fact { values: values.iter().map(ToString::to_string).collect(), from: "a file".into() }
}

fn holds(test: &str, values: &[&str]) -> Option<bool> {
    test.parse::<FactTest>().unwrap().holds(Some(&fact(values)))
}

fn table(rows: &str) -> Vec<Problem> {
    let head = |id: &str| {
        format!(
            "[[problem]]\nid = \"{id}\"\ntitle = \"a title\"\nseverity = \"error\"\ncause = \"a cause\"\nfix = \"a fix\"\n\
             apply = \"advice\"\nconfidence = \"B\"\nsources = [\"https://example.org\"]\n"
        )
    };
    let text: String = rows.split("---").enumerate().map(|(n, row)| head(&format!("row.n{n}")) + row + "\n").collect();
    parse(&format!("version = \"2026-11-30\"\n{text}")).unwrap().problems
}

/// A machine with cards of these facts.
fn machine(facts: &[(&str, &str)], cards: &[&[(&str, &str)]]) -> Facts {
    let map = |facts: &[(&str, &str)], prefix: &str| {
        facts.iter().map(|(name, value)| (format!("{prefix}{name}"), fact(&[value]))).collect::<BTreeMap<_, _>>()
    };
    Facts { machine: map(facts, ""), cards: Some(cards.iter().map(|facts| map(facts, CARD)).collect()) }
}

fn read_log(text: &str, problems: &[Problem]) -> LogMatches {
    LogMatches::read(text.as_bytes(), problems).unwrap()
}

/// The ids of what is found, with how certain it is.
fn found(problems: &[Problem], facts: &Facts, log: Option<&str>) -> Vec<(String, Certainty)> {
    let log = log.map(|text| read_log(text, problems));
    let findings = diagnose(problems, facts, log.as_ref());
    findings.iter().map(|finding| (finding.problem.id.clone(), finding.certainty)).collect()
}

#[test]
fn the_shipped_table_is_whole_and_every_problem_can_be_found_by_its_words() {
    assert!(problems().len() > 1);
    for problem in problems() {
        let likely = by_symptom(&problem.title, problems());
        let place = likely.iter().position(|other| other.id == problem.id);
        assert!(place.is_some_and(|place| place < 3), "{} is found by its own title at {place:?}", problem.id);
    }
}

#[test]
fn texts_ranges_and_absence_are_tested_as_they_are_written() {
    assert_eq!(holds("gfx1010 | gfx1011", &["gfx1011"]), Some(true));
    assert_eq!(holds("gfx1010 | gfx1011", &["gfx1012"]), Some(false));
    assert_eq!(holds("gfx101*", &["gfx1013"]), Some(true));
    assert_eq!(holds("!gfx101*", &["gfx1013"]), Some(false));
    assert_eq!(holds(">=6.12, <6.18", &["6.12.0-2-amd64"]), Some(true));
    assert_eq!(holds(">=6.12, <6.18", &["6.9.1"]), Some(false));
    assert_eq!(holds(">=6.12, <6.18", &["6.18"]), Some(false));
    assert_eq!(holds(">=33", &["40"]), Some(true));
    assert_eq!(holds("<33", &["5.7", "40"]), Some(true));
    assert_eq!(holds("absent", &[]), Some(true));
    assert_eq!(holds("present", &[]), Some(false));
    assert_eq!(holds("!absent", &["x"]), Some(true));
}

#[test]
fn what_is_not_known_or_is_no_number_decides_nothing() {
    assert_eq!("absent".parse::<FactTest>().unwrap().holds(None), None);
    assert_eq!("!gfx1010".parse::<FactTest>().unwrap().holds(None), None);
    assert_eq!(holds(">=6.12", &["custom"]), None);
}

#[test]
fn a_test_that_says_nothing_is_refused() {
    for test in ["", "!", ">=", ">6.12", ">=x", ">=6.12, >=6.13", "<6.12 or so"] {
        assert!(test.parse::<FactTest>().is_err(), "{test:?}");
    }
}

#[test]
fn the_facts_of_a_sign_are_those_of_one_card() {
    let problems = table(
        "[[problem.sign]]\nfacts = { \"card.target\" = \"gfx101*\", \"card.integrated\" = \"no\", \"kfd.open\" = \"ok\" }",
    );
    let card = machine(
        &[("kfd.open", "ok")],
        &[&[("target", "gfx1036"), ("integrated", "yes")], &[("target", "gfx1010"), ("integrated", "no")]],
    );
    assert_eq!(found(&problems, &card, None).len(), 1);
    let torn = machine(
        &[("kfd.open", "ok")],
        &[&[("target", "gfx1013"), ("integrated", "yes")], &[("target", "gfx1030"), ("integrated", "no")]],
    );
    assert_eq!(found(&problems, &torn, None), []);
    assert_eq!(
        found(&problems, &machine(&[("kfd.open", "EACCES")], &[&[("target", "gfx1010"), ("integrated", "no")]]), None),
        []
    );
}

#[test]
fn the_same_words_have_the_cause_that_the_machine_has() {
    let problems = table(
        "[[problem.sign]]\nlog = [\"OUT_OF_RESOURCES\"]\nfacts = { \"kfd.open\" = \"EACCES\" }\n---\n\
         [[problem.sign]]\nlog = [\"OUT_OF_RESOURCES\"]\nfacts = { \"kfd.open\" = \"ok\", \"card.waves_per_cu\" = \">=33\" }",
    );
    let log = Some("x\nHSA_STATUS_ERROR_OUT_OF_RESOURCES\n");
    let no_rights = machine(&[("kfd.open", "EACCES")], &[&[("waves_per_cu", "40")]]);
    assert_eq!(found(&problems, &no_rights, log), [("row.n0".to_owned(), Certainty::Found)]);
    let rights = machine(&[("kfd.open", "ok")], &[&[("waves_per_cu", "40")]]);
    assert_eq!(found(&problems, &rights, log), [("row.n1".to_owned(), Certainty::Found)]);
    assert_eq!(found(&problems, &rights, None), []);
    assert_eq!(found(&problems, &rights, Some("all is well\n")), []);
}

#[test]
fn what_the_log_says_and_no_fact_decides_is_possible_and_says_which_fact() {
    let problems = table(
        "[[problem.sign]]\nlog = [\"page fault\"]\nfacts = { \"firmware\" = \"131\" }"
            .replace("firmware", "kernel.release")
            .as_str(),
    );
    let facts = Facts { cards: Some(Vec::new()), ..Facts::default() };
    let log = read_log("a page fault\n", &problems);
    let findings = diagnose(&problems, &facts, Some(&log));
    assert_eq!(findings[0].certainty, Certainty::Possible);
    assert_eq!(findings[0].undecided, ["kernel.release"]);
    assert!(diagnose(&problems, &facts, None).is_empty());
}

#[test]
fn a_special_problem_hides_a_general_one_where_it_is_certain() {
    let problems = table(
        "hides = [\"row.n1\"]\n[[problem.sign]]\nlog = [\"page fault\"]\nfacts = { \"kernel.release\" = \"<6.12\" }\n---\n\
         [[problem.sign]]\nlog = [\"page fault\"]",
    );
    let ids = |facts: &[(&str, &str)]| {
        found(&problems, &machine(facts, &[]), Some("a page fault")).into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[("kernel.release", "6.8")]), ["row.n0"]);
    assert_eq!(ids(&[("kernel.release", "6.12")]), ["row.n1"]);
    assert_eq!(ids(&[]), ["row.n1", "row.n0"]);
}

#[test]
fn what_a_problem_hides_exists_and_does_not_hide_it() {
    let rows = |hides: [&str; 2]| {
        let row = |id: &str, hides: &str| {
            format!(
                "[[problem]]\nid = \"{id}\"\ntitle = \"t\"\nseverity = \"note\"\ncause = \"c\"\nfix = \"f\"\n\
                 apply = \"advice\"\nconfidence = \"C\"\nsources = [\"https://example.org\"]\nhides = [{hides}]\n"
            )
        };
        parse(&format!("version = \"2026-11-30\"\n{}{}", row("a.a", hides[0]), row("a.b", hides[1])))
    };
    assert!(rows(["\"a.b\"", ""]).is_ok());
    assert!(rows(["\"a.c\"", ""]).unwrap_err().contains("\"a.a\" hides \"a.c\", which there is not"));
    assert!(rows(["\"a.b\"", "\"a.a\""]).unwrap_err().contains("hidden by what it hides"));
    assert!(rows(["\"a.a\"", ""]).unwrap_err().contains("hidden by what it hides"));
}

#[test]
fn facts_that_could_not_be_read_are_named_where_a_sign_rests_on_them_alone() {
    let problems = table(
        "[[problem.sign]]\nfacts = { \"kernel.release\" = \"<6.12\", \"kfd.open\" = \"ok\" }\n---\n\
         [[problem.sign]]\nlog = [\"page fault\"]\nfacts = { \"kernel.iommu\" = \"translated\" }",
    );
    assert!(unknown_facts(&problems, &machine(&[("kfd.open", "ok")], &[])).into_iter().eq(["kernel.release"]));
    assert!(unknown_facts(&problems, &machine(&[("kfd.open", "EACCES")], &[])).is_empty());
}

#[test]
fn a_line_is_shown_with_its_number_and_how_often_it_comes() {
    let problems = table("[[problem.sign]]\nlog = [\"ring gfx*timeout\", \"timeout, signaled\"]");
    let log = read_log(
        "first\nring gfx_0.0.0 timeout, signaled seq=1\nring gfx_0.0.0 well\n  ring gfx_0.1.0 timeout, signaled seq=2\r\n",
        &problems,
    );
    let seen = log.seen("ring gfx*timeout").unwrap();
    assert_eq!((seen.text.as_str(), seen.line, seen.count), ("ring gfx_0.1.0 timeout, signaled seq=2", 4, 2));
    assert_eq!(log.seen("timeout, signaled").unwrap().count, 2);
    assert!(read_log("timeout of ring gfx\n", &problems).seen("ring gfx*timeout").is_none());
}

#[test]
fn lines_are_found_wherever_a_log_is_cut_into_blocks() {
    let problems = table("[[problem.sign]]\nlog = [\"Memory access fault by GPU node-\"]");
    let long = "x".repeat(5 << 20);
    let text = format!(
        "{}\nMemory access fault by GPU node-1\n{long}\nMemory access fault by GPU node-2",
        "y\n".repeat(600_000)
    );
    let seen = read_log(&text, &problems).seen("Memory access fault by GPU node-").cloned().unwrap();
    assert_eq!((seen.line, seen.count, seen.text.as_str()), (600_004, 2, "Memory access fault by GPU node-2"));
    for cut in [1 << 20, (1 << 20) - 17, (1 << 20) - 40] {
        let text = format!("{}Memory access fault by GPU node-3\n", "z".repeat(cut));
        assert_eq!(read_log(&text, &problems).seen("Memory access fault by GPU node-").map(|seen| seen.count), Some(1));
    }
}

#[test]
fn bytes_that_are_no_text_are_passed_over() {
    let problems = table("[[problem.sign]]\nlog = [\"invalid device function\"]");
    let noise = (0..=255_u8).cycle().take(70_000).collect::<Vec<_>>();
    let log = noise.as_slice().chain(&b"\ninvalid device function\xff\xfe"[..]);
    assert_eq!(LogMatches::read(log, &problems).unwrap().seen("invalid device function").unwrap().count, 1);
}

#[test]
fn a_row_that_does_not_fit_is_refused_with_its_name_and_the_reason() {
    let row = |change: &str| {
        let row = "version = \"2026-11-30\"\n[[problem]]\nid = \"a.b\"\ntitle = \"t\"\nseverity = \"note\"\ncause = \"c\"\nfix = \"f\"\napply = \"advice\"\n\
                   confidence = \"C\"\nsources = [\"https://example.org\"]\n[[problem.sign]]\nlog = [\"some words\"]\n";
        let (from, to) = change.split_once(" -> ").unwrap();
        assert!(row.contains(from), "{from}");
        parse(&row.replace(from, to)).unwrap_err()
    };
    for (change, reason) in [
        ("a.b -> ab", "\"ab\": an id is words"),
        ("log = [\"some words\"] -> ", "a sign needs"),
        ("some words -> ab", "four letters"),
        ("log = [\"some words\"] -> facts = { nonsense = \"yes\" }", "no fact \"nonsense\""),
        ("log = [\"some words\"] -> facts = { \"kfd.open\" = \"\" }", "a test is empty"),
        ("\"note\" -> \"grave\"", "unknown variant"),
        ("2026-11-30 -> 30 November", "no day"),
        ("\"c\" -> \"{kfd.oven|x}\"", "no fact \"kfd.oven\""),
        ("\"c\" -> \"{kfd.open}\"", "write {kfd.open|WORDS}"),
        ("[[problem.sign]] -> [[problem.change]]\nkind = \"spell\"\n[[problem.sign]]", "unknown variant"),
        ("[[problem.sign]] -> [[problem.change]]\nkind = \"group\"\njoins = []\n[[problem.sign]]", "unknown field"),
        ("title -> titel", "unknown field"),
        ("[\"https://example.org\"] -> []", "must say something"),
    ] {
        let error = row(change);
        assert!(error.contains(reason), "{change}: {error}");
    }
}

#[test]
fn texts_and_changes_have_the_facts_of_the_machine_and_of_the_card_that_the_finding_is_about() {
    let problems = table(
        "commands = [\"join {kfd.group|render}: {card.target|a card} {{.Go}} ${HOME} {target}\"]\n\
         [[problem.change]]\nkind = \"group\"\njoin = [\"{kfd.group}\", \"video\"]\n\
         [[problem.change]]\nkind = \"links\"\nremove = [\"{library.rdna1_links}\"]\n\
         [[problem.change]]\nkind = \"environment\"\nset = { X = \"{glibc.release}\" }\n\
         [[problem.sign]]\nfacts = { \"card.integrated\" = \"no\", \"kfd.open\" = \"EACCES\" }",
    );
    let mut facts = machine(
        &[("kfd.open", "EACCES")],
        &[&[("target", "gfx1036"), ("integrated", "yes")], &[("target", "gfx1010"), ("integrated", "no")]],
    );
    facts.machine.insert("library.rdna1_links".into(), fact(&["a", "b"]));
    let said = |facts: &Facts| {
        let finding = &diagnose(&problems, facts, None)[0];
        let changes: Vec<String> = finding.changes().iter().map(Change::describe).collect();
        (finding.fill(&problems[0].commands[0]), changes)
    };
    // Nothing is known of the group and of glibc, so nothing is changed that needs them.
    assert_eq!(
        said(&facts),
        ("join render: gfx1010 {{.Go}} ${HOME} gfx1010".into(), vec!["removes the links a, b".into()])
    );
    facts.machine.insert("kfd.group".into(), fact(&["compute"]));
    assert_eq!(
        said(&facts),
        (
            "join compute: gfx1010 {{.Go}} ${HOME} gfx1010".into(),
            vec!["joins the group compute, video".into(), "removes the links a, b".into()]
        )
    );
}
