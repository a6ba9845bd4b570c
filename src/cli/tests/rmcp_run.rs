//! rmcp-run as a command, with empty libraries in place of RMCP's.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const TOOL: &str = "ROCPROFILER_REGISTER_LIBRARY";

/// rmcp-run in bin/ and two empty libraries in lib/rmcp/, as installed.
struct Installed(TempDir);

impl Installed {
    fn new() -> Self {
        let installed = Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let library = installed.library();
        fs::create_dir_all(library.parent().unwrap()).unwrap();
        fs::create_dir(installed.root().join("bin")).unwrap();
        // A copy could be "busy": another test's child holds the descriptor that wrote it until it executes.
        fs::hard_link(env!("CARGO_BIN_EXE_rmcp-run"), installed.bin()).unwrap();
        let cc = ["-shared", "-nostdlib", "-x", "c", "/dev/null", "-o"];
        assert!(Command::new("cc").args(cc).arg(&library).status().unwrap().success());
        fs::copy(&library, library.with_file_name("librmcp_core.so")).unwrap();
        installed
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn bin(&self) -> PathBuf {
        self.root().join("bin/rmcp-run")
    }

    fn library(&self) -> PathBuf {
        self.root().join("lib/rmcp/librmcp.so")
    }

    /// rmcp-run with these arguments, no variable of RMCP and no file.
    fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(self.bin());
        command.args(args).env_remove("LD_PRELOAD").env_remove("AMD_OPT_FLUSH");
        command.env_remove("HSA_OVERRIDE_GFX_VERSION").env_remove(TOOL);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"RMCP_")) {
            command.env_remove(name);
        }
        command.env("RMCP_CONFIG", "");
        command
    }

    /// The same on a machine with these GPUs, the first at node 1. Those of odd nodes have a unique id.
    fn on(&self, gpus: &[u32], args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let topology = self.root().join("topology");
        let node = |number: usize, gpu_id: usize, properties: String| {
            let folder = topology.join(format!("nodes/{number}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("gpu_id"), format!("{gpu_id}\n")).unwrap();
            fs::write(folder.join("properties"), properties).unwrap();
        };
        node(0, 0, "cpu_cores_count 12\nsimd_count 0\n".into());
        for (index, version) in gpus.iter().enumerate() {
            let (number, place) = (index + 1, (index + 1) << 8);
            let unique_id = if number % 2 == 1 { 0xabc0 + number } else { 0 };
            node(
                number,
                number,
                format!("simd_count 72\ngfx_target_version {version}\nlocation_id {place}\nunique_id {unique_id}\n"),
            );
        }
        let mut command = self.command(args);
        command.env("RMCP_TOPOLOGY", topology);
        command
    }

    fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.command(args).output().unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line of a failure that ends with this status.
fn failure(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert_eq!(output.stdout, b"");
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

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
fn the_core_is_the_tool_that_the_runtimes_tables_go_to_where_the_option_is_on() {
    let installed = Installed::new();
    let core = installed.library().with_file_name("librmcp_core.so");
    let run = |option| stdout(&installed.run(["--set", option, "sh", "-c", &format!("echo ${TOOL}")]));
    assert_eq!(run("dispatch_table=on"), format!("{}\n", core.display()));
    assert_eq!(run("dispatch_table=off"), "\n");
}

#[test]
fn a_profiler_that_the_runtimes_tables_go_to_is_not_replaced() {
    let installed = Installed::new();
    let output = installed.command(["--set", "dispatch_table=on", "echo", "ran"]).env(TOOL, "profiler.so").output();
    let line = failure(&output.unwrap(), 125);
    assert!(line.contains(&format!("{TOOL} is \"profiler.so\"; unset it, or add --set dispatch_table=off")), "{line}");
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
fn the_override_of_another_generation_is_gone_from_the_program_and_the_user_hears_why() {
    let installed = Installed::new();
    let mut command = installed.on(&[100_300], ["sh", "-c", "echo ${HSA_OVERRIDE_GFX_VERSION-gone}"]);
    let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
    assert_eq!(stdout(&output), "gone\n");
    let line = stderr(&output);
    assert!(
        line.starts_with(
            "rmcp-run: HSA_OVERRIDE_GFX_VERSION=11.0.0 is removed for gfx1030 at 0000:01:00.0 (--keep-env keeps it)"
        ),
        "{line}"
    );
    assert!(line.ends_with("(recipe override-other-major)\n"), "{line}");
    assert_eq!(line.lines().count(), 1);
}

#[test]
fn keep_env_keeps_it_and_no_recipes_says_nothing() {
    let installed = Installed::new();
    for (option, words) in [("--keep-env", "and kept as you wish"), ("--no-recipes", "")] {
        let mut command = installed.on(&[100_300], [option, "sh", "-c", "echo $HSA_OVERRIDE_GFX_VERSION"]);
        let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
        assert_eq!(stdout(&output), "11.0.0\n");
        assert!(stderr(&output).contains(words) && (words.is_empty() == stderr(&output).is_empty()), "{output:?}");
    }
}

#[test]
fn disabled_or_excluded_rmcp_run_leaves_the_environment_to_the_user() {
    let installed = Installed::new();
    let file = installed.root().join("rmcp.toml");
    fs::write(&file, "exclude = ['sh']\n").unwrap();
    for (name, value) in [("RMCP_DISABLE", OsStr::new("1")), ("RMCP_CONFIG", file.as_os_str())] {
        let mut command = installed.on(&[100_300], ["sh", "-c", "echo $HSA_OVERRIDE_GFX_VERSION"]);
        let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").env(name, value).output().unwrap();
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("11.0.0\n", ""), "{name}");
    }
}

#[test]
fn explain_says_why_rmcp_does_nothing_in_a_program() {
    let installed = Installed::new();
    let file = installed.root().join("rmcp.toml");
    fs::write(&file, "exclude = ['sh']\n[system]\nonly = ['python3']\n").unwrap();
    let explained = |program: &str| {
        let mut command = installed.on(&[100_300], ["--dry-run", "--explain", program]);
        stdout(&command.env("RMCP_CONFIG", &file).output().unwrap())
    };
    let why = format!("RMCP: inactive, the program is excluded by \"sh\" ({}:1)\n", file.display());
    assert!(explained("sh").contains(&why), "{}", explained("sh"));
    // rmcp-run has RMCP in it, whatever holds where nobody asked.
    assert!(!explained("true").contains("inactive"), "{}", explained("true"));
}

#[test]
fn dry_run_shows_what_is_set_and_what_is_removed() {
    let installed = Installed::new();
    let mut command = installed.on(&[100_300, 100_306], ["-n", "sh"]);
    let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
    let expected = format!(
        "set LD_PRELOAD={}\nset ROCR_VISIBLE_DEVICES=GPU-000000000000abc1\nremove HSA_OVERRIDE_GFX_VERSION (was 11.0.0)\n",
        installed.library().display()
    );
    assert_eq!(stdout(&output), expected);
}

#[test]
fn explain_says_why_and_from_where() {
    let installed = Installed::new();
    let output = installed.on(&[100_300, 100_306], ["-n", "-v", "sh"]).output().unwrap();
    let text = stdout(&output);
    for part in [
        "GPUs: gfx1030 at 0000:01:00.0, gfx1036 at 0000:02:00.0\n",
        "set ROCR_VISIBLE_DEVICES=GPU-000000000000abc1\n    gfx1036 at 0000:02:00.0: The runtime also counts",
        "recipe igpu-beside-card, confidence A: https://",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let output = installed.on(&[100_300, 100_306], ["-v", "echo", "ran"]).output().unwrap();
    assert_eq!(stdout(&output), "ran\n");
    assert!(stderr(&output).contains("recipe igpu-beside-card"));
}

#[test]
fn json_has_every_change_with_its_recipe() {
    let installed = Installed::new();
    let mut command = installed.on(&[100_300], ["-n", "--json", "--profile", "miopen-gemm-fault", "sh"]);
    let output = command.env("HSA_OVERRIDE_GFX_VERSION", "11.0.0").output().unwrap();
    assert_eq!(stderr(&output), "");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "rmcp.run/1");
    let changes = json["changes"].as_array().unwrap();
    let shown =
        |change: &serde_json::Value| [&change["variable"], &change["value"], &change["recipe"]["id"]].map(Clone::clone);
    assert_eq!(changes[0]["recipe"], serde_json::Value::Null);
    assert_eq!(
        shown(&changes[1]),
        ["HSA_OVERRIDE_GFX_VERSION".into(), serde_json::Value::Null, "override-other-major".into()]
    );
    assert_eq!(changes[1]["before"], "11.0.0");
    assert_eq!(shown(&changes[2]), ["MIOPEN_DEBUG_CONV_GEMM", "0", "miopen-gemm-fault"].map(serde_json::Value::from));
    assert_eq!(json["notes"][0]["warning"], true);
}

#[test]
fn json_is_for_a_dry_run() {
    let output = Installed::new().run(["--json", "echo", "ran"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]));
}

#[test]
fn every_profile_is_listed_with_its_reason_and_source() {
    let installed = Installed::new();
    let list = stdout(&installed.run(["--list-profiles"]));
    for (name, recipe) in rmcp_cli::recipes::profiles() {
        assert!(list.contains(name) && list.contains(&recipe.why) && list.contains(&recipe.sources[0]), "{list}");
    }
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
fn a_profile_that_does_nothing_here_says_so_and_the_program_runs() {
    let installed = Installed::new();
    let output = installed.on(&[100_300], ["-p", "gfx1010-conv-hang", "echo", "ran"]).output().unwrap();
    assert_eq!(stdout(&output), "ran\n");
    assert!(stderr(&output).contains("the profile gfx1010-conv-hang changes nothing here; it is for:"), "{output:?}");
}

/// What an RX 6800's rmcp-run believes that this command computes with.
fn framework(
    installed: &Installed,
    folder: &Path,
    command: &[&OsStr],
    environment: &[(&str, &OsStr)],
) -> serde_json::Value {
    let mut run = installed.on(&[100_300], [OsStr::new("-n"), OsStr::new("--json")]);
    run.args(command).current_dir(folder).envs(environment.iter().copied());
    let output = run.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["framework"].is_null(), json["rocm"].is_null());
    json["framework"].clone()
}

fn script(folder: &Path, name: &str, first_line: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("{first_line}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A virtual environment with PyTorch. Its interpreter is a shell.
fn venv_with_pytorch(root: &Path, at: &str) -> PathBuf {
    let venv = root.join(at);
    let site = venv.join("lib/python3.11/site-packages");
    fs::create_dir_all(site.join("torch")).unwrap();
    fs::create_dir_all(site.join("torch-2.4.1.dist-info")).unwrap();
    fs::create_dir_all(venv.join("bin")).unwrap();
    fs::write(site.join("torch/version.py"), "hip: Optional[str] = '6.1.40091-a8dbc0c19'\n").unwrap();
    fs::write(venv.join("pyvenv.cfg"), "version = 3.11.2\n").unwrap();
    std::os::unix::fs::symlink("/bin/sh", venv.join("bin/python3")).unwrap();
    std::os::unix::fs::symlink("python3", venv.join("bin/python")).unwrap();
    venv
}

#[test]
fn pytorch_is_found_behind_scripts_and_launchers() {
    let installed = Installed::new();
    let root = installed.root();
    let venv = |at: &str| venv_with_pytorch(&root, at);
    let venv_here = venv("one");
    let bin = venv_here.join("bin");
    let python = bin.join("python");
    let torchrun = script(&root, "one/bin/torchrun", &format!("#!{}", python.display()));
    let by_env = script(&root, "by-env", "#!/usr/bin/env -S python3");
    let shell = script(&root, "somewhere/webui.sh", "#!/bin/sh");
    let path = std::env::join_paths([bin.as_path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let path: &[(&str, &OsStr)] = &[("PATH", &path)];
    let active: &[(&str, &OsStr)] = &[("VIRTUAL_ENV", venv_here.as_os_str())];
    let os = OsStr::new;
    let finds = |command: &[&OsStr], environment| framework(&installed, &root, command, environment);
    for (command, environment) in [
        (&[python.as_os_str()][..], &[][..]),
        (&[torchrun.as_os_str()], &[]),
        (&[by_env.as_os_str()], path),
        (&[os("python3"), os("train.py")], path),
        (&[os("env"), os("A=b"), os("python3"), os("train.py")], path),
        (&[os("nice"), os("-n"), os("5"), os("env"), os("python3")], path),
        (&[os("timeout"), os("-k"), os("5"), os("60"), os("stdbuf"), os("-oL"), torchrun.as_os_str()], &[]),
        (&[os("sh"), os("-c"), os("A=b exec python3 train.py")], path),
        (&[os("env"), os("-u"), os("A"), os("-S"), os("python3 train.py")], path),
        (&[shell.as_os_str()], active),
    ] {
        assert_eq!(finds(command, environment), "PyTorch 2.4.1", "{command:?}");
    }
    let nothing = [&[shell.as_os_str()][..], &[os("env")], &[os("env"), os("A=b"), os("no-such-program")], &[os("sh")]];
    for command in nothing {
        assert!(finds(command, &[]).is_null(), "{command:?}");
    }
    // The environments that web interfaces and uv keep beside them.
    venv("somewhere/venv");
    assert_eq!(finds(&[shell.as_os_str()], &[]), "PyTorch 2.4.1");
    venv("project/.venv");
    let uv = script(&root, "uv", "#!/bin/sh");
    fs::create_dir_all(root.join("project/src")).unwrap();
    let run = [uv.as_os_str(), os("run"), os("train.py")];
    assert_eq!(framework(&installed, &root.join("project/src"), &run, &[]), "PyTorch 2.4.1");
    assert!(framework(&installed, &root, &run, &[]).is_null());
}

/// What rmcp-run says of this command on a machine with an RX 6800, where PyTorch's Python is in PATH. It runs nothing.
fn said(installed: &Installed, command: &[&str]) -> String {
    let bin = installed.root().join("venv/bin");
    if !bin.exists() {
        venv_with_pytorch(&installed.root(), "venv");
        for name in ["mylauncher", "uv", "sudo"] {
            script(&installed.root(), &format!("venv/bin/{name}"), "#!/bin/true");
        }
    }
    let path = std::env::join_paths([bin.as_path(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let output = installed.on(&[100_300], [&["-n"], command].concat()).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stderr(&output).replace(installed.root().to_str().unwrap(), "ROOT")
}

#[test]
fn where_it_is_not_known_what_runs_one_line_says_that_recipes_were_not_applied() {
    let installed = Installed::new();
    let missed = "rmcp-run: recipes that depend on the program were not applied: ";
    for (command, why) in [
        (
            &["env", "--wat", "python3"][..],
            "what env starts after its option --wat is not known here; put rmcp-run before the program itself\n",
        ),
        (
            &["sh", "-c", "cd / && python3 train.py"],
            "a shell runs more than one plain command there; put rmcp-run before the program itself\n",
        ),
        (
            &["mylauncher", "-v", "python3", "train.py"],
            "whether mylauncher starts python3 is not known here; put rmcp-run before the program itself\n",
        ),
        (
            &["uv", "run", "--with", "x", "train.py"],
            "which Python environment uv run takes cannot be told before it runs; write `uv run --with x rmcp-run python train.py`\n",
        ),
    ] {
        assert_eq!(said(&installed, command), format!("{missed}{why}"), "{command:?}");
    }
    // These start no program that a recipe knows of.
    for command in [
        &["sh", "-c", "echo $HOME; ls | sort"][..],
        &["ls", "-l", "sort"],
        &["mylauncher", "--python3"],
        &["python3", "mylauncher", "python3"],
        &["timeout", "5", "python3", "train.py"],
        &["uv", "pip", "install", "python3"],
    ] {
        assert_eq!(said(&installed, command), "", "{command:?}");
    }
}

#[test]
fn a_launcher_that_keeps_rmcp_out_runs_with_its_environment_and_a_word_on_what_to_write() {
    let installed = Installed::new();
    let outside =
        "starts its program without this environment: RMCP cannot reach it, so it runs with its environment unchanged";
    for (command, launcher, write) in [
        (
            &["sudo", "-u", "ada", "python3", "train.py"][..],
            "ROOT/venv/bin/sudo",
            "sudo -u ada rmcp-run python3 train.py",
        ),
        (&["nice", "sudo", "python3"], "ROOT/venv/bin/sudo", "nice sudo rmcp-run python3"),
        (&["env", "-i", "python3"], "/usr/bin/env", "env -i rmcp-run python3"),
    ] {
        assert_eq!(
            said(&installed, command),
            format!("rmcp-run: {launcher} {outside}; write `{write}`\n"),
            "{command:?}"
        );
    }
    let output = installed.run(["env", "-i", "/bin/sh", "-c", "echo ran ${LD_PRELOAD-without}"]);
    assert_eq!(stdout(&output), "ran without\n");
}

#[test]
fn what_a_launcher_sets_is_the_users() {
    let installed = Installed::new();
    let over = "HSA_OVERRIDE_GFX_VERSION";
    let run = |set: &str| {
        let script = format!("printenv {over}");
        let output = installed.on(&[100_300], ["env", set, "sh", "-c", &script]).output().unwrap();
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    let (value, line) = run(&format!("{over}=11.0.0"));
    assert_eq!(value, "11.0.0\n");
    let harmful =
        format!("rmcp-run: {over}=11.0.0 is harmful on gfx1030 at 0000:01:00.0, and set after rmcp-run, which cannot");
    assert!(line.starts_with(&harmful), "{line}");
    let explained = |set: &str| stdout(&installed.run(["-n", "-v", "env", set, "true"]));
    assert!(explained("RMCP_DISABLE=1").contains("RMCP: inactive, RMCP_DISABLE is set\n"));
    assert!(!explained("RMCP_DISABLE=0").contains("inactive"));
}

#[test]
fn sections_and_exclude_go_by_what_runs_behind_scripts_and_launchers() {
    let installed = Installed::new();
    let python = venv_with_pytorch(&installed.root(), "venv").join("bin/python");
    let tool = script(&installed.root(), "tool", &format!("#!{}", python.display()));
    let tool = tool.to_str().unwrap();
    let file = installed.root().join("rmcp.toml");
    for (exclude, command, inactive) in [
        ("python", &[tool][..], true),
        ("python", &["env", "A=b", tool], true),
        ("python", &["timeout", "5", "sh", "-c", &format!("exec {tool}")], true),
        ("tool", &[tool], false),
        ("env", &["env", tool], false),
        ("timeout", &["timeout", "5", tool], false),
        ("env", &["env", "--wat", tool], true),
    ] {
        fs::write(&file, format!("exclude = [{exclude:?}]\n")).unwrap();
        let mut run = installed.on(&[100_300], [&["-n", "-v"], command].concat());
        let text = stdout(&run.env("RMCP_CONFIG", &file).output().unwrap());
        assert_eq!(text.contains("RMCP: inactive"), inactive, "{exclude}: {command:?}: {text}");
    }
}

#[test]
fn what_a_terminal_would_act_on_is_shown() {
    let installed = Installed::new();
    let acts = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\n');
    let said = stderr(&installed.run(["no\u{1b}[2Jprogram\u{9b}"]));
    assert!(!acts(&said) && said.contains(r"no\u{1b}[2Jprogram\u{9b}"), "{said:?}");
    for arguments in [&["--set", "host=\u{1b}[2J\u{9b}", "true"][..], &["--x\u{1b}[2J\u{9b}", "true"]] {
        let said = stderr(&installed.run(arguments));
        assert!(!acts(&said), "{said:?}");
    }
    let mut run =
        installed.on(&[100_300], ["-n", "-v", "env", "HSA_OVERRIDE_GFX_VERSION=\u{1b}[2J\nGPUs: none", "true"]);
    let output = run.output().unwrap();
    assert!(!acts(&stdout(&output)) && !acts(&stderr(&output)), "{output:?}");
}

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

/// A program of this C code.
fn compiled(folder: &Path, name: &str, code: &str, options: &[&str]) -> PathBuf {
    let (source, program) = (folder.join("source.c"), folder.join(name));
    fs::write(&source, code).unwrap();
    let status = Command::new("cc").arg("-o").arg(&program).args(options).arg(&source).status().unwrap();
    assert!(status.success());
    program
}

const SAY: &str = "#include <stdio.h>\n#include <stdlib.h>\n\
    int main(void) { puts(getenv(\"LD_PRELOAD\") ? \"preload\" : \"none\"); return 42; }\n";

#[test]
fn a_static_program_runs_with_a_word_and_passes_the_environment_on() {
    let installed = Installed::new();
    let program = compiled(&installed.root(), "static", SAY, &["-static"]);
    let output = installed.run([&program]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(42), &b"preload\n"[..]));
    let expected = format!(
        "rmcp-run: {} is statically linked: RMCP cannot reach it, only the programs that it starts\n",
        program.display()
    );
    assert_eq!(stderr(&output), expected);
}

#[test]
fn a_script_of_a_static_interpreter_is_out_of_reach_and_the_interpreter_is_named() {
    let installed = Installed::new();
    let interpreter = compiled(&installed.root(), "interpreter", SAY, &["-static"]);
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
    let program = compiled(&installed.root(), "setuid", SAY, &[]);
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
