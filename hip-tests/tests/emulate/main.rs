//! `rmcp emulate`: programs of others on a card that is not there.
#![forbid(unsafe_code)]

mod errors;

use rmcp_hip_tests::{Build, Client, Log, Release, Stack, require, self_contained};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RELEASE: Release = Release::Rocm643;
const SAID: &str = "rmcp emulate: the card gfx1010 is emulated; ";

/// `rmcp emulate` with these arguments, and with nothing of the caller's environment.
fn emulate<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let build = Build::find().expect("RMCP was built");
    let mut command = Command::new(build.rmcp());
    command.arg("emulate").args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"RMCP_KFD")) {
        command.env_remove(name);
    }
    command.env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH").env("RMCP_CONFIG", "");
    command
}

/// What it printed, and what it said, where it ended well.
#[track_caller]
fn success(command: &mut Command) -> (String, String) {
    let (status, stdout, stderr) = text(&command.output().expect("rmcp was built"));
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    (stdout, stderr)
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn stack() -> Option<Stack> {
    require("a ROCm stack", Stack::fetch(RELEASE))
}

/// `allocations.cpp`, linked with a runtime that the machine does not have.
fn allocations(stack: &Stack) -> Option<PathBuf> {
    let command = require("a client", Client::Allocations.command(stack))?;
    command.get_args().last().map(PathBuf::from)
}

/// The same with its own ROCm.
fn own_allocations(stack: &Stack) -> Option<PathBuf> {
    require("a client", self_contained(stack, "allocations"))
}

/// A folder, and a log in it.
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("kfd.log");
    (folder, log)
}

/// Whether default pinned memory reached the kernel as coherent.
#[track_caller]
fn is_coherent(log: &Path) -> bool {
    let log = Log::parse(&fs::read_to_string(log).expect("a log")).expect("lines of JSON");
    log.allocation("hipHostMalloc(0)").has("COHERENT")
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("a script");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a script");
}

#[test]
fn the_programs_of_a_release_see_the_card_that_is_chosen() {
    if stack().is_none() {
        return;
    }
    for (options, card) in [(&[][..], "gfx1010"), (&["--card", "gfx1030"], "gfx1030")] {
        let (stdout, stderr) = success(emulate(options).args(["--rocm", "6.4.3", "--", "rocminfo"]));
        assert!(stdout.contains(&format!("Name:                    {card} ")), "{stdout}");
        assert_eq!(stderr, format!("rmcp emulate: the card {card} is emulated; ROCm 6.4.3 from Debian\n"));
    }
}

#[test]
fn the_card_may_be_a_description_and_the_one_of_the_environment() {
    if stack().is_none() {
        return;
    }
    let (folder, _) = scratch();
    let card = rmcp_hip_tests::machine(&["gfx1030", "gfx1010"], true);
    fs::copy(card, folder.path().join("two.toml")).expect("a description");
    let rocminfo = ["--rocm", "6.4.3", "rocminfo"];
    let mut by_option = emulate(["--card", "two.toml"]);
    let mut by_variable = emulate(["--rocm", "6.4.3", "rocminfo"]);
    by_option.args(rocminfo).current_dir(folder.path());
    by_variable.env("RMCP_KFD_MACHINE", "two.toml").current_dir(folder.path());
    for mut command in [by_option, by_variable] {
        let (stdout, _) = success(&mut command);
        assert!(["gfx1010 ", "gfx1030 "].iter().all(|card| stdout.contains(card)), "{stdout}");
    }
}

#[test]
fn a_program_runs_with_a_release_as_it_would_without_rmcp() {
    let Some(client) = stack().as_ref().and_then(allocations) else { return };
    let (_folder, log) = scratch();
    let (stdout, stderr) = success(emulate(["--rocm", "6.4.3", "--log"]).arg(&log).arg("--").arg(client));
    assert!(stdout.contains("\"hipHostMalloc(0)\""), "{stdout}");
    assert_eq!(stderr.lines().next(), Some(format!("{SAID}ROCm 6.4.3 from Debian").as_str()));
    assert!(is_coherent(&log));
}

#[test]
fn a_program_with_its_own_rocm_needs_no_release() {
    let Some(stack) = stack() else { return };
    let Some(client) = own_allocations(&stack) else { return };
    let (_folder, log) = scratch();
    let (stdout, stderr) = success(emulate(["--log"]).arg(&log).arg("--").arg(client));
    assert!(stdout.contains("\"hipHostMalloc(0)\""), "{stdout}");
    let library = stack.library_dir().join("libamdhip64.so.6");
    assert_eq!(stderr.lines().next(), Some(format!("{SAID}its own ROCm is {}", library.display()).as_str()));
    assert!(is_coherent(&log));
}

