//! What a program is, from its files alone.

use super::situation::{Library, Program, Situation};
use super::table::recipes;
use crate::inspect;
use crate::installs::{self, Application, Backend, Framework, Known, Machine, Python, Runtime};
use crate::launchers::{self, ResolvedCommand, Unresolved};
use object::LittleEndian;
use object::elf::{FileHeader64, PF_X, PT_GNU_STACK};
use object::read::elf::{FileHeader, ProgramHeader};
use rmcp_domain::bounded_read::read_start;
use rmcp_domain::gfx::GfxTarget;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Words of a program's arguments that are looked at.
const WORDS: usize = 64;

/// What computes in the process that a command line comes to, and why that is not known where something may.
pub fn identify_program(launched: &ResolvedCommand, situation: &Situation) -> Program {
    let mut program = identify(launched, situation);
    if let Some(why) = unapplied_reason(launched, &program, situation) {
        program
            .notes
            .push(format!("recipes that depend on the program were not applied: {why}; {}", launched.advice()));
    }
    if launched.remote {
        program.notes.push(format!(
            "the program may also start on other machines, where it gets nothing of what rmcp-run sets here; {}",
            launched.advice()
        ));
    }
    program
}

/// The same without what there is to say.
fn identify(launched: &ResolvedCommand, situation: &Situation) -> Program {
    let machine = &launched.machine;
    let Some(file) = &launched.file else { return Program::default() };
    let python = Python::find(file, machine).or_else(|| script_python(launched.script.as_deref()?, machine));
    match python {
        Some(python) => {
            let application = application_of_scripts(launched).map(|application| application.known);
            Program { application, ..python_program(&python, situation, machine) }
        }
        None => native_program(file, situation, machine),
    }
}

/// The application in whose folder a Python's script or a shell script lies.
fn application_of_scripts(launched: &ResolvedCommand) -> Option<Application> {
    let arguments = launched.command.iter().skip(1);
    let words = arguments.filter(|word| word.as_encoded_bytes().ends_with(b".py")).map(Path::new);
    let script = launched.script.clone().into_iter().chain(words.take(1).map(|word| launched.folder.join(word)));
    let environment = launched.file.as_deref().and_then(|file| Some(file.parent()?.parent()?.join("pyvenv.cfg")));
    // An environment lies in the folder of its application.
    let environment = environment.filter(|file| file.is_file()).and_then(|file| Some(file.parent()?.to_owned()));
    let folders = script.chain(environment).filter_map(|path| path.canonicalize().ok()?.parent().map(Path::to_owned));
    folders.into_iter().find_map(|folder| Application::at(&folder, ""))
}

/// A shell script's Python: of the environment beside it, as web interfaces keep it, or of the one that is active.
fn script_python(script: &Path, machine: &Machine) -> Option<Python> {
    let folder = script.canonicalize().ok()?.parent()?.to_owned();
    let active = machine.variable("VIRTUAL_ENV").map(PathBuf::from);
    let mut environments = [folder.join("venv"), folder.join(".venv")].into_iter().chain(active);
    environments.find_map(|folder| {
        folder.join("pyvenv.cfg").is_file().then_some(())?;
        Python::find(&folder.join("bin/python"), machine)
    })
}

/// Why recipes were not applied to a program that the command line comes to, if that may be; a clause.
fn unapplied_reason(launched: &ResolvedCommand, program: &Program, situation: &Situation) -> Option<String> {
    let by = |word: &OsStr| ResolvedCommand::resolve(&[word.into()], &launched.machine);
    let computes = |word: &OsStr| identify(&by(word), situation).is_gpu_program();
    Some(match &launched.unresolved {
        Some(Unresolved::Option { launcher, option }) => {
            format!("what {launcher} starts after its option {option} is not known here")
        }
        Some(Unresolved::Environment { launcher }) => {
            format!("which Python environment {launcher} takes cannot be told before it runs")
        }
        Some(Unresolved::Text(text)) => {
            // That of a shell may be another Python than the one of this name here, as after `cd` or `source`.
            let may = |word: &&str| by(word.as_ref()).is_python() || computes(word.as_ref());
            launchers::program_candidates(text).take(WORDS).find(may)?;
            "a shell runs more than one plain command there".into()
        }
        None => {
            let (called, arguments) = launched.command.split_first()?;
            if program.is_gpu_program() || launched.no_program || launched.script.is_some() || launched.is_python() {
                return None;
            }
            let words = arguments.iter().filter(|word| !word.as_encoded_bytes().starts_with(b"-")).take(WORDS);
            let program = words.into_iter().find(|word| computes(word))?;
            // Of a script, its name.
            let script =
                launched.launchers.last().filter(|script| arguments.first().is_some_and(|word| word == *script));
            let called = script.map_or(Path::new(called), PathBuf::as_path);
            let name = called.file_name().unwrap_or(called.as_os_str());
            format!("whether {} starts {} is not known here", name.display(), program.display())
        }
    })
}

