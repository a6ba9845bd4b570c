//! However a program ends, what it did until then is reported, and its end is the command's.

use crate::traced::{RELEASE, Trace, assert_client_calls, endings_client, run};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;

const SIGINT: i32 = 2;
const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

#[test]
fn the_exit_status_is_the_programs_and_so_is_its_output() {
    for (how, status) in [("return", 5), ("_exit", 7)] {
        let Some(traced) = run(&[how]) else { return };
        assert_eq!(traced.output.status.code(), Some(status), "{how}: {}", traced.stderr());
        assert_eq!(traced.json["exit_status"], status);
        assert_eq!(traced.stdout(), "");
        assert_client_calls(&traced, 1);
    }
}

#[test]
fn a_program_that_dies_by_a_signal_leaves_all_that_it_did_and_the_command_dies_by_the_same() {
    for (how, signal) in [("abort", SIGABRT), ("kill", SIGKILL)] {
        let Some(traced) = run(&[how]) else { return };
        assert_eq!(traced.output.status.signal(), Some(signal), "{how}: {}", traced.stderr());
        assert_eq!(traced.json["signal"], signal);
        assert_client_calls(&traced, 1);
    }
}

#[test]
fn a_signal_sent_to_the_command_ends_the_program_and_the_report_is_made() {
    for (name, signal) in [("TERM", SIGTERM), ("INT", SIGINT)] {
        let Some(mut trace) = Trace::new("gfx1010", &[]).client(RELEASE, &endings_client(&["wait"])) else { return };
        let mut child = trace.command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "waiting\n");
        let kill = format!("kill -s {name} {}", child.id());
        let sent = std::process::Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
        let traced = trace.traced(child.wait_with_output().unwrap());
        assert_eq!(traced.output.status.signal(), Some(signal), "{}", traced.stderr());
        assert_client_calls(&traced, 1);
    }
}

#[test]
fn the_program_that_a_process_becomes_has_records_of_its_own() {
    // The stack's loader, its arguments and the client once more.
    let Some(mut trace) = Trace::new("gfx1010", &[]).client(RELEASE, &endings_client(&["exec"])) else { return };
    let words: Vec<_> = trace.command.get_args().map(ToOwned::to_owned).collect();
    let start = words.iter().position(|word| word == "--").unwrap() + 1;
    trace.command.args(&words[start..words.len() - 1]).arg("return");
    let traced = trace.run();
    assert_eq!(traced.output.status.code(), Some(5), "{}", traced.stderr());
    assert_client_calls(&traced, 2);
    let processes = traced.json["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 2);
    assert_eq!(processes[0]["pid"], processes[1]["pid"]);
    assert!(processes[0]["ended"].as_u64().unwrap() <= processes[1]["began"].as_u64().unwrap(), "{processes:?}");
    // What the first program left was gone before the second began.
    assert_eq!(traced.memory("vram")["peak"], 10 * 4096);
}

#[test]
fn a_forked_child_has_records_of_its_own() {
    let Some(traced) = run(&["fork"]) else { return };
    assert_eq!(traced.output.status.code(), Some(5), "{}", traced.stderr());
    let processes = traced.json["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 2);
    assert_eq!(processes[1]["parent"], processes[0]["pid"]);
    assert!(processes[0]["ended"].is_u64());
    // ROCm's runtime refuses a child of its process.
    assert_eq!(traced.number("hipMalloc", "calls"), 12);
    assert_eq!(traced.number("hipFree", "calls"), 3);
}

#[test]
fn records_for_which_there_is_no_room_are_told_and_the_program_runs_on() {
    let Some(traced) = run(&["no-room", "2000"]) else { return };
    assert_eq!(traced.output.status.code(), Some(5), "{}", traced.stderr());
    let (lost, recorded) = (traced.json["lost_calls"].as_u64().unwrap(), traced.number("hipMalloc", "calls"));
    assert!(lost > 0 && (12..2000).contains(&recorded), "{lost} lost and {recorded} recorded");
    let notes = traced.json["notes"].to_string();
    assert!(notes.contains(&format!("{lost} calls are missing")) && notes.contains("ulimit -f"), "{notes}");
}
