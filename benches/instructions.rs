//! How many instructions RMCP adds to a call: counted by callgrind, held against `counts.toml`.
//!
//! Counted is what the calls themselves run, in two runs of which one makes twice as many: what is done once falls out of
//! the difference. On the stub that is what a call runs more than without RMCP; on a real runtime it is what RMCP's own
//! libraries run. So the counts depend on RMCP and the compiler alone, and are the same in every run.
#![forbid(unsafe_code)]

use rmcp_benches::{Clients, Program, Runtime, run_by};
use rmcp_hip_tests::{Build, Release, Stack, Stubs, require};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Counts by what is called, in the tables of `counts.toml`.
type Counts = BTreeMap<String, i64>;

/// A call may come to run so many more.
const MORE: i64 = 2;
/// Calls in the smaller run.
const CALLS: i64 = 200;

/// Without a table and with one. Callgrind runs one thread at a time, and in 5.2.3 hipFree spins while another one works: that
/// takes a minute.
const RELEASES: [Release; 3] = [Release::Rocm571, Release::Rocm643, Release::Rocm724];

/// Called before what is counted: RMCP rewrites it.
const WITH: &str = "hipHostMalloc";
/// The same as the runtime sees it.
const WITHOUT: &str = "hipHostMalloc_noncoherent";

#[test]
fn no_call_on_the_stub_comes_to_run_more_instructions() {
    let clients = Clients::of(Runtime::Stub);
    let (linked, loaded) = (clients.linked(1), clients.loaded());
    let with = |program: &Program, gpu| {
        let mut command = program.command();
        command.env("LD_PRELOAD", gate()).env("RMCP_TOPOLOGY", Stubs::get().topology(&[gpu])).env("RMCP_CONFIG", "");
        command
    };
    let mut counts = Counts::new();
    for (name, program, gpu, function) in [
        ("hipMalloc, inactive", &linked, "gfx1100", "hipMalloc"),
        ("hipMalloc", &linked, "gfx1010", "hipMalloc"),
        ("hipFree", &linked, "gfx1010", "hipFree"),
        ("hipHostMalloc, rewritten", &linked, "gfx1010", "hipHostMalloc"),
        ("hipHostMalloc, with other flags", &linked, "gfx1010", "hipHostMalloc_coherent"),
        ("hipMallocManaged, rewritten", &linked, "gfx1010", "hipMallocManaged"),
        ("hipMalloc, dlopen, inactive", &loaded, "gfx1100", "hipMalloc"),
        ("hipMalloc, dlopen", &loaded, "gfx1010", "hipMalloc"),
        // Not a rewritten one: a library that can be unloaded is told by its path, so the count depends on where this lies.
    ] {
        let without = per_call(|calls| count(&program.command(), WITHOUT, function, calls, all));
        let with = per_call(|calls| count(&with(program, gpu), WITH, function, calls, all));
        counts.insert(name.to_owned(), with - without);
    }
    assert_no_more("stub", counts);
}

#[test]
fn no_call_on_a_real_runtime_comes_to_run_more_instructions() {
    let card = Build::find().unwrap_or_else(|error| panic!("{error:#}")).kfd().into_os_string();
    let mut counts = Counts::new();
    for release in RELEASES {
        let Some(stack) = require("a ROCm stack", Stack::fetch(release)) else { return };
        let mut command = Clients::of(Runtime::Rocm(&stack)).linked(1).command();
        command.env("LD_PRELOAD", [gate(), card.clone()].join(":".as_ref()));
        command.env("RMCP_KFD_MACHINE", "gfx1010").env("RMCP_CONFIG", "");
        let count = per_call(|calls| count(&command, WITH, "hipMalloc_hipFree", calls, in_rmcp));
        counts.insert(format!("hipMalloc and hipFree, ROCm {}", release.version()), count);
    }
    assert_no_more("real", counts);
}

fn gate() -> OsString {
    Build::find().unwrap_or_else(|error| panic!("{error:#}")).gate().into_os_string()
}

