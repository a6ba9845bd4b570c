//! Applications that use a GPU, known by what lies in their folders.

use super::known::{KNOWN, Known, name_matches};
use super::{Machine, file_name, folder_entries};
use std::path::{Path, PathBuf};

/// How an application is known.
#[derive(Debug)]
pub struct ApplicationFolder {
    /// The name of its program; empty: it is Python scripts in its folder.
    pub program: &'static str,
    /// What lies in its folder, all of one list; * stands for any text in a name.
    pub marks: &'static [&'static [&'static str]],
    /// Where people put it; ~ is the home folder.
    pub places: &'static [&'static str],
}

/// An application that is there.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its row of the table.
    pub known: &'static Known,
    /// Its folder.
    pub folder: PathBuf,
}

impl Application {
    /// That of a folder, and of a program's name or, for Python scripts, none.
    pub fn at(folder: &Path, program: &str) -> Option<Self> {
        let known = KNOWN.iter().find(|row| row.application.as_ref().is_some_and(|it| it.is_at(folder, program)))?;
        Some(Self { known, folder: folder.into() })
    }

    /// That of a program by its file, which lies in its folder or in `bin` there.
    pub fn of_program(file: &Path) -> Option<Self> {
        let file = file.canonicalize().ok()?;
        let name = file_name(&file);
        file.ancestors().skip(1).take(2).filter(|_| !name.is_empty()).find_map(|folder| Self::at(folder, name))
    }

    /// The interpreters of the virtual environments in its folder.
    pub fn interpreters(&self) -> impl Iterator<Item = PathBuf> {
        let environments = ["venv", ".venv"].map(|name| self.folder.join(name));
        let here = environments.into_iter().filter(|folder| folder.join("pyvenv.cfg").is_file());
        here.map(|folder| folder.join("bin/python"))
    }

    /// Those of its files that have GPU code.
    pub fn code_files(&self) -> Vec<PathBuf> {
        self.known.code.iter().flat_map(|pattern| files_matching(&self.folder, pattern)).collect()
    }
}

impl ApplicationFolder {
    fn is_at(&self, folder: &Path, program: &str) -> bool {
        let all = |marks: &&[&str]| marks.iter().all(|mark| !files_matching(folder, mark).is_empty());
        self.program == program && self.marks.iter().any(all)
    }
}

/// The applications in PATH and where people put them, each once.
pub fn applications(machine: &Machine) -> Vec<Application> {
    let mut found: Vec<Application> = Vec::new();
    for known in KNOWN {
        let Some(ApplicationFolder { program, places, .. }) = &known.application else { continue };
        let called =
            Some(program).filter(|program| !program.is_empty()).and_then(|it| machine.find_program(it.as_ref()));
        let placed = places.iter().filter_map(|place| match place.strip_prefix("~/") {
            Some(rest) => Some(machine.resolve(Path::new(machine.variable("HOME")?).join(rest))),
            None => Some(machine.resolve(place)),
        });
        let placed = placed.filter_map(|folder| Application::at(&folder, program));
        for application in called.and_then(|file| Application::of_program(&file)).into_iter().chain(placed) {
            if application.known.id == known.id && !found.iter().any(|other| other.folder == application.folder) {
                found.push(application);
            }
        }
    }
    found
}

/// The files and folders below a folder that a pattern names.
pub(super) fn files_matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    pattern.split('/').fold(vec![folder.to_owned()], |folders, part| {
        let next = folders.into_iter().flat_map(|folder| match part.contains('*') {
            true => folder_entries(&folder).into_iter().filter(|path| name_matches(part, file_name(path))).collect(),
            false => Vec::from_iter(Some(folder.join(part)).filter(|path| path.exists())),
        });
        next.collect()
    })
}
