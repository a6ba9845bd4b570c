//! Where a Python interpreter finds its packages, without running it. (docs.python.org: site, sys.path initialization)

use super::distributions::distributions;
use super::{Distribution, Framework, Machine, file_name, folder_entries, frameworks, pyenv};
use rmcp_domain::bounded_read::read_text;
use rmcp_domain::options::did_you_mean;
use std::collections::BTreeSet;
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
pub struct PackageNotFound {
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
    pub fn default_interpreter(machine: &Machine) -> Option<Self> {
        let active = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(|name| machine.variable(name));
        let mut programs =
            active.map(|prefix| Path::new(prefix).join("bin/python")).chain(["python3", "python"].map(PathBuf::from));
        programs.find_map(|program| Self::find(&program, machine))
    }

    /// The interpreter that a file is or, as one of pyenv's shims, starts. None where its name is not that of a Python.
    pub fn interpreter(file: &Path, machine: &Machine) -> Option<PathBuf> {
        let called = Some(file).filter(|path| path.is_file())?;
        let called = pyenv::shim_target(called, machine).unwrap_or_else(|| called.into());
        let real = called.canonicalize().ok()?;
        (is_python(file_name(&called)) || is_python(file_name(&real))).then_some(called)
    }

    /// The interpreter at a path or, without a slash, in PATH. None where the file's name is not that of a Python.
    pub fn find(program: &Path, machine: &Machine) -> Option<Self> {
        let called = Self::interpreter(&machine.find_program(program.as_os_str())?, machine)?;
        let real = called.canonicalize().ok()?;
        let names = [file_name(&called), file_name(&real)];
        let prefix = called.parent()?.parent()?.to_owned();
        let mut python = Self {
            interpreter: called.clone(),
            version: names.into_iter().find_map(version_in_name),
            folders: Vec::new(),
        };
        python.folders.extend(machine.variable_folders("PYTHONPATH"));
        match read_text(&prefix.join("pyvenv.cfg"), TEXT_LIMIT) {
            Ok(configuration) => python.add_virtual_environment(&prefix, &real, &configuration, machine),
            Err(_) => python.add_installation(&prefix, &real, machine),
        }
        python.add_pth_folders(machine);
        let mut seen = BTreeSet::new();
        python.folders.retain(|folder| folder.is_dir() && seen.insert(folder.clone()));
        Some(python)
    }

    fn add_virtual_environment(&mut self, prefix: &Path, real: &Path, configuration: &str, machine: &Machine) {
        let value = |key: &str| {
            let pairs = configuration.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let version = value("version").or_else(|| value("version_info")).and_then(parse_version);
        self.version = version.or(self.version).or_else(|| sole_version(prefix));
        self.add_library_folders(prefix, &["site-packages"]);
        if value("include-system-site-packages").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            let base = value("home").and_then(|home| Some(machine.resolve(Path::new(home).parent()?)));
            self.add_installation(&base.unwrap_or_else(|| prefix.into()), real, machine);
        }
    }

    /// A conda environment, an own build, or the distribution's.
    fn add_installation(&mut self, prefix: &Path, real: &Path, machine: &Machine) {
        let real_prefix = real.parent().and_then(Path::parent).unwrap_or(prefix);
        self.version = self.version.or_else(|| sole_version(prefix)).or_else(|| sole_version(real_prefix));
        if machine.variable("PYTHONNOUSERSITE").is_none()
            && let Some((major, minor)) = self.version
        {
            let base = machine.variable("PYTHONUSERBASE").map(PathBuf::from);
            let base = base.or_else(|| Some(Path::new(machine.variable("HOME")?).join(".local")));
            let site = base.map(|base| base.join(format!("lib/python{major}.{minor}/site-packages")));
            self.folders.extend(site.map(|site| machine.resolve(site)));
        }
        if real_prefix == machine.resolve("/usr") {
            self.add_library_folders(&machine.resolve("/usr/local"), &["dist-packages", "site-packages"]);
        }
        self.add_library_folders(real_prefix, &["site-packages", "dist-packages"]);
        self.add_library_folders(prefix, &["site-packages", "dist-packages"]);
        // Debian's packages are for every version of Python 3.
        self.folders.push(real_prefix.join("lib/python3/dist-packages"));
    }

