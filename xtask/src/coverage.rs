//! `cargo xtask coverage`: which lines of src and emulator the tests run.
//!
//! The crates of the workspace are compiled to count in files that all processes of one program or library map and share
//! (LLVM's continuous mode): what a process counted stays, also when it is killed. The folder of these files is compiled in:
//! tests start programs without the environment that would name it.

mod lines;

use crate::package::anew;
use crate::run::{cargo, program, root, stdout_of, target};
use anyhow::{Context, Result, ensure};
use lines::Lines;
use rmcp_stacks::{Release, Stack};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is covered less is listed by itself, in percent.
const LOW: f64 = 60.0;

/// The tests that nothing passes which counts: its runtime runs when it is loaded, opens a file, and sets a variable of the
/// environment; and what counts runs more instructions.
const SKIPPED: [&str; 4] = [
    "loading_the_gate_runs_no_code_of_it",
    "loading_the_gate_makes_the_system_calls_of_an_empty_library",
    "every_recipe_gives_its_program_exactly_its_environment",
    "comes_to_run_more_instructions",
];

/// Builds all anew in `<target>/coverage`, runs the tests and prints the tables: with `quick` those of `cargo xtask check`,
/// else also those on the real runtime. What needs a machine of its own is not counted.
///
/// # Errors
/// When something cannot be built, and after the tables when a test fails.
pub fn measure(quick: bool) -> Result<()> {
    let folder = std::path::absolute(target().join("coverage"))?;
    let profiles = folder.join("profiles");
    anew(&profiles)?;
    let compiler = compiler(&folder, &profiles)?;
    let counting =
        |run: crate::run::Task| run.env("RUSTC_WORKSPACE_WRAPPER", &compiler).env("CARGO_TARGET_DIR", &folder);

    counting(program(std::env::current_exe()?).arg("build")).run()?;
    let dist = folder.join("rmcp");
    let tests = "test --workspace --exclude rmcp-gate --exclude rmcp-machines";
    let tests = if quick { format!("{tests} --exclude rmcp-hip-tests") } else { tests.to_owned() };
    let built = counting(cargo(&tests).args(["--no-run", "--message-format=json-render-diagnostics"])).stdout()?;
    let objects = objects(&built, &dist)?;
    let run =
        counting(cargo(&tests).arg("--no-fail-fast").env("RMCP_DIST", &dist)).args(["--", "--skip", "package::tests"]);
    let passed = SKIPPED.iter().fold(run, |run, test| run.args(["--skip", test])).run();

    let profile = folder.join("profile.profdata");
    stdout_of(llvm("llvm-profdata")?.args(["merge", "--sparse", "--output"]).args([&profile, &profiles]))?;
    let report = |arguments: &[&str]| -> Result<String> {
        let mut command = llvm("llvm-cov")?;
        command.args(arguments).arg("--instr-profile").arg(&profile);
        command.args(objects.iter().map(|object| format!("--object={}", object.display())));
        stdout_of(command.args(["--sources", "src", "emulator"]).current_dir(root()))
    };
    let lcov = report(&["export", "--format=lcov"])?;
    fs::write(folder.join("lcov.info"), &lcov).context("cannot write lcov.info")?;
    let html = folder.join("html");
    report(&["show", "--format=html", "--output-dir", html.to_str().context("a path in UTF-8")?])?;
    print!("{}", Lines::read(&lcov, root())?.tables(LOW));
    println!("\neach line: {}", html.join("index.html").display());
    passed
}

/// Writes a compiler for the crates of the workspace, in the place of rustc, and what it links to each program and
/// library: the name of the files in which it counts.
fn compiler(folder: &Path, profiles: &Path) -> Result<PathBuf> {
    let (source, object, script) = (folder.join("profile.c"), folder.join("profile.o"), folder.join("rustc"));
    // %m: one file for each program or library, %c: which is mapped as long as it runs. Before the constructors
    // without a number, of which one opens the file.
    let text = format!(
        "void __llvm_profile_set_filename(const char *);\n\
         __attribute__((constructor(101))) static void profile(void) {{\n\
         \x20   __llvm_profile_set_filename(\"{}/%m%c.profraw\");\n}}\n",
        profiles.display()
    );
    fs::write(&source, text).context("cannot write profile.c")?;
    program("cc").args(["-O1", "-fPIC", "-c", "-o"]).args([&object, &source]).run()?;
    // sh would drop the variables of cargo that have a hyphen in their name.
    let text = format!(
        "#!/bin/bash\nexec \"$@\" -Cinstrument-coverage -Cllvm-args=-runtime-counter-relocation '-Clink-arg={}'\n",
        object.display()
    );
    fs::write(&script, text).context("cannot write a compiler")?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}

/// The programs and libraries that count: those that cargo says that it built for the tests, and those that are installed.
fn objects(built: &str, dist: &Path) -> Result<Vec<PathBuf>> {
    let mut objects = Vec::new();
    for message in built.lines() {
        let message: Value = serde_json::from_str(message).context("a message of cargo's")?;
        let ours = message["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(root()));
        let files = message["filenames"].as_array().into_iter().flatten().chain([&message["executable"]]);
        let programs = files.filter_map(Value::as_str).map(PathBuf::from);
        objects.extend(programs.filter(|file| ours && file.extension().is_none_or(|extension| extension == "so")));
    }
    for installed in ["bin", "lib/rmcp"] {
        let folder = dist.join(installed);
        for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
            objects.push(entry?.path());
        }
    }
    objects.retain(|file| !file.ends_with("build-script-build") && !file.to_string_lossy().ends_with("-client"));
    objects.sort();
    objects.dedup();
    ensure!(!objects.is_empty(), "cargo built nothing");
    Ok(objects)
}

/// A program of the LLVM that rustc has, from Debian, in the cache.
fn llvm(name: &str) -> Result<Command> {
    let version = stdout_of(Command::new("rustc").arg("-vV"))?;
    let major = version.lines().find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next());
    let package = format!("llvm-{}", major.context("rustc does not tell its LLVM")?);
    let stack = Stack::fetch(Release::Rocm643)?.with_packages(&[&package])?;
    stack.command(stack.file(&format!("usr/lib/{package}/bin/{name}"))?)
}
