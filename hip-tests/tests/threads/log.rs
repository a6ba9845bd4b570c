//! The log does a process no harm: what cannot be written is lost, and the next line says how much.

use crate::program::Program;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The program with a log file in this folder.
fn program_with_log_file(folder: &TempDir) -> Program {
    program().env("RMCP_LOG_FILE", folder.path().join("rmcp.log"))
}

fn program() -> Program {
    Program::new("log", &["gfx1010"]).env("RMCP_LOG", "debug")
}

fn log(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("rmcp.log")).unwrap()
}

/// What each line says after its time.
#[track_caller]
fn messages(log: &str) -> Vec<&str> {
    log.lines().map(|line| line.split_once(" rmcp[").unwrap_or_else(|| panic!("{line}")).1).collect()
}

#[test]
fn no_line_goes_into_a_file_that_the_program_opened_after_it_closed_what_it_did_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    program_with_log_file(&folder).run(&["closed".as_ref(), own.as_os_str()]);
    assert_eq!(log(&folder).matches("debug: hipHostMalloc").count(), 4);
}

#[test]
fn no_line_goes_into_a_file_that_has_become_number_2() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    program().run(&["number-2".as_ref(), own.as_os_str()]);
}

#[test]
fn a_pipe_or_socket_that_nobody_reads_does_not_stop_the_program() {
    for mode in ["unread-pipe", "unread-socket"] {
        program().run(&[mode]);
    }
}

#[test]
fn a_broken_pipe_does_not_end_the_program_and_its_own_signal_stays_pending() {
    program().run(&["broken-pipe"]);
}

#[test]
fn a_fifo_without_a_reader_does_not_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo").arg(folder.path().join("rmcp.log")).status().unwrap();
    assert!(made.success());
    program_with_log_file(&folder).run(&["call"]);
}

#[test]
fn a_limit_on_the_size_of_files_costs_lines_and_the_next_says_how_many() {
    for bytes in ["0", "1000", "1030"] {
        let folder = tempfile::tempdir().unwrap();
        program_with_log_file(&folder).run(&["limit", bytes]);
        let log = log(&folder);
        let lines = messages(log.strip_prefix('\n').unwrap_or(&log));
        let last = lines.last().unwrap();
        let lost: usize =
            last.split_once("debug: (").and_then(|(_, rest)| rest.split(' ').next()).unwrap().parse().unwrap();
        // A line of the machine, 101 of calls; one that was torn is there by half, and lost.
        let torn = lines.iter().filter(|line| !line.contains(" = 0") && !line.contains("info: active")).count();
        assert_eq!(lines.len() + lost, 102 + torn, "{bytes}: {log}");
        assert!(torn <= 1 && lost > 80, "{bytes}: {log}");
    }
}

#[test]
fn a_thread_that_is_to_be_cancelled_is_not_cancelled_within_a_line_or_the_first_call() {
    let folder = tempfile::tempdir().unwrap();
    program_with_log_file(&folder).run(&["cancelled"]);
    assert_eq!(log(&folder).matches("debug: hipHostMalloc").count(), 3);
}

#[test]
fn a_log_file_is_where_it_was_when_the_log_began_and_makes_no_folder() {
    let (there, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = self::program().env("RMCP_LOG_FILE", there.path().join("new/rmcp.log"));
    let output = program.output(&["folder".as_ref(), elsewhere.path().as_os_str()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("logging to stderr instead"), "{stderr}");
    assert!(!there.path().join("new").exists());
}

#[test]
fn a_log_file_that_is_a_link_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    fs::write(&other, "").unwrap();
    std::os::unix::fs::symlink(&other, folder.path().join("rmcp.log")).unwrap();
    let output = program_with_log_file(&folder).output(&["call".as_ref()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("logging to stderr instead"));
    assert_eq!(fs::read_to_string(&other).unwrap(), "");
}

#[test]
fn a_full_disk_costs_lines_alone() {
    if !Path::new("/dev/full").exists() {
        eprintln!("SKIPPED: no /dev/full");
        return;
    }
    program().env("RMCP_LOG_FILE", "/dev/full").run(&["call"]);
}

#[test]
fn every_hooked_call_is_a_line_at_the_level_trace_whether_rmcp_is_active_or_not() {
    for (gpu, rewrites) in [("gfx1010", 1), ("gfx1100", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let log_file = folder.path().join("rmcp.log");
        let program = Program::new("log", &[gpu]).env("RMCP_LOG", "trace").env("RMCP_LOG_FILE", log_file);
        program.run(&["call"]);
        let log = log(&folder);
        let calls: Vec<_> = log.lines().filter_map(|line| Some(line.split_once(" trace: ")?.1)).collect();
        assert_eq!(calls.len(), 2, "{log}");
        let (before, address) = calls[0].split_once(" by the program = 0, at ").unwrap();
        assert!(before.starts_with("hipHostMalloc(ptr=0x") && before.ends_with(", size=4096, flags=0x0)"), "{log}");
        assert_eq!(calls[1], format!("hipHostFree(ptr={address}) by the program = 0"));
        assert_eq!(log.matches("debug: hipHostMalloc").count(), rewrites, "{log}");
    }
}
