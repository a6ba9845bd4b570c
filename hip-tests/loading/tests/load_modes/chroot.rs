//! A process whose first call comes when the gate's path leads elsewhere than when it started: no other core is loaded
//! than the one that was installed with the gate.

use crate::process::as_root;
use crate::{NON_COHERENT, SYSTEM, host_malloc, linked};
use rmcp_hip_tests::{Build, Stubs};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An installation, and a folder to be the root of a process, in which others lie under the same paths.
struct Jail {
    folder: tempfile::TempDir,
}

impl Jail {
    fn new() -> Jail {
        let jail = Jail { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(jail.gate().parent().unwrap()).unwrap();
        let build = Build::find().unwrap();
        fs::copy(build.gate(), jail.gate()).unwrap();
        fs::copy(build.core(), jail.core()).unwrap();
        fs::create_dir_all(jail.inside(&jail.gate()).parent().unwrap()).unwrap();
        jail
    }

    fn gate(&self) -> PathBuf {
        self.folder.path().join("installed/librmcp.so")
    }

    fn core(&self) -> PathBuf {
        self.folder.path().join("installed/librmcp_core.so")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where this path leads from inside.
    fn inside(&self, path: &Path) -> PathBuf {
        self.root().join(path.strip_prefix("/").unwrap())
    }

    /// A process that goes inside before its first call does this.
    #[track_caller]
    fn expect(&self, lines: &[String], case: &str) {
        let process = linked().gate(&self.gate()).arg(format!("--chroot={}", self.root().display()));
        if let Some(report) = process.run_as_root(CALLS) {
            assert_eq!((report.lines.as_slice(), report.stderr.as_str()), (lines, ""), "{case}");
        }
    }
}

const CALLS: &str = "hipHostMalloc=0 process";

fn unchanged() -> [String; 2] {
    report("0x0", 0)
}

fn report(flags: &str, cores: u8) -> [String; 2] {
    [host_malloc(SYSTEM, flags), format!("process\tsecure=0\tgate=1\tcore={cores}")]
}

#[test]
fn after_chroot_a_core_of_the_jail_is_not_loaded_and_calls_are_unchanged() {
    let jail = Jail::new();
    fs::copy(Stubs::get().hostile(), jail.inside(&jail.core())).unwrap();
    jail.expect(&unchanged(), "beside no gate");
    fs::copy(jail.gate(), jail.inside(&jail.gate())).unwrap();
    jail.expect(&unchanged(), "beside a copy of the gate");
    fs::remove_file(jail.inside(&jail.gate())).unwrap();
    fs::create_dir(jail.root().join("elsewhere")).unwrap();
    fs::hard_link(jail.gate(), jail.root().join("elsewhere/librmcp.so")).unwrap();
    symlink("/elsewhere/librmcp.so", jail.inside(&jail.gate())).unwrap();
    jail.expect(&unchanged(), "beside a link to the gate itself");
}

#[test]
fn a_core_of_another_user_is_not_loaded() {
    let jail = Jail::new();
    let gate = jail.gate();
    fs::copy(Stubs::get().hostile(), jail.core()).unwrap();
    let process = linked().gate(&gate);
    if process.run_as_root(CALLS).is_none() {
        return;
    }
    let hostile = process.run(CALLS).lines;
    assert_eq!(hostile[0], "hostile", "it shows when it is loaded");
    assert!(as_root().unwrap().arg("chown").arg("65534").arg(jail.core()).status().unwrap().success());
    assert_eq!(process.run(CALLS).lines, unchanged());
}

#[test]
fn after_chroot_to_a_folder_that_has_the_same_files_the_core_is_loaded() {
    let jail = Jail::new();
    for file in [jail.gate(), jail.core()] {
        fs::hard_link(&file, jail.inside(&file)).unwrap();
    }
    // What the core needs and the process has not loaded yet is looked for inside.
    for library in libraries_of(&jail.core()) {
        let inside = jail.inside(&library);
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::copy(&library, inside).unwrap();
    }
    let machine = Stubs::get().topology(&["gfx1010"]);
    copy(&machine, &jail.inside(&machine));
    jail.expect(&report(NON_COHERENT, 1), "the same files");
}

#[test]
fn a_process_that_started_before_an_upgrade_and_calls_after_it_is_left_alone() {
    let jail = Jail::new();
    let new = |file: &Path| file.with_extension("new");
    let mut process = linked().gate(&jail.gate());
    for file in [jail.core(), jail.gate()] {
        fs::copy(&file, new(&file)).unwrap();
        process = process.arg(format!("--rename={}:{}", new(&file).display(), file.display()));
    }
    assert_eq!(process.run(CALLS).lines, unchanged());
}

#[test]
fn of_two_gates_the_first_alone_loads_its_core() {
    let jail = Jail::new();
    let report = linked().gate_again(&jail.gate()).run(CALLS);
    let [call, _] = report.lines.as_slice() else { panic!("{report:?}") };
    assert_eq!(call, &self::report(NON_COHERENT, 1)[0]);
    assert_eq!(report.lines[1], "process\tsecure=0\tgate=2\tcore=1");
}

/// The libraries that an object needs, as this machine's loader finds them.
fn libraries_of(object: &Path) -> Vec<PathBuf> {
    let said = Command::new("ldd").arg(object).output().unwrap();
    let lines = String::from_utf8(said.stdout).unwrap();
    let paths = lines.lines().filter_map(|line| line.split_once(" => ")?.1.split(' ').next());
    paths.map(PathBuf::from).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
