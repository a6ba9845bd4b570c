//! What holds for every subcommand: help, mistakes, colours, pipes, completions.

use crate::machine::{Machine, NAVI10, failure, rmcp, text};
use std::process::{Command, Stdio};

#[test]
fn a_misspelt_command_or_option_names_the_nearest_and_the_usage() {
    let message = failure(&mut rmcp(["detct"]), 2);
    assert!(message.contains("'detect'") && message.contains("Usage: rmcp <COMMAND>"), "{message}");
    let message = failure(&mut rmcp(["detect", "--jsno"]), 2);
    assert!(message.contains("'--json'") && message.contains("Usage: rmcp detect"), "{message}");
    assert!(failure(&mut rmcp([]), 2).contains("Usage: rmcp <COMMAND>"));
}

#[test]
fn help_shows_every_command_and_what_the_exit_statuses_mean() {
    let help = text(&mut rmcp(["help"]));
    for (status, meaning) in rmcp_cli::exit_status::RMCP {
        assert!(help.contains(&format!("  {status:<4} {meaning}")), "{help}");
    }
    for command in rmcp_cli::commands::command().get_subcommands() {
        assert!(help.contains(command.get_name()), "{help}");
        text(&mut rmcp(["help", command.get_name()]));
    }
}

#[test]
fn help_names_every_card_that_can_be_emulated() {
    for command in ["demo", "selftest", "emulate"] {
        let help = text(&mut rmcp(["help", command]));
        let words: Vec<&str> = help.split([' ', ',', '\n']).collect();
        for card in rmcp_machine::CARDS {
            assert!(words.contains(&card.name), "{command}: {} in {help}", card.name);
        }
    }
}

#[test]
fn the_page_of_commands_lists_every_command_and_exit_status() {
    let page = std::fs::read_to_string(crate::machine::repository().join("docs/reference/commands.md")).unwrap();
    for (status, meaning) in rmcp_cli::exit_status::RMCP.iter().chain(rmcp_cli::exit_status::RUN) {
        assert!(page.contains(&format!("| {status} | {meaning} |")), "{status}");
    }
    for command in rmcp_cli::commands::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        assert!(
            page.contains(&format!("`rmcp {}", command.get_name()))
                || page.contains(&format!("`{}`", command.get_name())),
            "{}",
            command.get_name()
        );
    }
}

#[test]
fn a_reader_who_left_is_no_error() {
    for command in ["detect", "detect --json", "explain --list", "config show", "completions bash", "help", "--version"]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut rmcp = rmcp([]);
        rmcp.args(command.split(' ')).stdout(writer);
        assert_eq!(failure(&mut rmcp, 0), "", "{command}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let mut command = rmcp(["config", "show"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let message = failure(command.stdout(Stdio::from(full)), 1);
    assert!(message.starts_with("rmcp: ") && message.contains("No space left"), "{message}");
}

#[test]
fn colours_are_for_terminals_unless_forced_and_never_under_no_color() {
    let machine = Machine::with_cards(&[&NAVI10]);
    let coloured = |variables: &[(&str, &str)]| text(machine.detect().envs(variables.iter().copied())).contains('\x1b');
    assert!(!coloured(&[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(text(&mut machine.detect()).is_ascii());
}

#[test]
fn json_has_no_colours_even_where_they_are_forced() {
    assert!(!text(rmcp(["config", "show", "--json"]).env("CLICOLOR_FORCE", "1")).contains('\x1b'));
}

#[test]
fn bash_completes_commands_and_options() {
    let completed = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let (last, previous) = (words[words.len() - 1], words[words.len() - 2]);
        let script = format!(
            "source <({} completions bash); COMP_WORDS=({line}); COMP_CWORD={}; _rmcp rmcp '{last}' '{previous}'; \
             echo \"${{COMPREPLY[@]}}\"",
            env!("CARGO_BIN_EXE_rmcp"),
            words.len() - 1
        );
        text(Command::new("bash").args(["--norc", "-c", &script]))
    };
    assert_eq!(completed("rmcp exp"), "explain\n");
    assert!(completed("rmcp config i").contains("init"));
    assert!(completed("rmcp detect --j").contains("--json"));
}

#[test]
fn every_shell_has_completions_for_both_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&mut rmcp(["completions", shell])).contains("detect"), "{shell}");
        assert!(text(&mut rmcp(["completions", shell, "rmcp-run"])).contains("dry-run"), "{shell}");
    }
}

#[test]
fn every_command_with_json_has_a_schema() {
    let described = rmcp_cli::commands::schema::all();
    let mut folders = vec![crate::machine::repository().join("src/cli/commands")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let source = std::fs::read_to_string(&entry).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            let names =
                source.split("const SCHEMA: &'static str = \"").skip(1).filter_map(|rest| rest.split('"').next());
            for name in names {
                assert!(
                    described.iter().any(|schema| schema.name == name),
                    "{name}: add it to src/cli/commands/schema.rs"
                );
            }
        }
    }
}

#[test]
fn every_schema_is_on_the_page_and_in_its_file() {
    let repository = crate::machine::repository();
    let page = std::fs::read_to_string(repository.join("docs/reference/json.md")).unwrap();
    for described in rmcp_cli::commands::schema::all() {
        assert!(page.contains(&format!("\n## {}\n", described.name)), "{}; run `cargo xtask generate`", described.name);
        let file = std::fs::read_to_string(repository.join("docs/schema").join(described.file())).unwrap_or_default();
        assert!(file == described.text(), "{} is out of date; run `cargo xtask generate`", described.file());
    }
}
