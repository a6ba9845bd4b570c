//! `rmcp trace`, whose programs get the same environment.

use crate::installed::Installed;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn what_a_killed_trace_left_is_swept_by_the_next_and_that_of_a_running_one_is_not() {
    let installed = Installed::new();
    let temporary = installed.root().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let folders = || fs::read_dir(&temporary).unwrap().count();
    let trace = |program: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rmcp"));
        command.args(["trace", "--quiet", "sh", "-c", program]).env("TMPDIR", &temporary).env("RMCP_CONFIG", "");
        command.env("RMCP_LIBRARY", installed.library()).env_remove("LD_PRELOAD").env_remove("RMCP_DISABLE");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    };
    // It runs as soon as it has said so, until its input ends.
    let start = || {
        let mut child = trace("echo ready; exec cat").spawn().unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        child
    };
    let mut running = start();
    let mut killed = start();
    killed.kill().unwrap();
    drop(killed.stdin.take());
    killed.wait().unwrap();
    assert_eq!(folders(), 2);
    assert!(trace("true").output().unwrap().status.success());
    assert_eq!(folders(), 1, "the running one's is left");
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success(), "and its records are there");
    assert_eq!(folders(), 0);
}
