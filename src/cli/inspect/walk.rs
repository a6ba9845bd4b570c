//! Files and folders, as a user or a recipe names them.

use super::kernel_files::{self, KernelFile};
use super::{Code, Kind, Targets, closed, inspect_file, kpack};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Entries looked at in all; a file system can have no end of them.
const ENTRIES: u64 = 1_000_000;
/// Folders within folders.
const DEPTH: usize = 32;

/// What files and folders hold.
#[derive(Debug, Default)]
pub struct CodeInventory {
    /// What has GPU code or is broken, by path.
    pub code: Vec<Code>,
    /// Files that were looked at and have none.
    pub without_code: u64,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
}

/// A file or folder that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Lists the GPU code of `paths` and of what they need (`brings`): of files, and of all files in folders. What cannot
/// be read is listed and passed over.
pub fn inspect_paths(paths: &[PathBuf], brings: &[PathBuf]) -> CodeInventory {
    let device = |path: &str| Some(fs::metadata(path).ok()?.dev());
    let mut walk = Walk {
        kernel_devices: ["/proc", "/sys"].into_iter().filter_map(device).collect(),
        requested: paths.iter().filter_map(|path| identity(path).ok()).collect(),
        ..Walk::default()
    };
    for path in paths.iter().chain(brings) {
        walk.visit(path, 0);
    }
    walk.finish()
}

/// What tells files and folders apart, whatever they are called.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

impl CodeInventory {
    /// What there is code for in each file or folder that a card cannot do without.
    pub fn required(&self) -> impl Iterator<Item = &Code> {
        self.code.iter().filter(|code| !code.optional && code.needs_targets())
    }

    /// Everything there is code for.
    pub fn targets(&self) -> Targets {
        self.code.iter().fold(Targets::default(), |mut all, code| {
            all.extend(&code.targets);
            all
        })
    }
}

#[derive(Default)]
struct Walk {
    found: CodeInventory,
    libraries: BTreeMap<PathBuf, Vec<(PathBuf, KernelFile)>>,
    /// Device and inode of the folders and files that were seen: links may make loops.
    seen: BTreeSet<(u64, u64)>,
    /// Those of them that were asked about by name.
    requested: BTreeSet<(u64, u64)>,
    entries: u64,
    /// Devices of the file systems that show the kernel's state: they have no end, and no code.
    kernel_devices: Vec<u64>,
}

