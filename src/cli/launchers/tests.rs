//! Command lines on a machine that is made up here.

use super::table::{OptionEffect, launchers, parse_table};
use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

/// A machine with the launchers and some programs in bin/, and Python environments.
struct TestMachine {
    folder: TempDir,
    machine: Machine,
}

impl TestMachine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let path = root.join("bin");
        let variables = [("PATH".into(), path.clone().into_os_string()), ("HOME".into(), root.join("home").into())];
        let case = Self { folder, machine: Machine { root: "/".into(), variables: variables.into() } };
        case.write("bin/elf", "\x7fELF");
        for name in
            launchers().iter().flat_map(|launcher| &launcher.names).map(String::as_str).chain(["prog", "python3"])
        {
            symlink("elf", path.join(name)).unwrap();
        }
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A Python environment: of a virtual environment, or of conda.
    fn environment(&self, name: &str, mark: &str) -> PathBuf {
        self.write(&format!("{name}/bin/python"), "");
        self.write(&format!("{name}/{mark}"), "");
        self.path(name)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.machine.variables.insert(name.into(), value.into());
    }

    /// What these words come to.
    fn by(&self, words: &[&str]) -> ResolvedCommand {
        ResolvedCommand::resolve(&words.iter().map(OsString::from).collect::<Vec<_>>(), &self.machine)
    }

    fn resolve_line(&self, line: &str) -> ResolvedCommand {
        self.by(&shlex::split(line).unwrap().iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The program and its arguments, or why it is not known.
    fn summary(&self, line: &str) -> String {
        let launched = self.resolve_line(line);
        match (&launched.unresolved, launched.environment_lost) {
            (Some(Unresolved::Option { launcher, option }), _) => format!("{launcher} with {option}?"),
            (Some(Unresolved::Text(_)), _) => "text?".into(),
            (Some(Unresolved::Environment { launcher }), _) => format!("{launcher}: environment?"),
            (None, true) => format!("outside: {}", launched.suggestion.unwrap_or_default()),
            (None, false) => {
                let words: Vec<_> = launched.command.iter().map(|word| word.to_string_lossy()).collect();
                words.join(" ")
            }
        }
    }
}

/// Command lines and what each comes to.
fn assert_summaries(cases: &[(&str, &str)]) {
    let case = TestMachine::new();
    for (line, comes_to) in cases {
        assert_eq!(case.summary(line), *comes_to, "{line}");
    }
}

#[test]
fn every_row_is_read_and_its_options_that_matter_are_among_its_options() {
    for launcher in launchers() {
        for option in launcher.effects.keys() {
            assert!(launcher.options.contains_key(option), "{:?}: {option}", launcher.names);
        }
    }
    let names: Vec<_> = launchers().iter().flat_map(|launcher| &launcher.names).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a name stands in one row");
    assert!(parse_table("[[launcher]]\nnames = ['x']\nsource = ''\nops = ''").is_err());
    assert!(parse_table("[[launcher]]\nnames = ['x']\nsource = ''\ndoes = { set = '-a', unset = '-a' }").is_err());
}

#[test]
fn the_documentation_lists_every_launcher() {
    let page = include_str!("../../../docs/guide/run.md");
    let named = |called: &str| page.contains(&format!("`{called}`"));
    for launcher in launchers() {
        for name in &launcher.names {
            let called = launcher.title(OsStr::new(name));
            assert!(named(&called), "docs/guide/run.md does not name `{called}`");
        }
    }
}

#[test]
fn options_are_read_as_getopt_reads_them() {
    assert_summaries(&[
        ("timeout 5 prog -x", "prog -x"),
        ("timeout -k 3 -s KILL 5 prog", "prog"),
        ("timeout -k3 -sKILL 5 prog", "prog"),
        ("timeout -vk3 5 prog", "prog"),
        ("timeout -vk 3 5 prog", "prog"),
        ("timeout --kill-after=3 --foreground 5s prog", "prog"),
        ("timeout --kill-after 3 5s prog", "prog"),
        ("timeout -v -- 5 prog", "prog"),
        ("timeout 5 prog -- --help", "prog -- --help"),
        // As it stands there is no program.
        ("timeout 5", "timeout 5"),
        ("timeout --help", "timeout --help"),
        ("timeout -k", "timeout -k"),
        // What an unknown option does with the next word is not known.
        ("timeout --wait 5 prog", "timeout with --wait?"),
        ("timeout --foreground=yes 5 prog", "timeout with --foreground=yes?"),
        ("timeout -vx 5 prog", "timeout with -vx?"),
        ("timeout -é 5 prog", "timeout with -é?"),
    ]);
}

#[test]
fn each_launcher_is_seen_through() {
    assert_summaries(&[
        ("nice prog", "prog"),
        ("nice -n 5 prog", "prog"),
        ("nice -5 prog", "prog"),
        ("nice --5 prog", "prog"),
        ("nice --adjustment=5 prog", "prog"),
        ("nohup prog", "prog"),
        ("setsid -w prog", "prog"),
        ("stdbuf -oL -e 0 prog", "prog"),
        ("stdbuf --output=L prog", "prog"),
        ("taskset -c 0-3 prog", "prog"),
        ("taskset -ac 0,2 prog", "prog"),
        ("taskset 0x3 prog", "prog"),
        ("taskset -p 0x3 700", "taskset -p 0x3 700"),
        ("taskset -pc 0-3 700", "taskset -pc 0-3 700"),
        ("chrt -f 10 prog", "prog"),
        ("chrt -d -T 1000 -P 2000 0 prog", "prog"),
        ("chrt -p 700", "chrt -p 700"),
        ("ionice -c 2 -n 0 prog", "prog"),
        ("ionice -c2 -n0 -t prog", "prog"),
        ("ionice -p 700", "ionice -p 700"),
        ("numactl --cpunodebind=0 --membind=0 prog", "prog"),
        ("numactl -N 0 -m 0 prog", "prog"),
        ("numactl -l -C +0-3 -- prog", "prog"),
        ("numactl --hardware", "numactl --hardware"),
        ("numactl --shm=/x prog", "numactl with --shm=/x?"),
        ("time -v -o out prog", "prog"),
        ("time -f %e prog", "prog"),
        ("gdb --args prog -q", "prog -q"),
        ("gdb -q -ex run --args prog", "prog"),
        ("rocgdb -batch -ex=run -args prog", "prog"),
        ("gdb -p 700", "gdb -p 700"),
        ("gdb --remote prog", "gdb with --remote?"),
        ("xvfb-run -a prog", "prog"),
        ("xvfb-run -s '-screen 0 1x1x8' --server-num=9 prog", "prog"),
        ("mpirun -np 4 prog", "prog"),
        ("mpirun --np 4 --bind-to none -x A=b -mca btl self --allow-run-as-root prog -np 2", "prog -np 2"),
        ("mpiexec.mpich -n 2 -genv A b prog", "prog"),
        ("mpirun -np4 prog", "mpirun with -np4?"),
        ("mpirun --stream-buffering 1 prog", "mpirun with --stream-buffering?"),
        ("env prog", "prog"),
        ("env -u A -C / B=c prog", "prog"),
        ("env --unset=A --chdir=/ prog", "prog"),
        ("env -uA -vC/ prog", "prog"),
        ("env --block-signal=PIPE --ignore-signal prog", "prog"),
        ("env -S 'A=b prog -x' y", "prog -x y"),
        ("env '-Sprog -x' y", "prog -x y"),
        ("env --default-path prog", "env with --default-path?"),
        ("env", "env"),
        ("nice timeout 5 env A=b taskset 1 prog x", "prog x"),
        // It follows the program by itself.
        ("rmcp-run --dry-run timeout 5 prog", "rmcp-run --dry-run timeout 5 prog"),
        ("env rmcp-run -n prog", "rmcp-run -n prog"),
        ("prog timeout 5 python3", "prog timeout 5 python3"),
    ]);
}

#[test]
fn a_shell_is_seen_through_where_its_text_is_one_plain_command() {
    assert_summaries(&[
        ("sh -c 'prog a b'", "prog a b"),
        ("sh -c 'exec prog'", "prog"),
        ("bash -lc 'A=b C=\"d e\" exec prog \"x y\"' ignored", "prog x y"),
        ("bash --norc -e -o pipefail -c 'prog \"(a)\" \"b;c\" \"*\"'", "prog (a) b;c *"),
        ("dash -c \"prog 'a && \\$b'\"", "prog a && $b"),
        ("sh -c 'timeout 5 prog'", "prog"),
        ("sh -c 'cd / && prog'", "text?"),
        ("sh -c 'prog; prog'", "text?"),
        ("sh -c 'prog > out'", "text?"),
        ("sh -c 'prog $A'", "text?"),
        ("sh -c 'prog \"$A\"'", "text?"),
        ("sh -c 'prog `id`'", "text?"),
        ("sh -c 'prog *'", "text?"),
        ("sh -c 'prog # not'", "text?"),
        ("sh -c 'if prog'", "text?"),
        ("sh -c 'cd prog'", "text?"),
        ("sh -c 'exec -a x prog'", "text?"),
        ("sh -c \"prog 'open\"", "text?"),
        ("sh -c ''", "text?"),
        ("sh --wordexp -c prog", "sh with --wordexp?"),
        ("sh", "sh"),
        ("sh -c", "sh -c"),
        ("env -S 'prog ${A}'", "env -S prog ${A}"),
    ]);
}

#[test]
fn what_a_launcher_does_to_the_environment_is_done() {
    let mut case = TestMachine::new();
    case.set("A", "old");
    case.set("B", "old");
    let launched = case.resolve_line("env -u A B=new timeout 5 sh -c 'C=d prog'");
    let value = |name: &str| launched.machine.variables.get(OsStr::new(name)).and_then(|value| value.to_str());
    assert_eq!((value("A"), value("B"), value("C")), (None, Some("new"), Some("d")));
    let fixed: Vec<_> = launched.pinned.iter().filter_map(|name| name.to_str()).collect();
    assert_eq!(fixed, ["A", "B", "C"]);
    case.write("there/prog", "");
    for line in
        ["env -C there ./prog", "env --chdir=there env -C . ./prog", "mpirun -wd there ./prog", "gdb -cd there ./prog"]
    {
        let here = line.replace("there", case.path("there").to_str().unwrap());
        assert_eq!(case.resolve_line(&here).file, Some(case.path("there/./prog")), "{line}");
    }
    assert_eq!(case.resolve_line("env -C nowhere ./prog").file, None);
}

#[test]
fn where_rmcp_does_not_reach_the_program_it_is_told_what_to_write() {
    assert_summaries(&[
        ("sudo prog", "outside: sudo rmcp-run prog"),
        ("sudo -u ada -E A=b prog 'x y'", "outside: sudo -u ada -E 'A=b' rmcp-run prog 'x y'"),
        ("sudo --user=ada -- prog", "outside: sudo '--user=ada' -- rmcp-run prog"),
        ("sudo -l", "sudo -l"),
        ("sudo --unknown prog", "sudo with --unknown?"),
        ("timeout 5 sudo prog", "outside: timeout 5 sudo rmcp-run prog"),
        ("doas -u ada prog", "outside: doas -u ada rmcp-run prog"),
        ("pkexec --user ada prog", "outside: pkexec --user ada rmcp-run prog"),
        ("env -i prog", "outside: env -i rmcp-run prog"),
        ("env - A=b prog", "outside: env - 'A=b' rmcp-run prog"),
        ("env -u LD_PRELOAD prog", "outside: env -u LD_PRELOAD rmcp-run prog"),
        ("env LD_PRELOAD=/other.so prog", "outside: env 'LD_PRELOAD=/other.so' rmcp-run prog"),
        ("env LD_PRELOAD=/x/librmcp.so prog", "prog"),
        ("sh -c 'LD_PRELOAD= prog'", "outside: "),
    ]);
}

#[test]
fn only_a_list_of_hosts_leads_to_other_machines() {
    let case = TestMachine::new();
    for line in
        ["mpirun -H a,b prog", "mpirun --hostfile x prog", "mpiexec -hosts=a prog", "timeout 5 mpirun -host a prog"]
    {
        assert!(case.resolve_line(line).remote, "{line}");
    }
    assert!(!case.resolve_line("mpirun -np 2 prog").remote);
}

#[test]
fn scripts_lead_to_what_runs_them() {
    let case = TestMachine::new();
    let at = |name: &str| case.path(name).to_str().unwrap().to_owned();
    case.write("by-python", &format!("#!{}\n", at("bin/python3")));
    case.write("by-env", &format!("#!{} python3\n", at("bin/env")));
    case.write("by-words", &format!("#!{} -S python3 -u\n", at("bin/env")));
    case.write("by-script", &format!("#!{}\n", at("by-python")));
    case.write(
        "long",
        &format!("#!{}\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\nimport sys\n", at("bin/sh"), at("bin/python3")),
    );
    for script in ["by-python", "by-env", "by-words", "by-script", "long"] {
        for before in ["", "timeout 5 "] {
            let launched = case.resolve_line(&format!("{before}{} x", at(script)));
            assert_eq!(launched.file, Some(case.path("bin/python3")), "{before}{script}");
            assert_eq!(launched.command.last().unwrap(), "x", "{before}{script}");
        }
    }
    case.write("shell", &format!("#!{}\npython3 x\n", at("bin/sh")));
    for line in [at("shell"), format!("sh {}", at("shell")), format!("bash -e {} x", at("shell"))] {
        let launched = case.resolve_line(&line);
        assert_eq!(launched.script, Some(case.path("shell")), "{line}");
        assert!(!launched.is_python());
    }
    case.write("loop", &format!("#!{}\n", at("loop")));
    case.resolve_line(&at("loop"));
}

#[test]
fn uv_runs_in_the_projects_environment() {
    let mut case = TestMachine::new();
    let project = case.path("project");
    let python = case.environment("project/.venv", "pyvenv.cfg").join("bin/python");
    case.write("project/pyproject.toml", "");
    case.write("project/member/pyproject.toml", "");
    case.write("project/x.py", "import torch\n");
    case.write("project/own.py", "# /// script\n# dependencies = []\n# ///\n");
    case.write("project/.venv/bin/tool", &format!("#!{}\n", python.display()));
    let run = |case: &TestMachine, words: &str| case.resolve_line(&words.replace("HERE", project.to_str().unwrap()));
    for line in [
        "uv run --directory HERE x.py --flag",
        "uv run --project HERE/member -- x.py",
        "uv --directory=HERE -q run --extra rocm python x.py",
        "uv --directory HERE run -m torch.distributed.run x.py",
        "uv --directory HERE run tool",
        "env -C HERE timeout 5 uv run x.py",
    ] {
        assert_eq!(run(&case, line).file.as_ref(), Some(&python), "{line}");
    }
    for line in [
        "uv run --directory HERE own.py",
        "uv run --directory HERE --with torch x.py",
        "uv run --directory HERE -p 3.12 x.py",
        "uv run --isolated --directory HERE x.py",
        "uv run --directory HERE/.. x.py",
    ] {
        assert_eq!(run(&case, line).unresolved, Some(Unresolved::Environment { launcher: "uv run".into() }), "{line}");
    }
    let advice = |line: &str| run(&case, line).advice().replace(project.to_str().unwrap(), "HERE");
    assert_eq!(advice("uv run --directory HERE/.. x.py"), "write `uv run --directory HERE/.. rmcp-run python x.py`");
    assert_eq!(advice("uv run --directory HERE/.. tool"), "write `uv run --directory HERE/.. rmcp-run tool`");
    assert_eq!(run(&case, "uv pip install torch").unresolved, None);
    let other = case.environment("other", "pyvenv.cfg");
    case.set("VIRTUAL_ENV", &other);
    assert_eq!(run(&case, "uv run --directory HERE x.py").file.as_ref(), Some(&python), "the project's comes first");
    assert_eq!(run(&case, "uv run --directory HERE/.. x.py").file, Some(other.join("bin/python")));
    case.set("UV_PROJECT_ENVIRONMENT", &other);
    assert_eq!(run(&case, "uv run --directory HERE x.py").file, Some(other.join("bin/python")));
}

#[test]
fn poetry_runs_in_the_active_environment_or_the_projects() {
    let mut case = TestMachine::new();
    let project = case.path("project");
    case.write("project/pyproject.toml", "");
    let run = |case: &TestMachine| case.resolve_line(&format!("poetry -C {} run python x.py", project.display()));
    assert_eq!(run(&case).unresolved, Some(Unresolved::Environment { launcher: "poetry run".into() }));
    let own = case.environment("project/.venv", "pyvenv.cfg");
    assert_eq!(run(&case).file, Some(own.join("bin/python")));
    let active = case.environment("active", "pyvenv.cfg");
    case.set("VIRTUAL_ENV", &active);
    assert_eq!(run(&case).file, Some(active.join("bin/python")));
    case.machine.variables.remove(OsStr::new("VIRTUAL_ENV"));
    case.set("CONDA_PREFIX", "/conda/envs/x");
    assert!(run(&case).unresolved.is_some());
}

#[test]
fn conda_runs_in_the_environment_that_is_named() {
    let mut case = TestMachine::new();
    let mark = "conda-meta/history";
    let base = case.environment("conda", mark);
    let (one, elsewhere) = (case.environment("conda/envs/one", mark), case.environment("data/two", mark));
    case.write("home/.conda/environments.txt", &format!("{}\n{}\n", base.display(), elsewhere.display()));
    case.set("CONDA_EXE", base.join("bin/conda"));
    let file = |case: &TestMachine, line: &str| case.resolve_line(line).file;
    let python = |prefix: &Path| Some(prefix.join("bin/python"));
    assert_eq!(file(&case, "conda run -n one python x.py"), python(&one));
    assert_eq!(file(&case, "conda run --no-capture-output --name=one --cwd / python x.py"), python(&one));
    assert_eq!(file(&case, &format!("mamba run -p {} python x.py", elsewhere.display())), python(&elsewhere));
    assert_eq!(file(&case, "conda run -n two timeout 5 python x.py"), python(&elsewhere));
    assert_eq!(file(&case, "conda run -n base python x.py"), python(&base));
    assert_eq!(file(&case, "conda run python x.py"), python(&base));
    let unknown = Some(Unresolved::Environment { launcher: "conda run".into() });
    assert_eq!(case.resolve_line("conda run -n three python x.py").unresolved, unknown);
    assert_eq!(
        case.resolve_line("conda run -n one --wat python x.py").unresolved.unwrap(),
        Unresolved::Option { launcher: "conda run".into(), option: "--wat".into() }
    );
    assert_eq!(case.resolve_line("conda install -n one torch").unresolved, None);
    case.environment("home/.conda/envs/one", mark);
    assert_eq!(
        case.resolve_line("conda run -n one python x.py").unresolved,
        unknown,
        "which of two is conda's to decide"
    );
}

#[test]
fn what_is_not_there_starts_nothing_and_what_is_built_into_a_shell_does() {
    let case = TestMachine::new();
    for name in ["sudo", "time"] {
        fs::remove_file(case.path("bin").join(name)).unwrap();
    }
    assert!(!case.resolve_line("sudo prog").environment_lost);
    assert_eq!(case.summary("time prog"), "time prog");
    assert_eq!(case.summary("bash -c 'time prog'"), "prog");
}

#[test]
fn words_that_are_no_text_are_followed_all_the_same() {
    use std::os::unix::ffi::OsStringExt;
    let case = TestMachine::new();
    let odd = OsString::from_vec(b"\xff=\xfe".to_vec());
    let command = ["timeout".into(), "5".into(), "env".into(), odd.clone(), "prog".into(), odd.clone()];
    let launched = ResolvedCommand::resolve(&command, &case.machine);
    assert_eq!(launched.command, ["prog".into(), odd]);
    let option = OsString::from_vec(b"-\xff".to_vec());
    let launched = ResolvedCommand::resolve(&["env".into(), option, "prog".into()], &case.machine);
    assert!(matches!(launched.unresolved, Some(Unresolved::Option { .. })));
    assert!(launchers().iter().all(|launcher| {
        launcher.effects.values().all(|does| *does != OptionEffect::Words || launcher.names == ["env"])
    }));
}