#[test]
fn rmcp_acts_on_the_emulated_card_whichever_way_it_comes() {
    let Some(stack) = stack() else { return };
    let (Some(client), Some(own)) = (allocations(&stack), own_allocations(&stack)) else { return };
    let build = Build::find().expect("RMCP was built");
    let run: OsString = build.rmcp_run().into();
    let release = ["--rocm", "6.4.3"].map(OsString::from);
    for (options, preloaded, words) in [
        (&[][..], false, vec![run.clone(), own.clone().into()]),
        (&[], true, vec![own.clone().into()]),
        (&release, false, vec![run.clone(), "--set".into(), "managed=keep".into(), client.clone().into()]),
        (&release, true, vec![client.into()]),
    ] {
        let (_folder, log) = scratch();
        let mut command = emulate(options);
        command.env("RMCP_KFD_LOG", &log).arg("--").args(&words);
        if preloaded {
            command.env("LD_PRELOAD", build.gate());
        }
        success(&mut command);
        assert!(!is_coherent(&log), "{options:?} {words:?} {preloaded}");
    }
    // rmcp-run before it.
    let (_folder, log) = scratch();
    let mut command = Command::new(build.rmcp_run());
    success(command.arg(build.rmcp()).args(["emulate", "--log"]).arg(&log).arg(own).env("RMCP_CONFIG", ""));
    assert!(!is_coherent(&log));
}

#[test]
fn what_a_program_starts_has_the_card_and_it_is_said_once() {
    let Some(client) = stack().as_ref().and_then(own_allocations) else { return };
    let client = client.to_str().expect("a plain path");
    let (stdout, stderr) = success(&mut emulate(["sh", "-c", &format!("{client} && env A=1 {client}")]));
    assert_eq!(stdout.matches("\"hipHostMalloc(0)\"").count(), 2, "{stdout}");
    assert_eq!(stderr.matches("emulated").count(), 1, "{stderr}");
}

#[test]
fn launchers_and_python_scripts_run_a_program_with_a_release() {
    if stack().is_none() {
        return;
    }
    let (folder, _) = scratch();
    let (stdout, _) = success(&mut emulate(["--rocm", "6.4.3", "env", "A=1", "timeout", "100", "rocminfo"]));
    assert!(stdout.contains("gfx1010"), "{stdout}");
    let path = folder.path().join("devices.py");
    script(
        &path,
        "#!/usr/bin/env python3\nimport ctypes, sys\nhip = ctypes.CDLL('libamdhip64.so.6')\ncount = ctypes.c_int()\n\
         status = hip.hipGetDeviceCount(ctypes.byref(count))\nprint(sys.argv[1], status, count.value)\n",
    );
    for words in [vec![path.clone()], vec!["python3".into(), path]] {
        let (stdout, _) = success(emulate(["--rocm", "6.4.3", "--"]).args(&words).arg("devices"));
        assert_eq!(stdout, "devices 0 1\n", "{words:?}");
    }
}

#[test]
fn the_end_is_that_of_the_program() {
    let Some(client) = stack().as_ref().and_then(own_allocations) else { return };
    let status = |command: &mut Command| command.stderr(Stdio::null()).status().expect("rmcp was built");
    assert_eq!(status(&mut emulate(["sh", "-c", "exit 7"])).code(), Some(7));
    assert_eq!(status(&mut emulate(["sh", "-c", "kill -TERM $$"])).signal(), Some(15));
    // It has become the program, with the release too.
    let mut child = emulate(["--"]).arg("sleep").arg("100").stderr(Stdio::null()).spawn().expect("rmcp was built");
    child.kill().expect("a child");
    assert_eq!(child.wait().expect("a child").signal(), Some(9));
    assert_eq!(status(emulate(["--rocm", "6.4.3", "--"]).arg(client).stdout(Stdio::null())).code(), Some(0));
    let code = "import os, sys; sys.exit(9) if len(sys.argv) > 1 else os.kill(os.getpid(), 15)";
    let python = ["--rocm", "6.4.3", "python3", "-c", code];
    assert_eq!(status(emulate(python).arg("exit")).code(), Some(9));
    assert_eq!(status(&mut emulate(python)).signal(), Some(15));
}
