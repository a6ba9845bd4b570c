//! What cannot be traced, and what is said then.

use crate::traced::{RELEASE, Trace, endings_client};
use rmcp_hip_tests::{Build, require};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A C program, compiled with these arguments.
fn program(folder: &Path, name: &str, source: &str, arguments: &[&str]) -> std::path::PathBuf {
    let (file, path) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).unwrap();
    let compiled = Command::new("cc").args(arguments).arg(&file).arg("-o").arg(&path).status();
    assert!(compiled.expect("a C compiler").success());
    path
}

#[test]
fn a_program_without_gpu_calls_is_told_so_with_what_may_be_behind_it() {
    let mut trace = Trace::new("gfx1010", &[]);
    trace.command.args(["sh", "-c", "echo out; echo err >&2; exit 3"]);
    let traced = trace.run();
    assert_eq!(traced.output.status.code(), Some(3));
    assert_eq!((traced.stdout(), traced.stderr()), ("out\n".into(), "err\n".into()));
    let note = traced.json["notes"][0].as_str().unwrap();
    assert!(note.starts_with("Nothing was allocated through HIP or HSA."), "{note}");
    for word in ["another runtime", "statically", "past RMCP"] {
        assert!(note.contains(word), "{note}");
    }
}

#[test]
fn a_static_and_a_setuid_program_are_told_with_what_to_do() {
    let mut trace = Trace::new("gfx1010", &[]);
    let fixed = program(trace.folder(), "fixed", "int main() { return 0; }", &["-static"]);
    trace.command.arg(fixed);
    let traced = trace.run();
    let note = traced.json["notes"][0].as_str().unwrap();
    assert!(note.contains("is statically linked") && note.contains("link it dynamically"), "{note}");

    let mut trace = Trace::new("gfx1010", &[]);
    let owned = program(trace.folder(), "owned", "int main() { return 0; }", &[]);
    // Setgid, not setuid: for root every file of another group is foreign.
    let given = std::os::unix::fs::chown(&owned, None, Some(65534)).map_err(Into::into);
    let Some(()) = require("the right to give a file to another group", given) else { return };
    fs::set_permissions(&owned, fs::Permissions::from_mode(0o2755)).unwrap();
    trace.command.arg(owned);
    let traced = trace.run();
    let note = traced.json["notes"][0].as_str().unwrap();
    assert!(note.contains("setuid or setgid") && note.contains("sudo rmcp trace"), "{note}");
}

#[test]
fn an_excluded_program_is_told_by_the_entry_that_excludes_it() {
    let mut trace = Trace::new("gfx1010", &["--set", "exclude=sh"]);
    trace.command.args(["sh", "-c", ":"]);
    let note = trace.run().json["notes"][0].as_str().unwrap().to_owned();
    assert!(note.contains("exclude") && note.contains("\"sh\""), "{note}");
}

#[test]
fn a_program_that_cannot_be_started_is_named_with_the_status_that_a_shell_would_have() {
    for (program, status, says) in [
        ("no-such-program-here", 127, "not found in PATH"),
        ("/no/such/file", 127, "no such file"),
        ("/etc", 126, "folder"),
    ] {
        let mut trace = Trace::new("gfx1010", &[]);
        trace.command.arg(program);
        let traced = trace.run();
        assert_eq!(traced.output.status.code(), Some(status), "{program}");
        let stderr = traced.stderr();
        assert!(stderr.starts_with(&format!("rmcp trace: {program}: ")) && stderr.contains(says), "{stderr}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_program_runs() {
    for option in ["--html", "--output"] {
        let mut trace = Trace::new("gfx1010", &[]);
        let witness = trace.folder().join("witness");
        let mut command = Command::new(Build::find().unwrap().rmcp());
        command.args(["trace", option, "/no/such/folder/report", "--", "touch"]).arg(&witness);
        command.envs(trace.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        trace.command = command;
        let traced = trace.run();
        assert_eq!(traced.output.status.code(), Some(125), "{option}");
        let stderr = traced.stderr();
        assert!(stderr.contains("cannot write /no/such/folder/report; the program was not started"), "{stderr}");
        assert!(!witness.exists(), "{option}");
    }
}

#[test]
fn no_program_and_rmcp_disabled_are_refused_with_a_reason() {
    let mut trace = Trace::new("gfx1010", &[]);
    let traced = trace.run();
    assert_eq!(traced.output.status.code(), Some(2), "{}", traced.stderr());
    assert!(traced.stderr().contains("Usage: rmcp trace"), "{}", traced.stderr());

    let mut trace = Trace::new("gfx1010", &[]);
    trace.command.env("RMCP_DISABLE", "1").arg("true");
    let traced = trace.run();
    assert_eq!(traced.output.status.code(), Some(125));
    assert!(traced.stderr().contains("unset it"), "{}", traced.stderr());
}

#[test]
fn nothing_is_left_behind_and_the_page_needs_nothing_else() {
    let page = tempfile::NamedTempFile::new().unwrap();
    let html = page.path().to_str().unwrap();
    let Some(mut trace) = Trace::new("gfx1010", &["--html", html]).client(RELEASE, &endings_client(&["return"])) else {
        return;
    };
    trace.run();
    let left = fs::read_dir(trace.folder()).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("rmcp-trace")).collect();
    assert!(left.is_empty(), "{left:?}");
    let text = fs::read_to_string(page.path()).unwrap();
    for part in ["<!DOCTYPE html>", "Memory over time", "data-kind=\"vram\"", "Asked for and given", "hipHostMalloc"] {
        assert!(text.contains(part), "{part}");
    }
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!text.contains(outside), "{outside}");
    }
}
