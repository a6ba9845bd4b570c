//! The libraries that a program loads, found as the dynamic loader finds them (ld.so(8)), and the plugins of programs that
//! are known to load some: llama.cpp and ollama.

use super::elf::Dynamic;
use super::{Machine, Runtime, file_name, folder_entries};
use crate::inspect::InspectError;
use rmcp_domain::bounded_read::read_text;
use std::collections::{BTreeSet, VecDeque};
use std::env;
use std::path::{Path, PathBuf};

/// An ELF program or library, and what it loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Whether a dynamic loader starts it; a static program ignores LD_PRELOAD.
    pub dynamic: bool,
    /// Whether that is musl's, which ROCm is not built for.
    pub musl: bool,
    /// Every library that it or its plugins need, directly or through another.
    pub libraries: Vec<Library>,
    /// What it is known to load while it runs: ggml's HIP backend.
    pub plugins: Vec<PathBuf>,
    /// Whether it calls HIP itself.
    pub calls_hip: bool,
}

/// A library by name, and the file that the loader takes for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// As in libamdhip64.so.6.
    pub name: String,
    /// None where it is not found.
    pub path: Option<PathBuf>,
    /// Whether it calls HIP itself, and so may have GPU code.
    pub calls_hip: bool,
}

/// Why a program's libraries are not known.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] InspectError),
    /// A script, a 32-bit program or something else.
    #[error("{} is no 64-bit ELF program", .0.display())]
    NotElf(PathBuf),
    /// Its headers contradict each other.
    #[error("{} is a broken ELF program", .0.display())]
    Broken(PathBuf),
}

/// More libraries than any program loads.
const LIBRARIES: usize = 4096;
/// The folders that the loader searches last.
const DEFAULT: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// The loader's configuration is a list of folders.
const TEXT_LIMIT: u64 = 64 * 1024;

impl Program {
    /// Reads a program and all that it loads.
    ///
    /// # Errors
    /// When the program itself cannot be read. A library that cannot is left without path.
    pub fn read(path: &Path, machine: &Machine) -> Result<Self, ProgramError> {
        Self::read_with(path, machine, &[])
    }

    /// The same where libraries may also lie in these folders, from which they are loaded before the program's own.
    pub(super) fn read_with(path: &Path, machine: &Machine, preloaded: &[PathBuf]) -> Result<Self, ProgramError> {
        let path = path.canonicalize().unwrap_or_else(|_| path.into());
        let own = Dynamic::read(&path)?;
        let mut program = Self {
            dynamic: own.interpreter.is_some() && own.dynamic,
            musl: own.interpreter.as_deref().is_some_and(|loader| file_name(Path::new(loader)).starts_with("ld-musl-")),
            calls_hip: calls_hip(&own),
            plugins: ggml_backends(&path),
            libraries: Vec::new(),
            path: path.clone(),
        };
        let mut loader = Loader::new(machine, preloaded);
        loader.queue.push_back((path.clone(), own, Vec::new()));
        program.libraries = loader.resolve_all();
        // A backend that lies beside one of its libraries, as in Debian's /usr/lib/x86_64-linux-gnu/ggml/backends0.
        let ggml = program.libraries.iter().filter(|library| library.name.starts_with("libggml"));
        let beside: Vec<_> = ggml.filter_map(|library| library.path.as_deref()).flat_map(ggml_backends).collect();
        program.plugins.extend(beside);
        program.plugins.sort();
        program.plugins.dedup();
        for plugin in &program.plugins {
            if let Ok(dynamic) = Dynamic::read(plugin) {
                loader.queue.push_back((plugin.clone(), dynamic, Vec::new()));
            }
        }
        program.libraries.extend(loader.resolve_all());
        Ok(program)
    }

    /// The copy of the HIP runtime that it loads. None where it loads none, or none is found.
    pub fn runtime(&self) -> Option<Runtime> {
        let hip = self.library_path("libamdhip64.so")?;
        let hsa = self.library_path("libhsa-runtime64.so").map(Path::to_owned);
        let hip = hip.canonicalize().unwrap_or_else(|_| hip.into());
        Some(Runtime::new(hip, hsa))
    }

    /// The libraries that are not found.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.libraries.iter().filter(|library| library.path.is_none()).map(|library| library.name.as_str())
    }

    /// What to read to learn for which cards it has code: itself, its plugins and libraries that call HIP, and the kernels
    /// of the rocBLAS that it loads.
    pub fn code_files(&self, machine: &Machine) -> Vec<PathBuf> {
        let own = self.calls_hip.then(|| self.path.clone());
        let libraries = self.libraries.iter().filter(|library| library.calls_hip);
        let libraries = libraries.filter_map(|library| library.path.clone());
        let mut code: Vec<PathBuf> = own.into_iter().chain(self.plugins.iter().cloned()).chain(libraries).collect();
        code.extend(self.library_path("librocblas.so").and_then(|file| rocblas_kernels(file, machine)));
        code
    }

    fn library_path(&self, prefix: &str) -> Option<&Path> {
        self.libraries.iter().find(|library| library.name.starts_with(prefix))?.path.as_deref()
    }
}

/// The folder of a rocBLAS's kernels: ROCBLAS_TENSILE_LIBPATH, else beside the library; Debian has one a version.
pub(super) fn rocblas_kernels(library: &Path, machine: &Machine) -> Option<PathBuf> {
    if let Some(chosen) = machine.variable("ROCBLAS_TENSILE_LIBPATH") {
        return Some(machine.resolve(chosen)).filter(|folder| folder.is_dir());
    }
    let library = library.canonicalize().unwrap_or_else(|_| library.into());
    let rocblas = library.parent()?.join("rocblas");
    let versions = folder_entries(&rocblas).into_iter().rev().map(|version| version.join("library"));
    [rocblas.join("library")].into_iter().chain(versions).find(|folder| folder.is_dir())
}

