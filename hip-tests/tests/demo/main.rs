//! `rmcp demo` and `rmcp demo --atomics` show what the runtimes do, on an emulated card or on the machine's own, and name
//! what they lack.
#![forbid(unsafe_code)]

use rmcp_hip_tests::{Build, Release, Stack, require};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `rmcp demo --emulated`, once the stack that it is to use is there.
fn demo(release: Release) -> Option<Command> {
    require("a ROCm stack", Stack::fetch(release).and_then(Stack::with_hiprtc))?;
    let mut command = Command::new(Build::find().expect("RMCP was built").rmcp());
    command.args(["demo", "--emulated", "--rocm", release.version()]).stdin(Stdio::null());
    // What the person has set for other programs must not show.
    command.env("RMCP_HOST", "keep").env("RMCP_MANAGED", "keep").env_remove("RMCP_KFD_BUS");
    Some(command)
}

/// What `rmcp demo` says first on the next one.
const ON_A_CARD: &str = "On this machine's gfx1010 at 0000:03:00.0 (emulated by the preloaded librmcp_kfd.so), \
                         with its own ROCm and driver";

/// `rmcp demo` where the machine itself seems to have a gfx1010 with this release. Only the emulator under all of it knows
/// better.
fn demo_on_a_card(release: Release, links: &Path) -> Option<Command> {
    let stack = require("a ROCm stack", Stack::fetch(release).and_then(Stack::with_hiprtc))?;
    let build = Build::find().expect("RMCP was built");
    let installed = build.gate().parent().expect("a folder").to_owned();
    for library in ["librmcp.so", "librmcp_core.so", "librmcp_kfd.so"] {
        symlink(installed.join(library), links.join(library)).expect("a link");
    }
    // Its libc is another than the machine's.
    let clients = ["rmcp-demo-client", "rmcp-atomics-client"];
    let in_stack = stack.command_with_tools(build.atomics_client(), &installed, &clients, links).expect("a loader");
    let mut command = Command::new(build.rmcp());
    command.arg("demo").stdin(Stdio::null());
    command.envs(in_stack.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("RMCP_LIBRARY", links.join("librmcp.so")).env("LD_PRELOAD", build.kfd());
    command.env("RMCP_KFD_MACHINE", "gfx1010").env("RMCP_KFD_EXECUTE", "1");
    Some(command)
}

#[track_caller]
fn output(command: &mut Command) -> Output {
    command.output().expect("rmcp was built")
}

/// What it printed, where it says that all went well.
#[track_caller]
fn success_output(command: &mut Command) -> String {
    let output = output(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).expect("plain text")
}

/// Its complaint, where it fails with this status and prints nothing else.
#[track_caller]
fn failure_message(command: &mut Command, status: i32) -> String {
    let output = output(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    said
}

/// The cells of a table's row that starts with this one.
#[track_caller]
fn row<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    let mut rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    rows.find(|cells| cells[0] == first || cells.get(1) == Some(&first))
        .unwrap_or_else(|| panic!("no {first}:\n{text}"))
}

#[test]
fn the_plain_demonstration_shows_what_reaches_the_kernel() {
    let Some(mut command) = demo(Release::Rocm643) else { return };
    let text = success_output(&mut command);
    assert!(text.starts_with("ROCm 6.4.3 from Debian, unmodified, on an emulated gfx1010: "), "{text}");
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
    assert_eq!(
        row(&text, "hipHostMalloc(0)")[1..],
        ["coherent (uncached): USERPTR COHERENT", "non-coherent (cached): USERPTR"]
    );
    let verdict = "Of 12 calls 5 get non-coherent memory with RMCP and coherent memory without; 0 fail with RMCP, 0 \
                   without.";
    assert_eq!(text.lines().last(), Some(verdict));
}

#[test]
fn the_plain_demonstration_shows_the_same_as_json() {
    let Some(mut command) = demo(Release::Rocm643) else { return };
    let json: Value = serde_json::from_str(&success_output(command.arg("--json"))).unwrap();
    assert_eq!(json["schema"], "rmcp.demo/1");
    let calls = json["calls"].as_array().unwrap();
    let call = calls.iter().find(|call| call["call"] == "hipMallocManaged(Global)").unwrap();
    assert_eq!((&call["without"]["memory"], &call["with"]["memory"]), (&"coherent".into(), &"non-coherent".into()));
}

#[test]
fn the_atomics_are_shown_lost_without_rmcp_and_right_with_it() {
    let Some(mut command) = demo(Release::Rocm643) else { return };
    let text = success_output(command.arg("--atomics"));
    assert!(text.starts_with("ROCm 6.4.3 from Debian, unmodified, on an emulated gfx1010.\n"), "{text}");
    assert!(text.contains("The bus is a model, RMCP_KFD_BUS=basic:\n"), "{text}");
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
    // It fits a terminal; the last line may be folded.
    assert!(text.lines().rev().skip(1).all(|line| line.len() < 80), "{text}");
    assert_eq!(row(&text, "hipHostMalloc(0)")[2..], ["20 wrong", "right", "right"]);
    assert_eq!(row(&text, "hipHostMalloc(Coherent)")[2..], ["20 wrong", "20 wrong", "right"]);
    assert_eq!(row(&text, "hipHostRegister(0)")[2..], ["20 wrong", "20 wrong", "right"]);
    assert_eq!(row(&text, "min uint32")[1..], ["...", "X..", "X..", "...", "XX.", "...", "X..", "X..", "XX."]);
    assert_eq!(row(&text, "add uint32")[1..], ["..."; 9]);
    let verdict = "Of 252 pairs of operation and memory 120 are wrong without RMCP, 40 with it, 0 with host=force and \
                   register=coarse.";
    assert_eq!(text.lines().last(), Some(verdict));
}

#[test]
fn the_atomics_are_shown_as_json_on_another_release_card_and_bus() {
    let Some(mut command) = demo(Release::Rocm724) else { return };
    let command = command.args(["--atomics", "--json", "--machine", "gfx1030"]).env("RMCP_KFD_BUS", "all");
    let json: Value = serde_json::from_str(&success_output(command)).unwrap();
    assert_eq!(json["schema"], "rmcp.demo.atomics/1");
    let source = serde_json::json!({"emulated": true, "card": "gfx1030", "rocm": "7.2.4", "bus": "all"});
    assert_eq!(json["source"], source);
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 28 * 9);
    for result in results {
        for way in ["without", "with", "options"] {
            assert_eq!(result[way], serde_json::json!({"error": null, "wrong": 0, "of": 1024}), "{result}");
        }
    }
}

