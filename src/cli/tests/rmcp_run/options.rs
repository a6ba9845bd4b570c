//! The command line, and the options of RMCP that it sets.

use crate::installed::{Installed, TOOL, failure, stderr, stdout};
use std::fs;
use std::path::Path;

#[test]
fn options_reach_the_program_as_its_environment() {
    let installed = Installed::new();
    let script = "echo $RMCP_HOST $RMCP_LOG_FILE";
    let output = installed.run(["--set", "host=keep", "-s", "log_file=/tmp/x", "sh", "-c", script]);
    assert_eq!(stdout(&output), "keep /tmp/x\n");
}

#[test]
fn a_wrong_option_runs_nothing_and_says_what_is_allowed() {
    let installed = Installed::new();
    let output = installed.run(["--set", "host=nocoherent", "echo", "ran"]);
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(output.stdout, b"");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("host takes keep, noncoherent, unmapped, force"), "{message}");
}

#[test]
fn dry_run_prints_the_changes_and_runs_nothing() {
    let installed = Installed::new();
    let output = installed.run(["--dry-run", "--set", "managed=keep", "echo", "ran"]);
    let expected = format!("set LD_PRELOAD={}\nset RMCP_MANAGED=keep\n", installed.library().display());
    assert_eq!(stdout(&output), expected);
}

#[test]
fn coarse_registered_memory_comes_with_system_fences() {
    let installed = Installed::new();
    let script = "echo $RMCP_REGISTER $AMD_OPT_FLUSH";
    assert_eq!(stdout(&installed.run(["--set", "register=coarse", "sh", "-c", script])), "coarse 0\n");
    assert_eq!(stdout(&installed.run(["--set", "register=keep", "sh", "-c", script])), "keep\n");
    let output = installed.run(["--dry-run", "--set", "register=coarse"]);
    let expected = ["RMCP_REGISTER=coarse", "AMD_OPT_FLUSH=0"].map(|line| format!("set {line}\n")).concat();
    let expected = format!("set LD_PRELOAD={}\n{expected}", installed.library().display());
    assert_eq!(stdout(&output), expected);
    let set_already = installed.command(["-n", "--set", "register=coarse"]).env("AMD_OPT_FLUSH", "0").output().unwrap();
    assert!(!stdout(&set_already).contains("AMD_OPT_FLUSH"));
    let inactive = installed.run(["-n", "--set", "register=coarse", "--set", "policy=keep"]);
    assert!(!stdout(&inactive).contains("AMD_OPT_FLUSH"));
}

#[test]
fn system_fences_are_set_for_the_programs_whose_section_wants_them() {
    let installed = Installed::new();
    let (file, link) = (installed.root().join("rmcp.toml"), installed.root().join("link"));
    std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
    let shell = Path::new("/bin/sh").canonicalize().unwrap();
    for (program, meant) in [("sh", &*shell), (link.to_str().unwrap(), Path::new("link"))] {
        let flush = |more: &str, program: &[&str]| {
            fs::write(&file, format!("{more}\n[program.{meant:?}]\nregister = 'coarse'\n")).unwrap();
            let mut command = installed.command([program, &["-c", "echo $AMD_OPT_FLUSH"]].concat());
            stdout(&command.env("RMCP_CONFIG", &file).output().unwrap())
        };
        assert_eq!(flush("", &[program]), "0\n", "{program}");
        assert_eq!(flush("exclude = ['sh', 'link']", &[program]), "\n", "{program}");
        assert_eq!(flush("", &["env", "A=b", "timeout", "60", program]), "0\n", "{program}");
        assert_eq!(flush("exclude = ['sh', 'link']", &["nice", program]), "\n", "{program}");
    }
}

#[test]
fn fences_of_another_scope_with_coarse_registered_memory_are_refused() {
    let installed = Installed::new();
    let file = installed.root().join("rmcp.toml");
    fs::write(&file, "register = 'coarse'\n").unwrap();
    for other in ["1", ""] {
        let mut command = installed.command(["echo", "ran"]);
        command.env("RMCP_CONFIG", &file).env("AMD_OPT_FLUSH", other);
        let line = failure(&command.output().unwrap(), 125);
        let expected = format!("rmcp.toml:1) needs AMD_OPT_FLUSH=0, and AMD_OPT_FLUSH is {other:?}; unset it, or");
        assert!(line.contains(&expected), "{line}");
    }
    let output = installed.command(["echo", "ran"]).env("AMD_OPT_FLUSH", "1").output().unwrap();
    assert_eq!(stdout(&output), "ran\n");
}

#[test]
fn the_tool_that_the_runtimes_tables_go_to_is_the_users_choice_whatever_the_option() {
    let installed = Installed::new();
    for option in ["dispatch_table=on", "dispatch_table=off"] {
        let command = || installed.command(["--set", option, "sh", "-c", &format!("echo ${{{TOOL}-none}}")]);
        assert_eq!(stdout(&command().output().unwrap()), "none\n", "{option}");
        assert_eq!(stdout(&command().env(TOOL, "profiler.so").output().unwrap()), "profiler.so\n", "{option}");
    }
}

#[test]
fn help_names_every_option_and_version_is_the_packages() {
    let installed = Installed::new();
    // Long lines are wrapped.
    let words = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let help = words(&stdout(&installed.run(["--help"])));
    for row in rmcp_domain::options::TABLE.iter().filter(|row| row.scope != rmcp_domain::options::Scope::System) {
        assert!(help.contains(&words(row.help())), "{}", row.name);
    }
    assert_eq!(stdout(&installed.run(["--version"])), format!("rmcp-run {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_a_program_it_says_how_it_is_used() {
    let output = Installed::new().run([""; 0]);
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8(output.stderr).unwrap().contains("rmcp-run [OPTIONS] PROGRAM [ARGUMENT]..."));
}

#[test]
fn json_is_for_a_dry_run() {
    let output = Installed::new().run(["--json", "echo", "ran"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]));
}

#[test]
fn an_unknown_profile_or_option_is_answered_with_the_nearest() {
    let installed = Installed::new();
    for (arguments, near) in [
        (["--profile", "low-vramm", "echo"], "'low-vram'"),
        (["--dryrun", "echo", "ran"], "'--dry-run'"),
        (["--set", "hosst=keep", "echo"], "did you mean host?"),
    ] {
        let output = installed.run(arguments);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]));
        assert!(stderr(&output).contains(near), "{}", stderr(&output));
    }
}

#[test]
fn what_a_terminal_would_act_on_is_shown() {
    let installed = Installed::new();
    let acts = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\n');
    let message = stderr(&installed.run(["no\u{1b}[2Jprogram\u{9b}"]));
    assert!(!acts(&message) && message.contains(r"no\u{1b}[2Jprogram\u{9b}"), "{message:?}");
    for arguments in [&["--set", "host=\u{1b}[2J\u{9b}", "true"][..], &["--x\u{1b}[2J\u{9b}", "true"]] {
        let message = stderr(&installed.run(arguments));
        assert!(!acts(&message), "{message:?}");
    }
    let mut run =
        installed.on(&[100_300], ["-n", "-v", "env", "HSA_OVERRIDE_GFX_VERSION=\u{1b}[2J\nGPUs: none", "true"]);
    let output = run.output().unwrap();
    assert!(!acts(&stdout(&output)) && !acts(&stderr(&output)), "{output:?}");
}
