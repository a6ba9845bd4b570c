//! `rmcp doctor --try` says at which step the start of a kernel ends on the real ROCm runtime over an emulated card.
#![forbid(unsafe_code)]

use rmcp_hip_tests::{Build, Release, Stack, machine_on, require};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// Refuses every queue of the driver, as Linux refuses one whose save area has another size.
const FAULTS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
static int is(const char* fault) { const char* set = getenv("FAULT"); return set && !strcmp(set, fault); }
int ioctl(int file, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void* argument = va_arg(list, void*);
    va_end(list);
    if (is("queue") && (request & 0xffff) == 0x4b02) { errno = EINVAL; return -1; }
    return ((int (*)(int, unsigned long, void*))dlsym(RTLD_NEXT, "ioctl"))(file, request, argument);
}
"#;

/// `rmcp doctor --try` with the stack as an installed ROCm of this release: its status, and what it says.
fn doctor(machine: &str, release: &str, environment: &[(&str, &str)]) -> Option<(Option<i32>, Value)> {
    let stack = require("the ROCm stack", Stack::fetch(Release::Rocm643))?;
    let build = require("the built RMCP", Build::find())?;
    let folder = tempfile::tempdir().unwrap();
    let (libraries, rocm) = (folder.path().join("lib"), folder.path().join("rocm"));
    fs::create_dir(&libraries).unwrap();
    for entry in fs::read_dir(build.gate().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), libraries.join(entry.file_name())).unwrap();
    }
    // The program on the stack's C library, which is newer than this machine's.
    let client = libraries.join("rmcp-trial-client");
    let command = stack.command(build.gate().with_file_name("rmcp-trial-client")).unwrap();
    let words: Vec<String> = [command.get_program()].into_iter().chain(command.get_args()).map(quoted).collect();
    fs::remove_file(&client).unwrap();
    fs::write(&client, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))).unwrap();
    fs::set_permissions(&client, Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(rocm.join(".info")).unwrap();
    fs::write(rocm.join(".info/version"), format!("{release}-1\n")).unwrap();
    symlink(stack.library_dir(), rocm.join("lib")).unwrap();
    let faults = compile_faults(folder.path());
    let mut preload = OsString::from(faults);
    preload.push(":");
    preload.push(build.kfd());
    let mut command = Command::new(build.rmcp());
    command.args(["doctor", "--try", "--json"]).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
    command.env("RMCP_CONFIG", "").env("RMCP_LIBRARY", libraries.join("librmcp.so")).env("ROCM_PATH", &rocm);
    command.env("LD_PRELOAD", preload).env("RMCP_KFD_MACHINE", machine).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    Some((output.status.code(), json))
}

fn quoted(word: &std::ffi::OsStr) -> String {
    format!("'{}'", word.to_str().expect("a path in UTF-8"))
}

fn compile_faults(folder: &Path) -> std::path::PathBuf {
    let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
    fs::write(&source, FAULTS).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(compiled.success());
    library
}

/// The status, the step at which it ended, and the problems.
#[track_caller]
fn assert_ends(machine: &str, release: &str, environment: &[(&str, &str)], status: i32, step: &str, problems: &[&str]) {
    let Some((code, said)) = doctor(machine, release, environment) else { return };
    let found = said["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap());
    let found: Vec<&str> = found.collect();
    assert_eq!((code, said["trials"][0]["step"].as_str()), (Some(status), Some(step)), "{said:#}");
    assert_eq!(found, problems, "{said:#}");
}

#[test]
fn a_kernel_runs_where_all_is_well() {
    assert_ends(&machine_on("6.18", "gfx1010"), "6.4.3", &[], 0, "passed", &[]);
}

#[test]
fn a_queue_that_linux_refuses_is_where_it_ends_and_a_release_that_asks_for_one_is_the_cause() {
    let machine = machine_on("6.18", "gfx1010");
    // The release stands beside the links to the runtime, and not beside its file, where RMCP would look.
    assert_ends(&machine, "10.0.0", &[("FAULT", "queue")], 2, "queue", &["rocm.save-area-unmended"]);
    assert_ends(&machine, "6.4.3", &[("FAULT", "queue")], 2, "queue", &["card.kernel-does-not-run"]);
}

#[test]
fn each_other_step_is_told_from_the_others() {
    let unreadable = [("HSA_OVERRIDE_GFX_VERSION", "\"10.3.0\"")];
    assert_ends("gfx1010", "6.4.3", &unreadable, 2, "open", &["override.unreadable"]);
    let no_kernels = [("RMCP_KFD_EXECUTE", "0")];
    assert_ends("gfx1010", "6.4.3", &no_kernels, 2, "result", &["card.kernel-does-not-run"]);
}
