//! Without memory every call arrives, and nothing ends the process.

use crate::process::{Process, Report};
use crate::requests;
use rmcp_hip_tests::Stubs;
use std::fs;

/// What is exhausted: the address space, the heap, or both.
const EXHAUSTED: [&str; 3] = ["limit", "heap", "both"];

fn run(process: &Process, exhausted: &str, start: &str) -> Report {
    process.run(&format!("{exhausted} {start} {}", requests::all()))
}

/// Every call returned what it does without RMCP, and arrived as it does there or as RMCP rewrites it.
#[track_caller]
fn assert_arrive(process: &Process, exhausted: &str, start: &str, what: &str) {
    let bare = run(&process.clone().bare(), exhausted, start);
    let report = run(process, exhausted, start);
    assert_eq!(report.lines.len(), bare.lines.len());
    for (line, bare) in report.lines.iter().zip(&bare.lines) {
        // hipHostAlloc and hipMemAllocHost may be served by hipHostMalloc.
        let plain = |line: &str| {
            line.replace("0 hipHostMalloc", "0 pinned")
                .replace("0 hipHostAlloc", "0 pinned")
                .replace("0 hipMemAllocHost", "0 pinned")
        };
        assert_eq!(plain(line), plain(bare), "{exhausted}, {start}, {what}");
    }
}

fn program() -> Process {
    Process::of(Stubs::get().no_memory())
}

#[test]
fn without_memory_since_the_start_every_call_arrives() {
    for exhausted in EXHAUSTED {
        for target in ["gfx1010", "gfx1100"] {
            assert_arrive(&program().gpus(&[target]), exhausted, "cold", target);
        }
    }
}

#[test]
fn without_memory_since_the_first_call_every_call_arrives() {
    for exhausted in EXHAUSTED {
        for target in ["gfx1010", "gfx1100"] {
            assert_arrive(&program().gpus(&[target]), exhausted, "warm", target);
        }
    }
}

#[test]
fn without_memory_every_call_arrives_through_the_runtimes_own_table() {
    let process = program().gpus(&["gfx1010"]).env("LD_LIBRARY_PATH", Stubs::get().drivers_with_table(&[]));
    for exhausted in EXHAUSTED {
        for start in ["cold", "warm"] {
            assert_arrive(&process, exhausted, start, "table");
        }
    }
}

#[test]
fn without_memory_every_call_arrives_under_options_and_while_calls_are_logged_and_traced() {
    let folder = tempfile::tempdir().unwrap();
    let process = program().gpus(&["gfx1010"]);
    let logged = process.clone().env("RMCP_LOG", "trace").env("RMCP_LOG_FILE", folder.path().join("log"));
    let traced = process.clone().env("RMCP_TRACE", folder.path());
    let options = folder.path().join("rmcp.toml");
    fs::write(&options, "vram_fraction = 0.5\n[library.libmine]\nhost = 'keep'\n").unwrap();
    let limited = process.env("RMCP_CONFIG", options);
    for exhausted in EXHAUSTED {
        for start in ["cold", "warm"] {
            assert_arrive(&logged, exhausted, start, "logged");
            assert_arrive(&traced, exhausted, start, "traced");
            assert_arrive(&limited, exhausted, start, "under options");
        }
    }
}