fn calls_hip(dynamic: &Dynamic) -> bool {
    dynamic.needed.iter().any(|name| name.starts_with("libamdhip64.so"))
}

/// ggml's HIP backends around a file: beside it, in Debian's folder of backends, and in ollama's.
fn ggml_backends(file: &Path) -> Vec<PathBuf> {
    let Some(folder) = file.parent() else { return Vec::new() };
    let mut folders = vec![folder.to_owned(), folder.join("ggml/backends0")];
    if file_name(file).starts_with("ollama") {
        let libraries = [folder.join("../lib/ollama"), folder.join("lib/ollama")];
        folders.extend(libraries.iter().flat_map(|folder| folder_entries(folder)).filter(|path| path.is_dir()));
        folders.extend(libraries);
    }
    let files = folders
        .iter()
        .flat_map(|folder| ["libggml-hip.so", "libggml-rocm.so", "libggml_rocm.so"].map(|name| folder.join(name)));
    files.filter_map(|file| file.canonicalize().ok()).filter(|file| file.is_file()).collect()
}

struct Loader<'a> {
    machine: &'a Machine,
    /// LD_LIBRARY_PATH.
    path: Vec<PathBuf>,
    /// What is preloaded, /etc/ld.so.conf, then the default folders.
    system: Vec<PathBuf>,
    /// Files whose libraries are still to be found, with the RPATH that they inherit.
    queue: VecDeque<(PathBuf, Dynamic, Vec<PathBuf>)>,
    resolved: BTreeSet<String>,
}

impl<'a> Loader<'a> {
    fn new(machine: &'a Machine, preloaded: &[PathBuf]) -> Self {
        let mut system = preloaded.to_vec();
        system.extend(configured_folders(machine));
        system.extend(DEFAULT.map(|folder| machine.resolve(folder)));
        let path = machine.variable_folders("LD_LIBRARY_PATH");
        Self { machine, path, system, queue: VecDeque::new(), resolved: BTreeSet::new() }
    }

    fn resolve_all(&mut self) -> Vec<Library> {
        let mut libraries = Vec::new();
        while let Some((file, dynamic, inherited)) = self.queue.pop_front() {
            let folders = |list: &str| self.expand_folders(list, &file);
            let (rpath, runpath) = (folders(&dynamic.rpath), folders(&dynamic.runpath));
            // A RUNPATH switches the RPATHs off.
            let rpath: Vec<PathBuf> =
                if runpath.is_empty() { rpath.into_iter().chain(inherited).collect() } else { Vec::new() };
            for name in dynamic.needed {
                if self.resolved.len() == LIBRARIES || !self.resolved.insert(name.clone()) {
                    continue;
                }
                let path = self.resolve_library(&name, &rpath, &runpath);
                let own = path.as_ref().and_then(|path| Dynamic::read(path).ok());
                libraries.push(Library { calls_hip: own.as_ref().is_some_and(calls_hip), name, path: path.clone() });
                if let (Some(path), Some(own)) = (path, own) {
                    self.queue.push_back((path, own, rpath.clone()));
                }
            }
        }
        libraries
    }

    fn resolve_library(&self, name: &str, rpath: &[PathBuf], runpath: &[PathBuf]) -> Option<PathBuf> {
        if name.contains('/') {
            return Some(self.machine.resolve(name)).filter(|path| path.is_file());
        }
        let folders = rpath.iter().chain(&self.path).chain(runpath).chain(&self.system);
        let path = folders.map(|folder| folder.join(name)).find(|path| path.is_file())?;
        // Without the `bin/..` of an $ORIGIN, and under its own name: that may be a link to a version.
        Some(path.parent().and_then(|folder| folder.canonicalize().ok()).map_or(path, |folder| folder.join(name)))
    }

    /// The folders of a DT_RPATH or DT_RUNPATH of a file.
    fn expand_folders(&self, list: &str, file: &Path) -> Vec<PathBuf> {
        let origin = file.canonicalize().unwrap_or_else(|_| file.into());
        let origin = origin.parent().unwrap_or(file).to_string_lossy().into_owned();
        let list = list.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
        let list = list.replace("${LIB}", "lib/x86_64-linux-gnu").replace("$LIB", "lib/x86_64-linux-gnu");
        env::split_paths(&list)
            .filter(|folder| folder.is_absolute())
            .map(|folder| self.machine.resolve(folder))
            .collect()
    }
}

/// The folders that the loader's configuration names, in its order.
pub fn configured_folders(machine: &Machine) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    read_ld_so_conf(machine, &machine.resolve("/etc/ld.so.conf"), 0, &mut folders);
    folders
}

/// The folders of a configuration of the loader and of the files that it includes.
fn read_ld_so_conf(machine: &Machine, file: &Path, depth: usize, folders: &mut Vec<PathBuf>) {
    const DEPTH: usize = 4;
    let Ok(text) = read_text(file, TEXT_LIMIT) else { return };
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if let Some(pattern) = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
            // ldconfig knows more patterns; those in use are *.conf.
            let pattern = machine.resolve(pattern.trim());
            let Some(folder) = pattern.parent().filter(|_| depth < DEPTH) else { continue };
            let (start, end) = file_name(&pattern).split_once('*').unwrap_or((file_name(&pattern), ""));
            for file in folder_entries(folder) {
                if file_name(&file).starts_with(start) && file_name(&file).ends_with(end) {
                    read_ld_so_conf(machine, &file, depth + 1, folders);
                }
            }
        } else if line.starts_with('/') {
            folders.push(machine.resolve(line));
        }
    }
}
