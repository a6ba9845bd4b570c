//! Programs that no library can be preloaded into.

use crate::installed::{Installed, compiled, script, stderr, stdout};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

const PRINT_PRELOAD: &str = "#include <stdio.h>\n#include <stdlib.h>\n\
    int main(void) { puts(getenv(\"LD_PRELOAD\") ? \"preload\" : \"none\"); return 42; }\n";

/// The program runs, is said to be out of reach since it is `what`, and has RMCP's environment.
#[track_caller]
fn assert_runs_with_a_word(installed: &Installed, program: &Path, what: &str) {
    let output = installed.run([program]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(42), &b"preload\n"[..]));
    let reach = "RMCP cannot reach it, only the programs that it starts";
    assert_eq!(stderr(&output), format!("rmcp-run: {} is {what}: {reach}\n", program.display()));
}

#[test]
fn a_static_program_runs_with_a_word_and_passes_the_environment_on() {
    let installed = Installed::new();
    let program = compiled(&installed.root(), "static", PRINT_PRELOAD, &["-static"]);
    assert_runs_with_a_word(&installed, &program, "statically linked");
}

#[test]
fn a_program_for_musl_runs_with_a_word_and_passes_the_environment_on() {
    let installed = Installed::new();
    let loader = installed.root().join("ld-musl-x86_64.so.1");
    std::os::unix::fs::symlink("/lib64/ld-linux-x86-64.so.2", &loader).unwrap();
    let option = format!("-Wl,--dynamic-linker={}", loader.display());
    let program = compiled(&installed.root(), "musl", PRINT_PRELOAD, &[&option]);
    assert_runs_with_a_word(&installed, &program, "linked with musl");
}

#[test]
fn a_script_of_a_static_interpreter_is_out_of_reach_and_the_interpreter_is_named() {
    let installed = Installed::new();
    let interpreter = compiled(&installed.root(), "interpreter", PRINT_PRELOAD, &["-static"]);
    let script = installed.root().join("script");
    let write = format!("echo '#!{}' >script && chmod +x script", interpreter.display());
    assert!(Command::new("sh").args(["-c", &write]).current_dir(installed.root()).status().unwrap().success());
    let output = installed.run([&script]);
    assert_eq!(output.status.code(), Some(42));
    assert!(stderr(&output).contains("/interpreter is statically linked"), "{output:?}");
}

#[test]
fn a_32_bit_program_runs_with_a_word_and_without_rmcp() {
    // An ELF header, one segment, and exit(42) by int 0x80: nothing here can compile for 32 bits.
    let code = [0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80];
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0".to_vec();
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    elf.extend(words(&[0x0804_8054, 52, 0, 0]));
    elf.extend(b"\x34\0\x20\0\x01\0\0\0\0\0\0\0");
    elf.extend(words(&[1, 0, 0x0804_8000, 0x0804_8000, 0x60, 0x60, 5, 0x1000]));
    elf.extend(code);
    let installed = Installed::new();
    let program = installed.root().join("small");
    fs::write(installed.root().join("data"), elf).unwrap();
    // Written by another process: a descriptor that is open for writing in a child of another test makes it "busy".
    let copy = ["data", "small"].map(|name| installed.root().join(name));
    assert!(Command::new("install").args(["-m", "755"]).args(copy).status().unwrap().success());
    let output = installed.run([&program]);
    assert_eq!(output.status.code(), Some(42), "{output:?}");
    assert!(stderr(&output).contains("is a 32-bit program: RMCP cannot reach it"), "{output:?}");
    let dry = installed.run([OsStr::new("-n"), program.as_os_str()]);
    assert_eq!(stdout(&dry), "");
}

#[test]
fn the_mode_of_a_script_keeps_rmcp_out_of_nothing() {
    let installed = Installed::new();
    let script = script(&installed.root(), "script", "#!/bin/sh");
    let (owner, mode) = (Command::new("chown").arg("65534:65534").arg(&script).output(), ["4755"]);
    assert!(owner.is_ok() && Command::new("chmod").args(mode).arg(&script).status().unwrap().success());
    for command in [&[script.as_os_str()][..], &["env".as_ref(), script.as_os_str()]] {
        let output = installed.run(command);
        assert_eq!((stdout(&output), stderr(&output)), (String::new(), String::new()), "{command:?}");
    }
}

#[test]
fn a_setuid_program_runs_with_a_word_and_without_rmcp() {
    let installed = Installed::new();
    let program = compiled(&installed.root(), "setuid", PRINT_PRELOAD, &[]);
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    // To the owner himself it gives no rights.
    let (bits, words) = if root { ("4755", Some("is setuid")) } else { ("4755", None) };
    if root {
        assert!(Command::new("chown").arg("65534:65534").arg(&program).status().unwrap().success());
    }
    assert!(Command::new("chmod").arg(bits).arg(&program).status().unwrap().success());
    let output = installed.run([&program]);
    assert_eq!(output.status.code(), Some(42), "{output:?}");
    let unchanged = if words.is_some() { "none\n" } else { "preload\n" };
    assert_eq!(String::from_utf8_lossy(&output.stdout), unchanged);
    assert!(words.map_or(stderr(&output).is_empty(), |words| stderr(&output).contains(words)), "{output:?}");
}
