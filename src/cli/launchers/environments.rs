//! The Python environment that a launcher runs a program in.

use super::ResolvedCommand;
use super::getopt::LauncherWords;
use super::table::{LaunchKind, Launcher, OptionEffect};
use rmcp_domain::bounded_read::read_text;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::iter;
use std::path::{Path, PathBuf};

/// conda's list of environments, and what of a script is looked at.
const TEXT_LIMIT: u64 = 1 << 20;

impl ResolvedCommand {
    /// The command line that is run in the environment; None where that cannot be told from files.
    pub(super) fn enter_environment(
        &mut self,
        launcher: &Launcher,
        own: &LauncherWords,
        rest: &[OsString],
    ) -> Option<Vec<OsString>> {
        if own.effect_value(OptionEffect::Other).is_some() {
            return None;
        }
        let prefix = match launcher.kind {
            LaunchKind::Uv => self.uv_environment(own)?,
            LaunchKind::Poetry => self.poetry_environment(own)?,
            _ => self.conda_environment(own)?,
        };
        let variable = if launcher.kind == LaunchKind::Conda { "CONDA_PREFIX" } else { "VIRTUAL_ENV" };
        self.machine.variables.insert(variable.into(), prefix.clone().into());
        let path = self.machine.variable("PATH").unwrap_or_default().to_owned();
        let path = std::env::join_paths(iter::once(prefix.join("bin")).chain(std::env::split_paths(&path))).ok()?;
        self.machine.variables.insert("PATH".into(), path);

        let first = rest.first()?;
        let module = own.effect_value(OptionEffect::Module).is_some();
        let script = own.effect_value(OptionEffect::Script).is_some() || first == "-" || is_python_file(first);
        if launcher.kind != LaunchKind::Uv || !(module || script) {
            return Some(rest.into());
        }
        // A script that lists its own dependencies gets an environment of its own.
        let text =
            if module { String::new() } else { read_text(&self.folder.join(first), TEXT_LIMIT).unwrap_or_default() };
        if text.lines().any(|line| line.trim_end() == "# /// script") {
            return None;
        }
        Some(iter::once("python".into()).chain(rest.iter().cloned()).collect())
    }

    /// `.venv` of the project, or what UV_PROJECT_ENVIRONMENT names; without a project the active environment or the nearest
    /// `.venv`. A workspace has its environment in a folder above. (uv's documentation, Project environment path)
    fn uv_environment(&self, own: &LauncherWords) -> Option<PathBuf> {
        let start = self.project_folder(own);
        let projects: Vec<&Path> = start.ancestors().filter(|folder| is_project_folder(folder)).collect();
        match (projects.first(), self.machine.variable("UV_PROJECT_ENVIRONMENT")) {
            (Some(project), Some(named)) => with_pyvenv(project.join(named)),
            (Some(_), None) => projects.iter().find_map(|project| with_pyvenv(project.join(".venv"))),
            (None, _) => self
                .active_environment()
                .or_else(|| start.ancestors().find_map(|folder| with_pyvenv(folder.join(".venv")))),
        }
    }

    /// The active environment, else `.venv` of the project. Others have a name that Poetry makes. (Poetry's documentation,
    /// Managing environments)
    fn poetry_environment(&self, own: &LauncherWords) -> Option<PathBuf> {
        let start = self.project_folder(own);
        let conda = self.machine.variable("CONDA_PREFIX").is_some()
            && self.machine.variable("CONDA_DEFAULT_ENV").is_none_or(|name| name != "base");
        match self.machine.variable("VIRTUAL_ENV") {
            Some(_) => self.active_environment(),
            None if conda => None,
            None => with_pyvenv(start.ancestors().find(|folder| is_project_folder(folder))?.join(".venv")),
        }
    }

    /// Where the search for a project begins.
    fn project_folder(&self, own: &LauncherWords) -> PathBuf {
        let start = self.folder.join(own.effect_value(OptionEffect::Project).unwrap_or_default());
        // The folders above FOLDER/.. are not those of its path.
        start.canonicalize().unwrap_or(start)
    }

    fn active_environment(&self) -> Option<PathBuf> {
        self.machine.variable("VIRTUAL_ENV").map(PathBuf::from).and_then(with_pyvenv)
    }

    /// The environment of that prefix or name; the active one where none is named. A name is one folder below
    /// CONDA_ENVS_PATH, conda's own folder or the user's, or in conda's list of all environments.
    fn conda_environment(&self, own: &LauncherWords) -> Option<PathBuf> {
        let is_environment = |prefix: &PathBuf| prefix.join("conda-meta").is_dir();
        if let Some(prefix) = own.effect_value(OptionEffect::Prefix) {
            return Some(self.folder.join(prefix)).filter(is_environment);
        }
        let machine = &self.machine;
        // PREFIX/bin/conda or PREFIX/condabin/conda.
        let base = self.file.as_ref().and_then(|file| file.canonicalize().ok()?.parent()?.parent().map(Path::to_owned));
        let base = machine
            .variable("CONDA_EXE")
            .and_then(|exe| Path::new(exe).parent()?.parent().map(Path::to_owned))
            .or(base);
        let base = machine.variable("MAMBA_ROOT_PREFIX").map(PathBuf::from).or(base).filter(|base| base.is_dir());
        let Some(name) = own.effect_value(OptionEffect::Environment) else {
            return machine.variable("CONDA_PREFIX").map(PathBuf::from).or(base).filter(is_environment);
        };
        if name == "base" {
            return base.filter(is_environment);
        }
        let home = machine.variable("HOME").map(PathBuf::from);
        let folders = machine.variable("CONDA_ENVS_PATH").or(machine.variable("CONDA_ENVS_DIRS"));
        let mut prefixes: Vec<PathBuf> = std::env::split_paths(folders.unwrap_or_default()).collect();
        prefixes.extend(base.map(|base| base.join("envs")));
        prefixes.extend(home.iter().map(|home| home.join(".conda/envs")));
        prefixes.iter_mut().for_each(|folder| folder.push(name));
        let list = home.and_then(|home| read_text(&home.join(".conda/environments.txt"), TEXT_LIMIT).ok());
        let listed = list.iter().flat_map(|list| list.lines()).map(PathBuf::from);
        prefixes.extend(listed.filter(|prefix| prefix.file_name() == Some(name)));
        let found: BTreeSet<PathBuf> =
            prefixes.into_iter().filter(is_environment).filter_map(|prefix| prefix.canonicalize().ok()).collect();
        // Which of two conda takes depends on its configuration.
        (found.len() == 1).then(|| found.into_iter().next())?
    }
}

fn is_project_folder(folder: &Path) -> bool {
    folder.join("pyproject.toml").is_file()
}

pub(super) fn is_python_file(word: &OsStr) -> bool {
    Path::new(word).extension().is_some_and(|extension| extension == "py" || extension == "pyw")
}

fn with_pyvenv(folder: PathBuf) -> Option<PathBuf> {
    folder.join("pyvenv.cfg").is_file().then_some(folder)
}
