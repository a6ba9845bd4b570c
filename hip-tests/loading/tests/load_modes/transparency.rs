//! What a process notices of RMCP while it lives: nothing.

use crate::{NON_COHERENT, linked};
use std::fs;
use std::process::Command;

const REWRITTEN: &str = "hipHostMalloc=0\t0\tlibamdhip64.so.6: hipHostMalloc(0x1000, 0x80000000)";

#[test]
fn the_core_is_loaded_at_the_first_call_and_not_before() {
    let report = linked().run("process hipHostMalloc=0 process");
    assert_eq!(report.lines, ["process\tsecure=0\tgate=1\tcore=0", REWRITTEN, "process\tsecure=0\tgate=1\tcore=1"]);
}

#[test]
fn errno_is_kept_across_the_first_call_and_later_ones() {
    // The client says so when errno became another. The options have something to complain about, and to log.
    let folder = tempfile::tempdir().unwrap();
    let process = linked().env("RMCP_LOG", "debug").env("RMCP_LOG_FILE", folder.path().join("log"));
    for process in [process.clone(), process.env("RMCP_CONFIG", "/nowhere/rmcp.toml").env("RMCP_HOSTS", "keep")] {
        assert_eq!(process.run("hipHostMalloc=0 hipHostMalloc=0").lines, [REWRITTEN, REWRITTEN]);
    }
}

#[test]
fn threads_that_make_the_first_calls_at_once_are_all_rewritten_and_counted() {
    let report = linked().run("threads=64 counters");
    assert_eq!(
        report.lines,
        [
            format!("threads=64\t0\tlibamdhip64.so.6: hipHostMalloc(0x1000, {NON_COHERENT}) x64"),
            format!("counters\t{}\thipHostMalloc: 0 forwarded, 64 rewritten, 0 of the runtime", rmcp_abi::HOOKS.len()),
        ]
    );
}

#[test]
fn a_forked_child_is_served_whether_its_parent_called_before_or_not() {
    assert_eq!(linked().run("fork hipHostMalloc=0").lines, ["child", REWRITTEN, "fork\t0", REWRITTEN]);
    let report = linked().run("hipHostMalloc=0 fork hipHostMalloc=0");
    assert_eq!(report.lines, [REWRITTEN, "child", REWRITTEN, "fork\t0", REWRITTEN]);
}

#[test]
fn the_lines_of_a_forked_child_arrive_in_the_log() {
    for commands in ["fork hipHostMalloc=0", "hipHostMalloc=0 fork hipHostMalloc=0"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rmcp.log");
        linked().env("RMCP_LOG", "debug").env("RMCP_LOG_FILE", &path).run(commands);
        let log = fs::read_to_string(&path).unwrap();
        let rewrites: Vec<_> = log.lines().filter(|line| line.contains("debug: hipHostMalloc")).collect();
        let pids: std::collections::HashSet<_> =
            rewrites.iter().filter_map(|line| Some(line.split_once("rmcp[")?.1.split_once(']')?.0)).collect();
        assert_eq!(pids.len(), 2, "{log}");
        assert_eq!(rewrites.len(), commands.matches("hipHostMalloc").count() + 1, "{log}");
    }
}

#[test]
fn nothing_is_printed_unless_asked_for() {
    assert_eq!(linked().env("RMCP_HOSTT", "x").run("hipHostMalloc=0").stderr, "");
    let report = linked().env("RMCP_LOG", "debug").run("hipHostMalloc=0");
    assert_eq!(report.lines, [REWRITTEN]);
    assert!(report.stderr.contains("flags=0x0 -> 0x80000000"), "{}", report.stderr);
}

#[test]
fn a_log_file_takes_none_of_the_standard_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let (out, log) = (folder.path().join("out"), folder.path().join("rmcp.log"));
    let process = linked().env("RMCP_LOG", "debug").env("RMCP_LOG_FILE", &log);
    let process = process.arg(format!("--out={}", out.display()));
    let inner = process.command("hipHostMalloc=0 descriptors fork hipHostMalloc=0 descriptors");
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(inner.get_program()).args(inner.get_args()).env_clear();
    shell.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(shell.status().unwrap().success());
    let closed = "descriptors\tclosed\tclosed\tclosed";
    let lines = fs::read_to_string(&out).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines, [REWRITTEN, closed, "child", REWRITTEN, closed, "fork\t0", REWRITTEN, closed]);
    assert_eq!(fs::read_to_string(&log).unwrap().matches("debug: hipHostMalloc").count(), 3);
}