#[test]
fn the_machines_own_card_and_runtime_are_used_where_there_are_any() {
    // hiprtc is in a library of its own in the one, and in the runtime in the other.
    for (release, wrong) in [(Release::Rocm523, "16 wrong"), (Release::Rocm724, "20 wrong")] {
        let links = tempfile::tempdir().unwrap();
        let Some(mut command) = demo_on_a_card(release, links.path()) else { return };
        let text = success_output(command.arg("--atomics"));
        assert_eq!(text.lines().next(), Some(format!("{ON_A_CARD}:").as_str()));
        assert_eq!(row(&text, "hipHostMalloc(0)")[2..], [wrong, "right", "right"]);
    }
    let links = tempfile::tempdir().unwrap();
    let Some(mut command) = demo_on_a_card(Release::Rocm643, links.path()) else { return };
    let text = success_output(&mut command);
    assert!(text.starts_with(&format!("{ON_A_CARD}.\n")), "{text}");
    assert_eq!(row(&text, "hipHostMalloc(0)")[2], "non-coherent (cached): USERPTR");
}

#[test]
fn a_runtime_that_is_not_there_is_named() {
    let links = tempfile::tempdir().unwrap();
    let Some(mut command) = demo_on_a_card(Release::Rocm643, links.path()) else { return };
    let said = failure_message(command.args(["--runtime", "/nowhere/libamdhip64.so"]), 1);
    assert!(said.contains("/nowhere/libamdhip64.so is no file"), "{said}");
}

#[test]
fn an_unknown_card_is_refused_with_those_there_are() {
    for kind in [&[][..], &["--atomics"]] {
        let Some(mut command) = demo(Release::Rocm643) else { return };
        let said = failure_message(command.args(kind).args(["--machine", "navi10"]), 1);
        assert!(said.starts_with("rmcp: ") && said.contains("navi10"), "{said}");
        assert!(said.contains("gfx1010, gfx1011, gfx1012, gfx1013, gfx1030, gfx1031, gfx1032, gfx1034, gfx1035, gfx1036, gfx1100, gfx90a or the path"), "{said}");
    }
}

#[test]
fn the_atomics_are_refused_on_a_card_whose_kernels_cannot_run() {
    let Some(mut command) = demo(Release::Rocm643) else { return };
    let said = failure_message(command.args(["--atomics", "--machine", "gfx1100"]), 1);
    assert!(said.contains("gfx1100 is another; choose gfx1010 or gfx1030"), "{said}");
}

#[test]
fn an_unknown_release_is_refused_with_those_there_are() {
    let rmcp = Build::find().expect("RMCP was built").rmcp();
    let said = failure_message(Command::new(rmcp).args(["demo", "--rocm", "9.9"]), 2);
    assert!(said.contains("no ROCm release `9.9` here; known are 5.2.3, 5.7.1, 6.4.3, 7.2.4"), "{said}");
}

#[test]
fn an_unknown_bus_is_refused_with_those_there_are() {
    let Some(mut command) = demo(Release::Rocm643) else { return };
    let said = failure_message(command.arg("--atomics").env("RMCP_KFD_BUS", "fast"), 1);
    assert!(said.contains("RMCP_KFD_BUS=fast is none of: none, basic, all"), "{said}");
}

#[test]
fn a_runtime_without_hiprtc_is_told_from_a_broken_one() {
    let Some(stack) = require("a ROCm stack", Stack::fetch(Release::Rocm724)) else { return };
    let build = Build::find().expect("RMCP was built");
    let mut client = stack.command(build.atomics_client()).expect("a loader");
    client.arg("0").arg(stack.find_library("libamdhip64").expect("a runtime"));
    client.env("LD_PRELOAD", build.kfd()).env("RMCP_KFD_MACHINE", "gfx1010");
    let said = failure_message(&mut client, 1);
    assert!(said.contains("hiprtc, ROCm's compiler for programs that run, is missing"), "{said}");
    assert!(said.contains("Debian's package libhiprtc7"), "{said}");
}
