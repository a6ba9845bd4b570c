//! The first call of a process, which looks at the machine: what it may not touch, and how little it gets by with.

use crate::program::Program;
use rmcp_hip_tests::require;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

fn program(gpus: &[&str]) -> Program {
    Program::new("first", gpus)
}

#[test]
fn a_variable_that_another_thread_is_changing_is_not_read() {
    program(&["gfx1010"]).env("RMCP_LOG", "trace").run(&["environment"]);
}

/// Bytes of stack, with which a thread can make the first call. Twice the least that glibc makes a thread with: how much the
/// loader saves at a call depends on the processor.
const STACK: u64 = 32 << 10;

#[track_caller]
fn assert_stack_suffices(program: &Program) {
    let used: u64 = program.run(&["stack", &STACK.to_string()]).trim().parse().unwrap();
    eprintln!("the first call used {used} bytes of stack");
    assert!(used < STACK);
}

#[test]
fn a_thread_with_little_stack_can_make_the_first_call() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rmcp.toml");
    let log = folder.path().join("rmcp.log");
    let many: String = (0..2000).map(|number| format!("key{number} = [[[[1]]]]\n")).collect();
    let deep = format!("exclude = {}{}\n", "[".repeat(79), "]".repeat(79));
    let tables = format!("exclude = {}1{}\n", "{ a = ".repeat(79), " }".repeat(79));
    assert_stack_suffices(&program(&["gfx1010"]));
    for text in [many, deep, tables, "[".repeat(60_000), "a.".repeat(30_000)] {
        fs::write(&file, text).unwrap();
        let program = self::program(&["gfx1010", "gfx1100", "gfx1036"]).env("RMCP_CONFIG", &file);
        assert_stack_suffices(&program.env("RMCP_LOG", "trace").env("RMCP_LOG_FILE", &log));
    }
}

/// The names of the heads in a folder of records.
fn heads(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut heads: Vec<_> = names.filter(|name| name.ends_with(".head")).collect();
    heads.sort();
    heads
}

#[test]
fn a_child_that_has_its_parents_pid_in_a_namespace_of_its_own_is_not_taken_for_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let program = self::program(&["gfx1010"])
        .env("RMCP_TRACE", folder.path())
        .env("RMCP_LOG", "trace")
        .env("RMCP_LOG_FILE", &log);
    let output = program.output(&[OsStr::new("namespace")]);
    let made = if output.status.code() == Some(77) { Err(anyhow::anyhow!("not permitted")) } else { Ok(()) };
    let Some(()) = require("PID namespaces", made) else { return };
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    assert_eq!(heads(folder.path()), ["1.0.head", "1.1.head"]);
}
