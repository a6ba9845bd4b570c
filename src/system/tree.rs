//! The libraries of the list: one folder a generation, never changed once it has its name.
//!
//! A library that is mapped must not change under its processes, so a new version gets a new folder. The entry of the
//! list names the folder with $LIB in it, and each loader finds its own library there.

use super::list::GATE;
use super::loaders::Loader;
use super::{FILE, System, SystemError, create_folder, io_error, set_mode, stub, sync_folder, write_synced};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the generations are.
pub use rmcp_abi::gate::SYSTEM_TREE as TREE;

/// What the gate loads from its own folder at the first HIP or HSA call.
pub const CORE: &str = "librmcp_core.so";

/// The files of one generation, by path in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation(BTreeMap<PathBuf, Vec<u8>>);

impl Generation {
    /// RMCP itself for the native loader, an empty library for each other one.
    pub fn new(gate: &Path, loaders: &[Loader]) -> Result<Self, SystemError> {
        let read = |path: &Path| fs::read(path).map_err(io_error("read", path));
        let mut files = BTreeMap::new();
        for loader in loaders {
            let folder = Path::new(loader.lib);
            match loader.abi {
                None => {
                    files.insert(folder.join(GATE), read(gate)?);
                    files.insert(folder.join(CORE), read(&gate.with_file_name(CORE))?);
                }
                Some(abi) => {
                    files.insert(folder.join(GATE), stub::library(abi));
                }
            }
        }
        Ok(Self(files))
    }

    fn is_at(&self, folder: &Path) -> bool {
        self.0.iter().all(|(path, content)| fs::read(folder.join(path)).is_ok_and(|found| found == *content))
    }
}

/// Installs a generation, unless it is there already, and returns the entry of the list that names it.
pub fn install(system: &System, generation: &Generation) -> Result<String, SystemError> {
    let tree = system.path(TREE);
    let names = generations(system)?;
    let entry = |name: &str| format!("{TREE}/{name}/$LIB/{GATE}");
    let shared = system.path(SHARED);
    if let Some(name) = names.iter().find(|name| generation.is_at(&tree.join(name))) {
        for path in generation.0.keys() {
            let file = tree.join(name).join(path);
            create_folder(file.parent().unwrap_or(&tree), Some(&shared))?;
            set_mode(&file, FILE)?;
        }
        return Ok(entry(name));
    }
    let number = names.iter().filter_map(|name| name.rsplit_once('-')?.1.parse::<u32>().ok()).max().unwrap_or(0) + 1;
    let name = format!("{}-{number}", env!("CARGO_PKG_VERSION"));

    // What an earlier attempt left half done has a name that no list has.
    let half = tree.join(STAGED);
    remove(&half)?;
    for (path, content) in &generation.0 {
        let file = half.join(path);
        let folder = file.parent().unwrap_or(&half);
        create_folder(folder, Some(&shared))?;
        write_synced(&file, content, FILE)?;
        sync_folder(&file)?;
    }
    let whole = tree.join(&name);
    fs::rename(&half, &whole).map_err(io_error("create", &whole))?;
    sync_folder(&whole)?;
    Ok(entry(&name))
}

const STAGED: &str = "new";

/// The folder below which all is RMCP's own: that of the packages and of the tree.
const SHARED: &str = "/usr/lib";

/// The names of the generations that are there.
fn generations(system: &System) -> Result<Vec<String>, SystemError> {
    let tree = system.path(TREE);
    let entries = match fs::read_dir(&tree) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(io_error("read", &tree))?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<Result<_, _>>().map_err(io_error("read", &tree))
}

/// Removes the generations that the list does not name and no process has mapped; with `purge` also those that some
/// process has: it keeps its mapping. Returns the ones that are left beside the list's.
pub fn clean(system: &System, purge: bool) -> Result<Vec<String>, SystemError> {
    let tree = system.path(TREE);
    let entry = system.entry()?.unwrap_or_default();
    let named = |name: &str| entry.starts_with(&format!("{TREE}/{name}/"));
    let mut left = Vec::new();
    for name in generations(system)?.into_iter().filter(|name| !named(name)) {
        if purge || users(system, &format!("{TREE}/{name}/")) == 0 {
            remove(&tree.join(&name))?;
        } else {
            left.push(name);
        }
    }
    // Fails, as it should, while there is something in it. The folder above is RMCP's own even where its files are not.
    let _ = fs::remove_dir(&tree).and_then(|()| fs::remove_dir(tree.parent().unwrap_or(&tree)));
    Ok(left)
}

fn remove(folder: &Path) -> Result<(), SystemError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// How many other processes have mapped a file whose path starts so, as far as this process may look.
pub fn users(system: &System, prefix: &str) -> usize {
    let Ok(processes) = fs::read_dir(system.path("/proc")) else { return 0 };
    let own = std::process::id();
    let other = |name: &str| name.parse::<u32>().is_ok_and(|process| process != own);
    let maps = processes.flatten().filter(|entry| other(&entry.file_name().to_string_lossy()));
    maps.filter(|entry| fs::read(entry.path().join("maps")).is_ok_and(|maps| holds(&maps, prefix.as_bytes()))).count()
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
