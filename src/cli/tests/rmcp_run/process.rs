//! The program takes rmcp-run's place: its process, its exit status, its library.

use crate::installed::{Installed, failure, stdout};
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_program_runs_with_the_library_mapped_and_first_in_ld_preload() {
    let installed = Installed::new();
    let library = installed.library().display().to_string();
    assert_eq!(stdout(&installed.run(["sh", "-c", "echo $LD_PRELOAD"])), format!("{library}\n"));
    assert!(stdout(&installed.run(["cat", "/proc/self/maps"])).contains(&library));
}

#[test]
fn other_preloads_stay_and_a_second_rmcp_run_adds_nothing() {
    let installed = Installed::new();
    let library = installed.library().display().to_string();
    let other = installed.root().join("lib/other.so");
    fs::copy(installed.library(), &other).unwrap();
    let mut command =
        installed.command([installed.bin().as_os_str(), "sh".as_ref(), "-c".as_ref(), "echo $LD_PRELOAD".as_ref()]);
    let output = command.env("LD_PRELOAD", format!("{} {library}", other.display())).output().unwrap();
    assert_eq!(stdout(&output), format!("{library}:{}\n", other.display()));
}

#[test]
fn the_command_may_be_reached_through_a_link() {
    let installed = Installed::new();
    let link = installed.root().join("elsewhere");
    std::os::unix::fs::symlink(installed.bin(), &link).unwrap();
    let output =
        Command::new(link).arg("--dry-run").env_remove("RMCP_LIBRARY").env_remove("LD_PRELOAD").output().unwrap();
    assert_eq!(stdout(&output), format!("set LD_PRELOAD={}\n", installed.library().display()));
}

#[test]
fn exit_status_and_signal_are_the_programs() {
    let installed = Installed::new();
    for code in [0, 1, 42, 127, 255] {
        let status = installed.run(["sh", "-c", &format!("exit {code}")]).status;
        assert_eq!(status.code(), Some(code));
    }
    assert_eq!(installed.run(["sh", "-c", "kill -TERM $$"]).status.signal(), Some(15));
}

#[test]
fn process_id_and_standard_input_are_the_programs() {
    let installed = Installed::new();
    let mut command = installed.command(["sh", "-c", "echo $$; cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from outside").unwrap();
    let id = child.id();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), format!("{id}\nfrom outside"));
}

#[test]
fn ignored_signals_stay_ignored_and_others_do_not() {
    // As under systemd, which starts services with SIGPIPE ignored.
    let installed = Installed::new();
    let signals = "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status";
    for ignored in ["", "trap '' PIPE;", "trap '' PIPE HUP INT;"] {
        let script = format!("{ignored} {signals}; {} {signals}", installed.bin().display());
        let output = stdout(&Command::new("sh").args(["-c", &script]).output().unwrap());
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[..3], lines[3..], "{ignored}");
    }
}

#[test]
fn closed_descriptors_stay_closed() {
    let installed = Installed::new();
    let script = format!("{} sh -c 'ls -l /proc/$$/fd >&2' <&-", installed.bin().display());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let listing = String::from_utf8(output.stderr).unwrap();
    assert!(listing.contains(" 2 -> "), "{listing}");
    assert!(!listing.contains(" 0 -> "), "{listing}");
}

#[test]
fn what_follows_the_program_is_the_programs() {
    let installed = Installed::new();
    let output = installed.run(["printf", "%s,", "--dry-run", "-n", "--set", "host", "--", "--help"]);
    assert_eq!(stdout(&output), "--dry-run,-n,--set,host,--,--help,");
}

#[test]
fn a_missing_program_is_127_and_one_line() {
    let installed = Installed::new();
    let line = failure(&installed.run(["no-such-program", "x"]), 127);
    assert_eq!(line, "rmcp-run: no-such-program: not found in PATH\n");
    let line = failure(&installed.run(["/nonexistent/program"]), 127);
    assert_eq!(line, "rmcp-run: /nonexistent/program: no such file\n");
}

#[test]
fn a_script_without_its_interpreter_is_127_and_says_so() {
    let installed = Installed::new();
    let script = installed.root().join("script");
    let write = "echo '#!/nonexistent/interpreter' >script && chmod +x script";
    assert!(Command::new("sh").args(["-c", write]).current_dir(installed.root()).status().unwrap().success());
    let message = "its interpreter or loader does not exist";
    assert!(failure(&installed.run([&script]), 127).contains(message));
    let output = installed.command(["script"]).env("PATH", installed.root()).output().unwrap();
    assert!(failure(&output, 127).contains(message));
}

#[test]
fn a_program_that_is_not_executable_is_126() {
    let installed = Installed::new();
    let file = installed.root().join("file");
    fs::write(&file, "").unwrap();
    assert!(failure(&installed.run([&file]), 126).ends_with("file: not executable\n"));
}

#[test]
fn a_fifo_in_the_place_of_a_program_is_not_waited_for() {
    let installed = Installed::new();
    let fifo = installed.root().join("fifo");
    assert!(Command::new("mkfifo").args(["-m", "755"]).arg(&fifo).status().unwrap().success());
    assert!(failure(&installed.run([&fifo]), 126).ends_with("fifo: not executable\n"));
    assert!(stdout(&installed.run(["-n".as_ref(), "sh".as_ref(), fifo.as_os_str()])).starts_with("set LD_PRELOAD="));
}

#[test]
fn without_its_library_it_runs_nothing_and_says_what_to_do() {
    let installed = Installed::new();
    fs::remove_file(installed.library().with_file_name("librmcp_core.so")).unwrap();
    let line = failure(&installed.run(["echo", "ran"]), 125);
    assert!(line.contains("librmcp_core.so is missing beside"), "{line}");
    let output = installed.command(["echo", "ran"]).env("RMCP_LIBRARY", "/nonexistent/librmcp.so").output().unwrap();
    let line = failure(&output, 125);
    assert!(line.contains("RMCP_LIBRARY is /nonexistent/librmcp.so, which is no file"), "{line}");
}

#[test]
fn rmcp_library_is_used_before_any_other() {
    let installed = Installed::new();
    let own = Installed::new().0.keep();
    let library = own.join("lib/rmcp/librmcp.so");
    let output = installed.command(["-n"]).env("RMCP_LIBRARY", &library).output().unwrap();
    fs::remove_dir_all(&own).unwrap();
    assert_eq!(stdout(&output), format!("set LD_PRELOAD={}\n", library.display()));
}

#[test]
fn a_library_below_a_folder_with_a_blank_is_refused() {
    let installed = Installed::new();
    let blank = installed.root().join("with blank");
    fs::rename(installed.root().join("lib"), &blank).unwrap();
    let library = Path::new(&blank).join("rmcp/librmcp.so");
    let output = installed.command(["echo", "ran"]).env("RMCP_LIBRARY", library).output().unwrap();
    assert!(failure(&output, 125).contains("which LD_PRELOAD cannot express"));
}
