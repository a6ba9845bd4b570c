//! Where a Python interpreter finds its packages, without running it. (docs.python.org: site, sys.path initialization)

use super::{Framework, Machine, entries, frameworks, name, scripts};
use crate::bounded::read_text;
use crate::options::similar;
use std::fs;
use std::path::{Path, PathBuf};

/// A Python interpreter and its folders of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// The interpreter as it is called: a virtual environment is known by this path, not by what it links to.
    pub interpreter: PathBuf,
    /// 3.12; None where no file tells.
    pub version: Option<(u32, u32)>,
    /// Where packages are looked for, first wins.
    pub folders: Vec<PathBuf>,
}

/// A package that the interpreter does not find.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} finds no package {name:?}{hint}", interpreter.display())]
pub struct NoSuchPackage {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// What was asked for.
    pub name: String,
    hint: String,
}

/// Python's own configuration files are short.
const TEXT_LIMIT: u64 = 64 * 1024;

impl Python {
    /// The interpreter of a shell: that of the active virtual or conda environment, else python3 or python in PATH.
    pub fn of_shell(machine: &Machine) -> Option<Self> {
        let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(|name| machine.variable(name));
        let mut programs =
            active.map(|prefix| Path::new(prefix).join("bin/python")).chain(["python3", "python"].map(PathBuf::from));
        programs.find_map(|program| Self::find(&program, machine))
    }

    /// The interpreter of a program: the program itself at a path or, without a slash, in PATH; that of a script's first
    /// line; or what pyenv would start. None where the program has nothing to do with Python.
    pub fn find(program: &Path, machine: &Machine) -> Option<Self> {
        Self::started_by(program, machine, 0)
    }

    fn started_by(program: &Path, machine: &Machine, depth: usize) -> Option<Self> {
        const DEPTH: usize = 4;
        let called = if program.components().count() > 1 {
            Some(machine.path(program)).filter(|path| path.is_file())
        } else {
            machine.folders("PATH").into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
        }?;
        let real = called.canonicalize().ok()?;
        if let Some(interpreter) = scripts::interpreter(&real) {
            let chosen = scripts::pyenv(&called, machine).or(interpreter.python)?;
            return (depth < DEPTH).then(|| Self::started_by(&chosen, machine, depth + 1))?;
        }
        let named = version_in_name(name(&called)).or_else(|| version_in_name(name(&real)))?;
        let prefix = called.parent()?.parent()?.to_owned();
        let mut python = Self { interpreter: called.clone(), version: named, folders: Vec::new() };
        python.folders.extend(machine.folders("PYTHONPATH"));
        match read_text(&prefix.join("pyvenv.cfg"), TEXT_LIMIT) {
            Ok(configuration) => python.virtual_environment(&prefix, &real, &configuration, machine),
            Err(_) => python.installation(&prefix, &real, machine),
        }
        let mut seen = Vec::new();
        python.folders.retain(|folder| {
            folder.is_dir() && !seen.contains(folder) && {
                seen.push(folder.clone());
                true
            }
        });
        Some(python)
    }

    fn virtual_environment(&mut self, prefix: &Path, real: &Path, configuration: &str, machine: &Machine) {
        let value = |key: &str| {
            let pairs = configuration.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let version = value("version").or_else(|| value("version_info")).and_then(numbers);
        self.version = version.or(self.version).or_else(|| only_version(prefix));
        self.library_folders(prefix, &["site-packages"]);
        if value("include-system-site-packages").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            let base = value("home").and_then(|home| Some(machine.path(Path::new(home).parent()?)));
            self.installation(&base.unwrap_or_else(|| prefix.into()), real, machine);
        }
    }

    /// A conda environment, an own build, or the distribution's.
    fn installation(&mut self, prefix: &Path, real: &Path, machine: &Machine) {
        let real_prefix = real.parent().and_then(Path::parent).unwrap_or(prefix);
        self.version = self.version.or_else(|| only_version(prefix)).or_else(|| only_version(real_prefix));
        if machine.variable("PYTHONNOUSERSITE").is_none()
            && let Some((major, minor)) = self.version
        {
            let base = machine.variable("PYTHONUSERBASE").map(PathBuf::from);
            let base = base.or_else(|| Some(Path::new(machine.variable("HOME")?).join(".local")));
            let site = base.map(|base| base.join(format!("lib/python{major}.{minor}/site-packages")));
            self.folders.extend(site.map(|site| machine.path(site)));
        }
        if real_prefix == machine.path("/usr") {
            self.library_folders(&machine.path("/usr/local"), &["dist-packages", "site-packages"]);
        }
        self.library_folders(real_prefix, &["site-packages", "dist-packages"]);
        self.library_folders(prefix, &["site-packages", "dist-packages"]);
        // Debian's packages are for every version of Python 3.
        self.folders.push(real_prefix.join("lib/python3/dist-packages"));
    }

    fn library_folders(&mut self, prefix: &Path, kinds: &[&str]) {
        let Some((major, minor)) = self.version else { return };
        for lib in ["lib", "lib64"] {
            let folder = prefix.join(lib).join(format!("python{major}.{minor}"));
            self.folders.extend(kinds.iter().map(|kind| folder.join(kind)));
        }
    }

    /// The folder of an installed package.
    pub fn package(&self, package: &str) -> Result<PathBuf, NoSuchPackage> {
        let here = |folder: &PathBuf| Some(folder.join(package)).filter(|path| path.is_dir());
        let plain = !package.is_empty() && !package.contains('/') && !package.starts_with('.');
        self.folders.iter().filter(|_| plain).find_map(here).ok_or_else(|| {
            let installed = self.folders.iter().flat_map(|folder| packages(folder)).collect::<Vec<_>>();
            let hint = similar(package, installed.iter().map(String::as_str));
            NoSuchPackage { interpreter: self.interpreter.clone(), name: package.into(), hint }
        })
    }

    /// The packages that use a GPU, or could.
    pub fn frameworks(&self, machine: &Machine) -> Vec<Framework> {
        frameworks::find(self, machine)
    }
}

/// The packages in a folder: folders with an __init__.py.
fn packages(folder: &Path) -> Vec<String> {
    let is_package = |path: &PathBuf| path.join("__init__.py").is_file();
    entries(folder).iter().filter(|path| is_package(path)).map(|path| name(path).to_owned()).collect()
}

/// Some for the names of interpreters: python, python3, python3.12, pypy3 and the like.
pub(super) fn is_python(name: &str) -> bool {
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 't'))
}

/// The version in the name of an interpreter, where it has one.
fn version_in_name(name: &str) -> Option<Option<(u32, u32)>> {
    is_python(name).then(|| numbers(name.trim_start_matches(|c: char| !c.is_ascii_digit())))
}

/// 3.12 in "3.12.1".
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The version whose folder lies in `lib`, when it is the only one.
fn only_version(prefix: &Path) -> Option<(u32, u32)> {
    let folders = fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let mut versions = folders.filter_map(|entry| numbers(entry.file_name().to_str()?.strip_prefix("python")?));
    versions.next().filter(|_| versions.next().is_none())
}
