//! `rmcp config`.

use crate::machine::{failure, json, parsed, rmcp, text};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

#[test]
fn a_fifo_is_neither_right_nor_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (arguments, why) in [(&["check"][..], "it is a FIFO or a pipe"), (&["init", "--force"], "is no file")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rmcp"));
        let output = command.arg("config").args(arguments).arg(&fifo).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && error.contains(why), "{error}");
    }
}

#[test]
fn show_names_the_origin_of_every_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rmcp.toml");
    fs::write(&file, "host = \"force\"\n\n[program.\"python3\"]\nmanaged = \"keep\"\n").unwrap();
    let shown = |arguments: &[&str]| {
        let mut command = rmcp(["config", "show"]);
        json(command.args(arguments).env("RMCP_CONFIG", &file).env("RMCP_LOG", "warn"))
    };
    let option = |shown: &serde_json::Value, name: &str| {
        let option = shown["options"].as_array().unwrap().iter().find(|option| option["name"] == name).unwrap().clone();
        (option["value"].as_str().unwrap().to_owned(), option["origin"].as_str().unwrap().to_owned())
    };
    let usual = shown(&[]);
    assert_eq!(option(&usual, "host"), ("\"force\"".into(), format!("{}:1", file.display())));
    assert_eq!(option(&usual, "managed"), ("\"coarse\"".into(), "default".into()));
    assert_eq!(option(&usual, "log"), ("\"warn\"".into(), "environment variable RMCP_LOG".into()));
    let python = shown(&["--program", "python3"]);
    assert_eq!(option(&python, "managed"), ("\"keep\"".into(), format!("{}:4", file.display())));
}

#[test]
fn check_reports_every_mistake_with_its_line_and_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, broken, good) =
        (folder.path().join("bad.toml"), folder.path().join("broken.toml"), folder.path().join("good.toml"));
    fs::write(&bad, "hots = \"keep\"\nmanaged = \"corse\"\n[program.x]\nvram_fraction = 2\nonly = [\"x\"]\n").unwrap();
    fs::write(&broken, "host = \n[program.x\n").unwrap();
    fs::write(&good, "register = \"coarse\"\n").unwrap();
    let mut command = rmcp(["config", "check"]);
    let output = command.args([&bad, &broken, &good]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = message.lines().collect();
    let (bad, broken, good) = (bad.display(), broken.display(), good.display());
    for (line, begin, end) in [
        (0, format!("{bad}:1: "), "(did you mean host?); it is ignored"),
        (1, format!("{bad}:2: "), "(did you mean coarse?); it is ignored"),
        (2, format!("{bad}:4: "), "not \"2\"; it is ignored"),
        (3, format!("{bad}:5: only stands in the section [system] "), "; it is ignored"),
        (4, format!("{broken}:1: "), "; all of the file is ignored"),
        (5, format!("{broken}:2: "), "; all of the file is ignored"),
    ] {
        assert!(lines[line].starts_with(&begin) && lines[line].ends_with(end), "{begin} {end}\n{message}");
    }
    assert_eq!(lines[6..], [format!("{good}: nothing wrong")]);
}

#[test]
fn check_has_the_same_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    fs::write(&bad, "hots = \"keep\"\n").unwrap();
    let output = rmcp(["config", "check", "--json"]).arg(&bad).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let checked = parsed(&output);
    assert_eq!(checked["complaints"][0]["line"], 1);
    assert_eq!(checked["complaints"][0]["file"], bad.display().to_string());
    let checked = parsed(&rmcp(["config", "check", "--json"]).env("RMCP_HOTS", "keep").output().unwrap());
    assert_eq!(checked["complaints"][0]["variable"], "RMCP_HOTS");
}

#[test]
fn a_file_that_is_not_there_cannot_be_checked() {
    let message = failure(&mut rmcp(["config", "check", "/no/such.toml"]), 1);
    assert!(message.contains("/no/such.toml cannot be checked"), "{message}");
    assert!(text(&mut rmcp(["config", "check"])).contains("environment: nothing wrong"));
}

#[test]
fn init_writes_a_file_that_changes_nothing_and_overwrites_only_when_told() {
    let home = tempfile::tempdir().unwrap();
    let init = |arguments: &[&str]| {
        let mut command = rmcp(["config", "init"]);
        command.args(arguments).env("HOME", home.path());
        command
    };
    let file = home.path().join(".config/rmcp/config.toml");
    let written = json(&mut init(&[]));
    assert_eq!(written["path"], file.display().to_string());
    assert_eq!(fs::read_to_string(&file).unwrap(), rmcp_domain::options::config_file());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o644);
    assert!(text(rmcp(["config", "check"]).arg(&file)).contains("nothing wrong"));

    fs::write(&file, "host = \"keep\"\n").unwrap();
    let message = failure(&mut init(&[]), 1);
    assert!(message.contains("--force replaces it and keeps a backup"), "{message}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "host = \"keep\"\n");

    let first = json(&mut init(&["--force"]));
    assert_eq!(first["backup"], format!("{}.bak", file.display()));
    assert_eq!(fs::read_to_string(first["backup"].as_str().unwrap()).unwrap(), "host = \"keep\"\n");
    let second = json(&mut init(&["--force"]));
    assert_eq!(second["backup"], format!("{}.bak2", file.display()));
    assert_eq!(fs::read_to_string(first["backup"].as_str().unwrap()).unwrap(), "host = \"keep\"\n");
}

#[test]
fn init_writes_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.toml"), folder.path().join("link.toml"));
    fs::write(&real, "").unwrap();
    symlink(&real, &link).unwrap();
    text(rmcp(["config", "init", "--force"]).arg(&link));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), rmcp_domain::options::config_file());
}

#[test]
fn init_without_a_home_asks_for_a_path() {
    let message = failure(&mut rmcp(["config", "init"]), 1);
    assert!(message.contains("name a path: rmcp config init PATH"), "{message}");
}
