//! What cannot be emulated or run, and what is said of it.

use crate::{allocations, emulate, scratch, script, stack, text};
use rmcp_hip_tests::Build;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// What it says, where it fails with this status before any program ran.
#[track_caller]
fn failure(command: &mut Command, status: i32) -> String {
    let (code, stdout, stderr) = text(&command.output().expect("rmcp was built"));
    assert_eq!((code, stdout.as_str()), (Some(status), ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

#[test]
fn an_unknown_card_release_or_description_is_named_with_those_there_are() {
    let said = failure(&mut emulate(["--card", "navi10", "true"]), 125);
    assert!(said.starts_with("rmcp emulate: navi10: "), "{said}");
    assert!(said.contains("gfx1010, gfx1011, gfx1012, gfx1013, gfx1030, gfx1031, gfx1032, gfx1034, gfx1035, gfx1036, gfx1100, gfx90a or the path of a"), "{said}");
    let said = failure(&mut emulate(["--rocm", "9.9", "true"]), 2);
    assert!(said.contains("no ROCm release `9.9` here; known are 5.2.3, 5.7.1, 6.4.3, 7.2.4"), "{said}");
    let (folder, _) = scratch();
    let file = folder.path().join("card.toml");
    fs::write(&file, "[[gpu]]\ngfx = \"rdna1\"\n").unwrap();
    let said = failure(emulate(["--card"]).arg(&file).arg("true"), 125);
    assert!(said.contains(&format!("{}:2: gfx: \"rdna1\" is no gfx target", file.display())), "{said}");
}

#[test]
fn a_log_that_cannot_be_written_is_named() {
    let said = failure(&mut emulate(["--log", "/nowhere/log", "true"]), 125);
    assert!(said.contains("cannot write the log /nowhere/log: No such file"), "{said}");
}

#[test]
fn a_missing_emulator_is_named() {
    let (folder, _) = scratch();
    let build = Build::find().expect("RMCP was built");
    for library in [build.gate(), build.core()] {
        symlink(&library, folder.path().join(library.file_name().unwrap())).unwrap();
    }
    let said = failure(emulate(["true"]).env("RMCP_LIBRARY", folder.path().join("librmcp.so")), 125);
    assert!(said.contains("librmcp_kfd.so is missing: "), "{said}");
}

#[test]
fn a_program_that_is_not_there_or_not_executable_has_the_usual_status() {
    let (folder, _) = scratch();
    let plain = folder.path().join("plain");
    fs::write(&plain, "text").unwrap();
    let said = failure(&mut emulate(["no-such-program"]), 127);
    assert!(said.contains("no-such-program: not found in PATH; ") && said.contains("--rocm 6.4.3"), "{said}");
    assert!(failure(emulate(["--"]).arg(&plain), 126).contains("not executable"));
    if stack().is_none() {
        return;
    }
    let said = failure(&mut emulate(["--rocm", "6.4.3", "no-such-program"]), 127);
    assert!(said.contains("no-such-program: not found in PATH"), "{said}");
    assert!(failure(emulate(["--rocm", "6.4.3"]).arg(&plain), 126).contains("not executable"));
    script(&plain, "text");
    assert!(failure(emulate(["--rocm", "6.4.3"]).arg(&plain), 126).contains("Exec format error"));
}

#[test]
fn a_program_whose_rocm_is_missing_is_told_how_to_get_one() {
    let Some(client) = stack().as_ref().and_then(allocations) else { return };
    let said = failure(emulate(["--"]).arg(&client), 125);
    let expected = format!("{} needs libamdhip64.so.6, which the loader does not find: add --rocm", client.display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_release_is_not_given_to_what_starts_other_programs() {
    if stack().is_none() {
        return;
    }
    let (folder, _) = scratch();
    let path = folder.path().join("tests.sh");
    script(&path, "#!/bin/sh\nrocminfo\n");
    for words in [&[path.as_os_str()][..], &["sh".as_ref(), "-c".as_ref(), "rocminfo; rocminfo".as_ref()]] {
        let said = failure(emulate(["--rocm", "6.4.3"]).args(words), 125);
        assert!(said.contains("write `rmcp emulate --rocm 6.4.3 -- PROGRAM` in the script"), "{said}");
    }
    let detect = format!("{} detect", Build::find().expect("RMCP was built").rmcp().display());
    for words in ["timeout --unknown 1 rocminfo", "sh -c rocminfo", &detect] {
        let said = failure(emulate(["--rocm", "6.4.3"]).args(words.split(' ')), 125);
        assert!(said.contains("put `rmcp emulate --rocm 6.4.3 --` before that program itself"), "{words}: {said}");
    }
}

#[test]
fn a_program_that_the_card_does_not_reach_is_named_and_run() {
    let rescue = Build::find().expect("RMCP was built").gate().with_file_name("rmcp-rescue");
    let (_, stdout, stderr) = text(&emulate(["--"]).arg(&rescue).arg("--help").output().unwrap());
    assert!(stdout.contains("rmcp-rescue"), "{stdout}{stderr}");
    let said = format!("{} is statically linked: it does not see the emulated card; what it starts", rescue.display());
    assert!(stderr.contains(&said), "{stderr}");
    let said = text(&emulate(["env", "LD_PRELOAD=", "true"]).output().unwrap()).2;
    assert!(said.contains("set it before `rmcp emulate` instead"), "{said}");
}