/// What one call more adds to the count of so many.
fn per_call(count: impl Fn(i64) -> i64) -> i64 {
    (count(2 * CALLS) - count(CALLS) + CALLS / 2) / CALLS
}

/// What so many calls run, after one of `before`: `sum` tells it from callgrind's file.
fn count(command: &Command, before: &str, function: &str, calls: i64, sum: fn(&str) -> i64) -> i64 {
    let file = tempfile::NamedTempFile::new().expect("create a file");
    let out = format!("--callgrind-out-file={}", file.path().display());
    let toggle = format!("--toggle-collect=call_{function}");
    let mut command = run_by("valgrind", &["--tool=callgrind", "--quiet", &out, &toggle], command);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut valgrind = command.spawn().expect("start valgrind");
    let mut commands = valgrind.stdin.take().expect("a pipe");
    writeln!(commands, "{before} 1\n{function} {calls}").expect("the worker reads");
    drop(commands);
    let status = valgrind.wait().expect("wait for valgrind");
    assert!(status.success(), "{command:?}: {status}");
    sum(&std::fs::read_to_string(file.path()).expect("callgrind has written the file"))
}

/// All instructions in a file of callgrind's.
fn all(callgrind: &str) -> i64 {
    let totals = callgrind.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.and_then(|total| total.parse().ok()).expect("callgrind counts")
}

/// Those of RMCP's own libraries: what the real runtime runs depends on where its memory happens to lie.
fn in_rmcp(callgrind: &str) -> i64 {
    // An object is named once, and has a number; what follows is spent in it. The line below `calls` is spent in another.
    let (mut own, mut inside, mut is_callee, mut sum) = (Vec::new(), false, false, 0);
    for line in callgrind.lines() {
        if let Some((number, name)) = line
            .strip_prefix("ob=")
            .or(line.strip_prefix("cob="))
            .map(|object| object.split_once(' ').unwrap_or((object, "")))
        {
            if name.contains("/librmcp.so") || name.contains("/librmcp_core.so") {
                own.push(number.to_owned());
            }
            if line.starts_with("ob=") {
                inside = own.iter().any(|own| own == number);
            }
        } else if line.starts_with("calls=") {
            is_callee = true;
        } else if line.starts_with(['+', '-', '*']) || line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<i64>().ok());
            sum += cost.filter(|_| inside && !is_callee).unwrap_or_default();
            is_callee = false;
        }
    }
    sum
}

/// Holds the counts against those of `counts.toml`, or writes them.
fn assert_no_more(table: &str, counts: Counts) {
    const FILE: &str = "benches/counts.toml";
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());

    let path = format!("{}/counts.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut tables: BTreeMap<String, Counts> = toml::from_str(&text).expect("counts.toml is TOML");
    if std::env::var_os("WRITE_GENERATED").is_some() {
        tables.insert(table.to_owned(), counts);
        return generated_text::check(FILE, &counts_toml(&tables));
    }
    let known = tables.remove(table).unwrap_or_default();
    let more: Vec<_> = counts
        .iter()
        .filter(|(name, count)| known.get(*name).is_none_or(|known| **count > known + MORE))
        .map(|(name, count)| format!("{name}: {count}, {FILE} has {:?}", known.get(name)))
        .collect();
    assert!(
        more.is_empty(),
        "RMCP runs more instructions in these calls:\n{}\nFind out why (`perf annotate`, `objdump -d`). If it must be so, \
         `cargo xtask generate --observed` writes the new counts; say in the commit what they are for.",
        more.join("\n")
    );
}

fn counts_toml(tables: &BTreeMap<String, Counts>) -> String {
    let mut text = "# Instructions that RMCP adds to a call. Written and held by instructions.rs: `cargo xtask generate --observed`.\n"
        .to_owned();
    for (table, counts) in tables {
        let _ = write!(text, "\n[{table}]\n");
        for (name, count) in counts {
            let _ = writeln!(text, "{name:?} = {count}");
        }
    }
    text
}