impl Walk {
    fn visit(&mut self, path: &Path, depth: usize) {
        self.entries += 1;
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // A dangling link in a folder is nothing to tell.
            Err(error) if error.kind() == io::ErrorKind::NotFound && depth > 0 => return,
            Err(error) => return self.add_problem(path, error.to_string()),
        };
        // Of a kernel file each name counts: a library finds it by its name.
        let named = kernel_files::kernel_file(path).filter(|_| depth > 0 && metadata.is_file());
        if let Some(named) = named {
            let folder = path.parent().unwrap_or(path);
            self.libraries.entry(folder.into()).or_default().push((path.into(), named));
            return;
        }
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return;
        }
        if metadata.is_dir() && self.kernel_devices.contains(&metadata.dev()) {
            self.add_problem(path, "these are the kernel's own files".into());
        } else if metadata.is_dir() {
            self.visit_folder(path, depth);
        } else if metadata.is_file() {
            self.visit_file(path, depth);
        } else if depth == 0 {
            self.add_problem(path, "it is neither a file nor a folder".into());
        }
    }

    fn visit_folder(&mut self, path: &Path, depth: usize) {
        if depth == DEPTH {
            return self.add_problem(path, format!("it is more than {DEPTH} folders deep"));
        }
        let entries = fs::read_dir(path).and_then(|entries| {
            let entries =
                entries.take((ENTRIES - self.entries) as usize + 1).map(|entry| entry.map(|entry| entry.path()));
            entries.collect::<Result<Vec<_>, _>>()
        });
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.add_problem(path, error.to_string()),
        };
        // Of a file's several names the same one counts on every machine.
        entries.sort();
        for entry in entries {
            if self.entries == ENTRIES {
                return self
                    .add_problem(path, format!("there are more than {ENTRIES} files; the rest was not looked at"));
            }
            self.visit(&entry, depth + 1);
        }
    }

    fn visit_file(&mut self, path: &Path, depth: usize) {
        match inspect_file(path) {
            Ok(code) if code.is_empty() => match closed::closed_kind(path).filter(|_| depth == 0) {
                Some(reason) => self.add_problem(path, reason.into()),
                None => self.found.without_code += 1,
            },
            Ok(code) => self.found.code.push(code),
            Err(error) => self.add_problem(path, error.reason()),
        }
    }

    fn add_problem(&mut self, path: &Path, reason: String) {
        self.found.problems.push(Problem { path: path.into(), reason });
    }

    fn finish(mut self) -> CodeInventory {
        let is_requested = |path: &Path| identity(path).is_ok_and(|identity| self.requested.contains(&identity));
        let mut libraries: BTreeMap<(PathBuf, Kind), Code> = BTreeMap::new();
        for (folder, files) in &self.libraries {
            // The kernels of a library may lie in a folder for each target, beside files of other targets.
            let library = kernel_files::library_folder(folder).filter(|_| !is_requested(folder)).unwrap_or(folder);
            let borrowed = kernel_files::borrowed_names(files);
            let kinds: BTreeSet<Kind> = files.iter().map(|(_, file)| file.kind).collect();
            for kind in kinds {
                let code =
                    libraries.entry((library.into(), kind)).or_insert_with_key(|(path, kind)| Code::new(path, *kind));
                let files = files.iter().map(|(_, file)| file).filter(|file| file.kind == kind);
                // Where kernels are loaded one by one, those without their index are never found.
                let indexed: BTreeSet<_> =
                    files.clone().filter(|file| file.index).map(|file| file.isa.processor).collect();
                let usable = files.filter(|file| indexed.is_empty() || indexed.contains(&file.isa.processor));
                for file in usable {
                    match borrowed.get(&file.isa.processor) {
                        Some(of) => code.borrowed.extend([(file.isa, *of)]),
                        None => code.targets.add(file.isa),
                    }
                }
            }
        }
        self.found.code.extend(libraries.into_values());
        merge_archives(&mut self.found.code, is_requested);
        // The libraries that have code in archives tell what of it they find.
        let hosts = self.found.code.iter().any(|code| code.kind == Kind::KpackHost);
        for code in &mut self.found.code {
            let optional = code.is_optional_library() || (code.kind == Kind::Kpack && hosts);
            code.optional = optional && !is_requested(&code.path);
        }
        // Where there is nothing else, that is what it is about.
        if self.found.required().next().is_none() {
            self.found.code.iter_mut().for_each(|code| code.optional = false);
        }
        self.found.code.sort_by(|a, b| a.path.cmp(&b.path));
        self.found
    }
}

/// Makes one of the kpack archives of a folder that differ in the target alone, but for those that were asked about.
fn merge_archives(all: &mut Vec<Code>, is_requested: impl Fn(&Path) -> bool) {
    let mut groups: BTreeMap<PathBuf, Code> = BTreeMap::new();
    all.retain(|code| {
        let group = kpack::group_path(&code.path).filter(|_| code.kind == Kind::Kpack && !is_requested(&code.path));
        let Some(group) = group else { return true };
        let merged = groups.entry(group.clone()).or_insert_with(|| Code::new(&group, Kind::Kpack));
        merged.targets.extend(&code.targets);
        code.foreign.iter().for_each(|name| merged.add_foreign(name.clone()));
        code.problems.iter().for_each(|text| merged.add_problem(format!("{}: {text}", code.path.display())));
        merged.bytes_read += code.bytes_read;
        false
    });
    all.extend(groups.into_values());
}
