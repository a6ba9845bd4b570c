//! Children of processes whose other threads are inside RMCP.

use crate::program::Program;
use rmcp_hip_tests::{Client, Release, Scene};
use std::collections::HashMap;
use std::fs;

/// The children that the program names, each with the lines of the log that are its own.
fn lines_by_child<'a>(report: &'a str, log: &'a str) -> HashMap<&'a str, Vec<&'a str>> {
    let mut children: HashMap<_, _> = report.lines().map(|pid| (pid, Vec::new())).collect();
    for line in log.lines() {
        // Whole: a time, the process, and the message that RMCP ends each rewrite with.
        let fields = line.split_once(" rmcp[").filter(|(time, _)| time.len() == "2026-01-31T12:00:00.000000Z".len());
        let (pid, message) = fields.and_then(|(_, rest)| rest.split_once("] ")).unwrap_or_else(|| panic!("{line}"));
        let whole =
            message.starts_with("info: active; ") || message.starts_with("debug: hipHost") && message.ends_with(" = 0");
        assert!(whole, "{line}");
        if let Some(lines) = children.get_mut(pid) {
            lines.push(message);
        }
    }
    children
}

#[test]
fn a_hundred_children_call_log_and_exit_at_once_whatever_their_parents_threads_are_doing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rmcp.log");
    let program = Program::new("fork", &["gfx1010"]).env("RMCP_LOG", "debug").env("RMCP_LOG_FILE", &path);
    let report = program.run(&["hooks"]);
    let log = fs::read_to_string(&path).unwrap();
    let children = lines_by_child(&report, &log);
    assert_eq!(children.len(), 100);
    for (pid, lines) in children {
        let calls: Vec<_> = lines.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(calls, ["hipHostMalloc", "hipHostAlloc"], "of {pid}");
    }
}

#[test]
fn a_hundred_children_have_records_of_their_own_whatever_their_parents_threads_are_doing() {
    for mode in ["hooks", "loader"] {
        let folder = tempfile::tempdir().unwrap();
        Program::new("fork", &["gfx1010"]).env("RMCP_TRACE", folder.path()).run(&[mode]);
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let heads = names.filter(|name| name.to_string_lossy().ends_with(".0.head")).count();
        assert_eq!(heads, 101, "{mode}");
    }
}

#[test]
fn a_child_is_served_that_was_forked_while_other_threads_logged_to_standard_error() {
    Program::new("fork", &["gfx1010"]).env("RMCP_LOG", "debug").run(&["hooks"]);
}

#[test]
fn a_child_is_served_that_was_forked_amid_the_first_calls() {
    for target in ["gfx1010", "gfx1100"] {
        for _ in 0..10 {
            Program::new("fork", &[target]).run(&["first"]);
        }
    }
}

#[test]
fn a_child_is_served_that_was_forked_while_other_threads_walked_the_loaded_objects() {
    for target in ["gfx1010", "gfx1100"] {
        Program::new("fork", &[target]).run(&["loader"]);
    }
}

#[test]
fn a_child_of_the_real_runtime_gets_the_answers_that_it_gets_without_rmcp() {
    for release in [Release::Rocm523, Release::Rocm643] {
        let client = Client::Threads { program: "fork", args: vec!["after"] };
        let scene = Scene::new(release, "gfx1010");
        let Some((without, with)) = scene.run_both(client) else { return };
        assert_eq!(with.stdout, without.stdout, "{release}");
        assert_eq!(with.stdout.lines().count(), 10, "{}", with.stdout);
    }
}