/// What a Python's process computes with: the first framework of the table that is installed there. Which of several a script
/// imports is not known.
fn python_program(python: &Python, situation: &Situation, machine: &Machine) -> Program {
    python_programs(python, situation, machine).next().unwrap_or_default()
}

/// The same with each framework that is installed there, else without.
pub(super) fn python_programs<'a>(
    python: &'a Python,
    situation: &'a Situation,
    machine: &Machine,
) -> impl Iterator<Item = Program> + 'a {
    let packages: BTreeMap<String, String> =
        python.distributions().into_iter().map(|package| (package.name, package.version)).collect();
    let frameworks = python.frameworks(machine).into_iter().map(Some);
    let mut frameworks: Vec<_> = frameworks.collect();
    if frameworks.is_empty() {
        frameworks.push(None);
    }
    frameworks.into_iter().map(move |found| {
        let program = found.map(|found| framework_program(&found, python, situation)).unwrap_or_default();
        Program { packages: packages.clone(), ..program }
    })
}

fn framework_program(found: &Framework, python: &Python, situation: &Situation) -> Program {
    let sites = || python.folders.iter().filter_map(|site| site.canonicalize().ok());
    let release = || found.version.as_ref().and_then(|version| version.parse().ok());
    Program {
        framework: found.known().map(|known| (known, release())),
        rocm: found.rocm_release(),
        hsa: found.runtime.as_ref().and_then(|runtime| runtime.hsa.clone()),
        without_rocm: matches!(found.backend, Backend::Other(_)),
        bundled: found.runtime.as_ref().is_some_and(|runtime| sites().any(|site| runtime.hip.starts_with(site))),
        executable_stack: found.runtime.as_ref().and_then(executable_stack),
        libraries: code_libraries(&found.code, situation),
        ..Program::default()
    }
}

/// The runtime's library, or the RCCL beside it, that wants an executable stack.
pub fn executable_stack(runtime: &Runtime) -> Option<PathBuf> {
    let beside = fs::read_dir(runtime.hip.parent()?).ok()?.flatten().map(|entry| entry.path());
    let rccl = beside.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("librccl")));
    std::iter::once(runtime.hip.clone()).chain(rccl).find(|file| wants_executable_stack(file).unwrap_or(false))
}

/// Whether an ELF file says that it wants one. (elf(5), PT_GNU_STACK)
fn wants_executable_stack(file: &Path) -> Option<bool> {
    let start = read_start(file, 4096).ok()?;
    let header = FileHeader64::<LittleEndian>::parse(&*start).ok()?;
    let segments = header.program_headers(header.endian().ok()?, &*start).ok()?;
    let stack = segments.iter().find(|segment| segment.p_type(LittleEndian) == PT_GNU_STACK)?;
    Some(stack.p_flags(LittleEndian) & PF_X != 0)
}

fn native_program(file: &Path, situation: &Situation, machine: &Machine) -> Program {
    let Ok(program) = installs::Program::read(file, machine) else { return Program::default() };
    let runtime = program.runtime();
    let llama = program.libraries.iter().any(|library| library.name.starts_with("libggml"));
    // Beside the program or in a folder of its tree, and not the machine's.
    let bundled = runtime.as_ref().is_some_and(|runtime| {
        let tree = program.path.parent().and_then(Path::parent);
        tree.is_some_and(|tree| tree.components().count() > 2 && runtime.hip.starts_with(tree))
    });
    let executable_stack = runtime.as_ref().and_then(executable_stack);
    let application = Application::of_program(file);
    let mut code = program.code_files(machine);
    code.extend(application.iter().flat_map(Application::code_files));
    Program {
        application: application.map(|application| application.known),
        framework: Known::of_id("llama-cpp")
            .filter(|_| llama || !program.plugins.is_empty())
            .map(|known| (known, None)),
        rocm: runtime.as_ref().and_then(|runtime| runtime.release),
        hsa: runtime.and_then(|runtime| runtime.hsa),
        bundled,
        executable_stack,
        libraries: code_libraries(&code, situation),
        ..Program::default()
    }
}

/// Those with GPU code that a card cannot do without, and on which of the targets that the recipes ask for it runs.
fn code_libraries(files: &[PathBuf], situation: &Situation) -> Vec<Library> {
    let own = situation.topology.gpus.iter().map(|gpu| gpu.target);
    let named = recipes().iter().flat_map(|recipe| recipe.substitute);
    let user = |gpu| situation.user_override(gpu)?.target;
    let targets: BTreeSet<GfxTarget> =
        own.chain(named).chain(situation.visible().into_iter().filter_map(user)).collect();
    let library = |code: &inspect::Code| Library {
        targets: targets.iter().copied().filter(|target| code.targets.runs_on(*target)).collect(),
        path: code.path.clone(),
    };
    inspect::inspect_paths(&[], files).required().map(library).collect()
}
