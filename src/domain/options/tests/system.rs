//! The programs that RMCP leaves alone, and the sections `[system]`.

use super::*;

/// As where RMCP came through /etc/ld.so.preload.
fn on_the_list() -> Case {
    let mut case = Case::new();
    case.sources.system = true;
    case
}

/// Why the program of a case is left alone, with the names of files shortened.
fn exclusion(case: &Case) -> Option<String> {
    let dir = format!("{}/", case.dir.path().display());
    case.load().exclusion.map(|why| why.replace(&dir, ""))
}

#[test]
fn excluded_programs_are_named() {
    let excluded = |list: &str| exclusion(&Case::new().file(format!("exclude = {list}")));
    assert_eq!(excluded("['Xorg', 'python3']").as_deref(), Some("excluded by \"python3\" (0.toml:1)"));
    let by_path = Some("excluded by \"/usr/bin/python3.11\" (0.toml:1)");
    assert_eq!(excluded("['/usr/bin/python3.11']").as_deref(), by_path);
    assert_eq!(excluded("['Xorg']"), None);
    assert_eq!(exclusion(&Case::new().file("exclude = ['python3']").env("RMCP_EXCLUDE", "")), None);
}

#[test]
fn the_section_system_counts_on_the_list_alone() {
    let text = "[system]\nhost = 'keep'\nlog = 'info'";
    let options = on_the_list().file(text).options();
    assert_eq!((options.host, options.log), (Host::Keep, Level::Info));
    assert_eq!(Case::new().file(text).options(), Options::default());
}

#[test]
fn it_is_stronger_than_the_general_part_of_any_file_and_weaker_than_a_program_and_the_environment() {
    let case = || on_the_list().file("[system]\nhost = 'keep'").file("host = 'force'");
    assert_eq!(case().options().host, Host::Keep);
    assert_eq!(case().file("[system]\nhost = 'noncoherent'").options().host, Host::Noncoherent);
    assert_eq!(case().env("RMCP_HOST", "force").options().host, Host::Force);
    let program = "[program.python3]\nhost = 'force'\n[system]\nhost = 'keep'";
    assert_eq!(on_the_list().file(program).options().host, Host::Force);
}

#[test]
fn with_only_every_other_program_is_left_alone() {
    let only = |list: &str| exclusion(&on_the_list().file(format!("[system]\nonly = {list}")));
    for named in ["['python3']", "['Xorg', 'python3.11']", "['/usr/bin/python3.11']", "[]"] {
        assert_eq!(only(named), None, "{named}");
    }
    for other in ["['Xorg']", "['/usr/local/bin/python3']", "['']"] {
        assert_eq!(only(other).as_deref(), Some("not among [system] only (0.toml:2)"), "{other}");
    }
}

#[test]
fn exclude_is_stronger_than_only() {
    let case = on_the_list().file("exclude = ['python3']\n[system]\nonly = ['python3']");
    assert_eq!(exclusion(&case).as_deref(), Some("excluded by \"python3\" (0.toml:1)"));
}

#[test]
fn only_does_not_hold_where_rmcp_was_asked_for_and_says_nothing_of_no_program() {
    let text = "[system]\nonly = ['Xorg']";
    assert_eq!(exclusion(&Case::new().file(text)), None);
    let mut nobody = on_the_list().file(text);
    nobody.sources.program = None;
    assert_eq!(exclusion(&nobody), None);
    // But a program that cannot be told is not among them.
    nobody.sources.program = Some(Program::default());
    assert_eq!(exclusion(&nobody).as_deref(), Some("not among [system] only (0.toml:2)"));
}

#[test]
fn only_at_another_place_is_refused_with_the_right_one() {
    let right = "only stands in the section [system] of a file alone: write it there, below a line [system]";
    for (case, place) in [
        (on_the_list().file("\nonly = ['Xorg']"), "0.toml:2"),
        (on_the_list().file("[program.python3]\nonly = ['Xorg']"), "0.toml:2"),
        (on_the_list().env("RMCP_ONLY", "Xorg"), "environment variable RMCP_ONLY"),
    ] {
        assert_eq!(case.complaints(), [format!("{place}: {right}; it is ignored")]);
        assert_eq!((case.load().options, exclusion(&case)), (Options::default(), None), "{place}");
    }
    assert_eq!(assignment("only=Xorg").unwrap_err(), right);
}

#[test]
fn mistakes_in_the_section_are_named_whether_it_counts_or_not() {
    let text = "[system]\nonyl = ['a']\nhost = 'kep'\nonly = [3]\n[sytem]\n";
    for case in [Case::new(), on_the_list()] {
        let mut complaints = case.file(text).complaints();
        complaints.sort();
        assert_eq!(
            complaints,
            [
                "0.toml:2: there is no option \"onyl\" (did you mean only?); it is ignored",
                "0.toml:3: host takes keep, noncoherent, unmapped, force, not \"kep\" (did you mean keep?); it is ignored",
                "0.toml:4: only takes a list of program names or paths; it is ignored",
                "0.toml:5: there is no option \"sytem\" (did you mean system?); it is ignored",
            ]
        );
    }
    let line = "0.toml:1: system is a section: write [system] and options below it; this is ignored";
    assert_eq!(Case::new().file("system = ['Xorg']").complaints(), [line]);
}
