//! What a program is, from its files alone.

use super::script::interpreters;
use super::situation::{Library, Program, Situation};
use super::table::{Framework, recipes};
use crate::gfx::GfxTarget;
use crate::inspect;
use crate::installs::{self, Backend, Machine, Python};
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// Programs that run the program which their arguments name.
const LAUNCHERS: [&str; 4] = ["env", "nice", "nohup", "setsid"];
/// Launchers that launch launchers.
const DEPTH: usize = 8;

/// What computes in a process of `file` with these arguments. Of what cannot be found out nothing is said.
pub fn look(file: &Path, arguments: &[OsString], situation: &Situation, machine: &Machine) -> Program {
    match python(file, arguments, machine, 0) {
        Some(Started::Python(python)) => of_python(&python, situation, machine),
        Some(Started::Program(file)) => of_program(&file, situation, machine),
        None => of_program(file, situation, machine),
    }
}

enum Started {
    Python(Python),
    Program(PathBuf),
}

/// Follows scripts and launchers to what they start; None where `file` is neither.
fn python(file: &Path, arguments: &[OsString], machine: &Machine, depth: usize) -> Option<Started> {
    if let Some(python) = Python::find(file, machine) {
        return Some(Started::Python(python));
    }
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if name == "uv" && arguments.first().is_some_and(|argument| argument == "run") {
        let here = env::current_dir().ok()?;
        return here.ancestors().find_map(|folder| environment(&folder.join(".venv"), machine));
    }
    if LAUNCHERS.contains(&name) && depth < DEPTH {
        let (program, rest) = launched(arguments)?;
        let program = machine.program(program)?;
        return python(&program, rest, machine, depth + 1).or(Some(Started::Program(program)));
    }
    let chain = interpreters(file);
    for (interpreter, argument) in &chain {
        // "#!/usr/bin/env python3" names its interpreter in the argument.
        let words = argument.as_ref().and_then(|argument| argument.to_str()).unwrap_or_default();
        let named = words.split_ascii_whitespace().last().map(OsStr::new);
        let named = named.filter(|_| interpreter.ends_with("env")).and_then(|name| machine.program(name));
        if let Some(python) = Python::find(named.as_ref().unwrap_or(interpreter), machine) {
            return Some(Started::Python(python));
        }
    }
    if chain.is_empty() {
        return None;
    }
    // A shell script: the environment beside it, as web interfaces keep it, or the one that is active.
    let folder = file.canonicalize().ok()?.parent()?.to_owned();
    let active = machine.variable("VIRTUAL_ENV").map(PathBuf::from);
    let environments = [folder.join("venv"), folder.join(".venv")].into_iter().chain(active);
    environments.into_iter().find_map(|folder| environment(&folder, machine))
}

/// The Python of a virtual environment.
fn environment(folder: &Path, machine: &Machine) -> Option<Started> {
    folder.join("pyvenv.cfg").is_file().then_some(())?;
    Python::find(&folder.join("bin/python"), machine).map(Started::Python)
}

/// The program among the arguments of `env` and its like: the first that is no option, assignment or number.
fn launched(arguments: &[OsString]) -> Option<(&OsStr, &[OsString])> {
    let skipped = |argument: &&OsString| {
        let text = argument.to_string_lossy();
        text.starts_with('-') || text.contains('=') || text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let at = arguments.iter().take_while(skipped).count();
    Some((arguments.get(at)?, &arguments[at + 1..]))
}

/// The first framework that is installed there; which of several a script imports is not known.
fn of_python(python: &Python, situation: &Situation, machine: &Machine) -> Program {
    let known = |name: &str| match name {
        "torch" => Some(Framework::Pytorch),
        "tensorflow" => Some(Framework::Tensorflow),
        "onnxruntime" => Some(Framework::Onnxruntime),
        name => name.starts_with("jax").then_some(Framework::Jax),
    };
    let frameworks = python.frameworks(machine);
    let Some((framework, found)) = frameworks.iter().find_map(|found| Some((known(&found.name)?, found))) else {
        return plain_package(python, situation, machine).unwrap_or_default();
    };
    let said = match found.backend {
        Backend::Rocm(release) => release,
        Backend::Other(_) => None,
    };
    let sites = || python.folders.iter().filter_map(|site| site.canonicalize().ok());
    Program {
        framework: Some((framework, found.version.as_ref().and_then(|version| version.parse().ok()))),
        rocm: said.or(found.runtime.as_ref().and_then(|runtime| runtime.release)),
        without_rocm: matches!(found.backend, Backend::Other(_)),
        bundled: found.runtime.as_ref().is_some_and(|runtime| sites().any(|site| runtime.hip.starts_with(site))),
        libraries: libraries(&found.code, situation),
    }
}

/// Packages that are a library with a thin cover.
fn plain_package(python: &Python, situation: &Situation, machine: &Machine) -> Option<Program> {
    let packages = [("llama_cpp", "lib", Framework::LlamaCpp), ("ctranslate2", "", Framework::Ctranslate2)];
    packages.into_iter().find_map(|(name, libraries, framework)| {
        let folder = python.package(name).ok()?.join(libraries);
        let files = fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
        let libraries = files.filter(|file| file.extension().is_some_and(|extension| extension == "so"));
        let mut program = Program::default();
        for library in libraries {
            let one = of_program(&library, situation, machine);
            program.rocm = program.rocm.or(one.rocm);
            program.bundled |= one.bundled;
            program.libraries.extend(one.libraries);
        }
        program.framework = Some((framework, None));
        Some(program)
    })
}

fn of_program(file: &Path, situation: &Situation, machine: &Machine) -> Program {
    let Ok(program) = installs::Program::read(file, machine) else { return Program::default() };
    let runtime = program.runtime();
    let llama = program.libraries.iter().any(|library| library.name.starts_with("libggml"));
    // Beside the program or in a folder of its tree, and not the machine's.
    let bundled = runtime.as_ref().is_some_and(|runtime| {
        let tree = program.path.parent().and_then(Path::parent);
        tree.is_some_and(|tree| tree.components().count() > 2 && runtime.hip.starts_with(tree))
    });
    Program {
        framework: (llama || !program.plugins.is_empty()).then_some((Framework::LlamaCpp, None)),
        rocm: runtime.and_then(|runtime| runtime.release),
        without_rocm: false,
        bundled,
        libraries: libraries(&program.code(machine), situation),
    }
}

/// Those with GPU code that a card cannot do without, and on which of the targets that the recipes ask for it runs.
fn libraries(files: &[PathBuf], situation: &Situation) -> Vec<Library> {
    let own = situation.topology.gpus.iter().map(|gpu| gpu.target);
    let named = recipes().iter().flat_map(|recipe| recipe.substitute);
    let user = |gpu| situation.user_override(gpu)?.target;
    let asked: BTreeSet<GfxTarget> = own.chain(named).chain(situation.visible().into_iter().filter_map(user)).collect();
    let library = |code: &inspect::Code| Library {
        targets: asked.iter().copied().filter(|target| code.targets.run_on(*target)).collect(),
        path: code.path.clone(),
    };
    inspect::paths(&[], files).needed().map(library).collect()
}