    fn add_library_folders(&mut self, prefix: &Path, kinds: &[&str]) {
        let Some((major, minor)) = self.version else { return };
        for lib in ["lib", "lib64"] {
            let folder = prefix.join(lib).join(format!("python{major}.{minor}"));
            self.folders.extend(kinds.iter().map(|kind| folder.join(kind)));
        }
    }

    /// The folders that `.pth` files in the others name, as editable installs leave them.
    fn add_pth_folders(&mut self, machine: &Machine) {
        let files = self
            .folders
            .iter()
            .flat_map(|folder| folder_entries(folder))
            .filter(|file| file_name(file).ends_with(".pth"));
        let texts: Vec<_> = files.filter_map(|file| Some((read_text(&file, TEXT_LIMIT).ok()?, file))).collect();
        for (text, file) in texts {
            // A line may also be a statement.
            let statement = |line: &str| line.is_empty() || line.starts_with('#') || line.starts_with("import ");
            let lines = text.lines().map(str::trim).filter(|line| !statement(line));
            let folder = file.parent().unwrap_or(&file);
            self.folders.extend(lines.map(|line| folder.join(line)).map(|path| machine.resolve(path)));
        }
    }

    /// The folder of an installed package.
    pub fn find_package(&self, package: &str) -> Result<PathBuf, PackageNotFound> {
        self.package_folder(package).ok_or_else(|| {
            let installed = self.folders.iter().flat_map(|folder| packages(folder)).collect::<Vec<_>>();
            let hint = did_you_mean(package, installed.iter().map(String::as_str));
            PackageNotFound { interpreter: self.interpreter.clone(), name: package.into(), hint }
        })
    }

    pub(super) fn package_folder(&self, package: &str) -> Option<PathBuf> {
        let plain = !package.is_empty() && !package.contains('/') && !package.starts_with('.');
        let mut folders = self.folders.iter().filter(|_| plain).map(|folder| folder.join(package));
        folders.find(|path| path.is_dir())
    }

    /// The packages that use a GPU, or could.
    pub fn frameworks(&self, machine: &Machine) -> Vec<Framework> {
        frameworks::find_frameworks(self, machine)
    }

    /// What is installed, each name once: the first folder wins.
    pub fn distributions(&self) -> Vec<Distribution> {
        let mut seen = BTreeSet::new();
        let all = self.folders.iter().flat_map(|folder| distributions(folder));
        all.filter(|distribution| seen.insert(distribution.name.clone())).collect()
    }
}

/// The packages in a folder: folders with an __init__.py.
fn packages(folder: &Path) -> Vec<String> {
    let is_package = |path: &PathBuf| path.join("__init__.py").is_file();
    folder_entries(folder).iter().filter(|path| is_package(path)).map(|path| file_name(path).to_owned()).collect()
}

/// Whether this is the name of an interpreter: python, python3, python3.12, pypy3 and the like.
fn is_python(name: &str) -> bool {
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 't'))
}

/// 3.12 in "python3.12".
fn version_in_name(name: &str) -> Option<(u32, u32)> {
    is_python(name).then(|| parse_version(name.trim_start_matches(|c: char| !c.is_ascii_digit())))?
}

/// 3.12 in "3.12.1".
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The version whose folder lies in `lib`, when it is the only one.
fn sole_version(prefix: &Path) -> Option<(u32, u32)> {
    let folders = fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let mut versions = folders.filter_map(|entry| parse_version(entry.file_name().to_str()?.strip_prefix("python")?));
    versions.next().filter(|_| versions.next().is_none())
}
