//! The texts that are generated from the table of options.

use rmcp_domain::options::{Options, Program, Scope, Sources, TABLE, config_file, usage};
use std::fs;

#[test]
fn the_help_names_every_option_that_a_command_line_sets() {
    for row in TABLE.iter().filter(|row| row.scope != Scope::System) {
        assert!(usage().contains(row.name) && usage().contains(row.help()), "{}", row.name);
    }
}

#[test]
fn the_default_file_uncommented_is_valid_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rmcp.toml");
    // The lines that are prose have a blank after the mark.
    let uncommented: String = config_file()
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    fs::write(&file, &uncommented).unwrap();
    let program = Program { exe: "/usr/bin/true".into(), argv0: "true".into() };
    let loaded =
        Options::load(&Sources { files: vec![file], program: Some(program), system: true, ..Sources::default() });
    assert_eq!(loaded.complaints, []);
    assert_eq!(loaded.options, Options::default());
    for row in TABLE {
        assert_ne!(loaded.origin(row.name).unwrap().to_string(), "default", "{} is not in the file", row.name);
    }
}

#[test]
fn every_option_is_documented_by_a_line_and_every_word_by_a_sentence() {
    for row in TABLE {
        assert!(row.help().ends_with('.'), "{}", row.name);
        if let rmcp_domain::options::Kind::Word(choices) = row.kind {
            assert!(choices.iter().all(|choice| choice.what.ends_with('.')), "{}", row.name);
        }
    }
}
