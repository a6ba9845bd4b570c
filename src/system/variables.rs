//! Libraries of the machine with variables under the names of hooked functions.
//!
//! A wrapper that looks its functions up itself may keep them in variables of the same names. In a shared library they are
//! symbols like any other: with the gate in the global scope the library's own references lead to the gate's code, and its
//! first store ends the program. No preloaded library can help that, so it is looked for before.

use super::System;
use object::read::elf::ElfFile64;
use object::read::{Object, ObjectSymbol, ReadCache, SymbolKind};
use rmcp_abi::HOOKS;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Folders that hold libraries on every distribution, and those of what comes without a package.
const FOLDERS: [&str; 7] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/opt"];

/// Further ones, a line each, and names of more such files. (ldconfig(8))
const CONFIGURATION: &str = "/etc/ld.so.conf";

/// How long is looked: a machine with all of ROCm and Python's wheels has some ten thousand libraries.
const LIMIT: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Debug, Default)]
pub struct Search {
    /// Each library, with the first of its variables.
    pub libraries: Vec<(PathBuf, String)>,
    /// Where the time ran out; None: every folder was looked through.
    pub ended_at: Option<PathBuf>,
}

/// Looks through the loader's folders and all below them.
pub fn search(system: &System) -> Search {
    let mut search = Search::default();
    let end = Instant::now() + LIMIT;
    let mut seen = BTreeSet::new();
    let configured = configured(system, Path::new(CONFIGURATION), 8);
    let mut folders: Vec<_> = configured.into_iter().chain(FOLDERS.map(PathBuf::from)).rev().collect();
    while let Some(folder) = folders.pop() {
        if Instant::now() > end {
            search.ended_at = Some(folder);
            break;
        }
        let Ok(real) = system.path(&folder.to_string_lossy()).canonicalize() else { continue };
        if !seen.insert(real.clone()) {
            continue;
        }
        for entry in fs::read_dir(&real).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(folder.join(entry.file_name()));
            } else if kind.is_file() && is_library(&entry.file_name()) {
                let variable = variable(&entry.path());
                search.libraries.extend(variable.map(|name| (folder.join(entry.file_name()), name)));
            }
        }
    }
    search.libraries.sort();
    search
}

/// The folders that a file of ldconfig's names; `depth` more files are followed.
fn configured(system: &System, file: &Path, depth: u8) -> Vec<PathBuf> {
    let text = fs::read_to_string(system.path(&file.to_string_lossy())).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let folders = |line: &str| match line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(pattern) if depth > 0 => {
            included(system, file, pattern.trim()).iter().flat_map(|file| configured(system, file, depth - 1)).collect()
        }
        Some(_) => Vec::new(),
        None => vec![PathBuf::from(line)],
    };
    lines.filter(|line| !line.is_empty()).flat_map(folders).filter(|folder| folder.is_absolute()).collect()
}

/// The files of a pattern whose only star, if any, stands in the file's name, as distributions write it.
fn included(system: &System, file: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = file.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let Some((before, after)) = name.to_str().and_then(|name| name.split_once('*')) else { return vec![path] };
    let entries = fs::read_dir(system.path(&folder.to_string_lossy())).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let fits = |name: &String| name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after));
    let mut files: Vec<_> = names.filter(fits).map(|name| folder.join(name)).collect();
    files.sort();
    files
}

/// Whether a file's name is a library's: `libx.so`, `libx.so.1.2`.
fn is_library(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".so") || name.windows(4).any(|window| window == b".so.")
}

/// The first variable under the name of a hooked function that a library defines for others.
pub fn variable(library: &Path) -> Option<String> {
    let data = ReadCache::new(File::open(library).ok()?);
    let elf = ElfFile64::<object::LittleEndian, _>::parse(&data).ok()?;
    let found = elf.dynamic_symbols().find(|symbol| {
        matches!(symbol.kind(), SymbolKind::Data | SymbolKind::Tls)
            && symbol.is_definition()
            && symbol.name().is_ok_and(|name| HOOKS.iter().any(|hook| hook.name == name))
    })?;
    Some(found.name().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_folders_are_those_that_ldconfig_would_read() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("etc/ld.so.conf", "include ld.so.conf.d/*.conf\n# a word\n/opt/one/lib # why\nrelative\n");
        write("etc/ld.so.conf.d/b.conf", "/opt/rocm/lib\n");
        write("etc/ld.so.conf.d/a.conf", "include /etc/more\n");
        write("etc/ld.so.conf.d/README", "/not/this\n");
        write("etc/more", "/opt/two/lib\ninclude more\n");
        let folders = configured(&System::with_root(root.path()), Path::new(CONFIGURATION), 2);
        assert_eq!(folders, ["/opt/two/lib", "/opt/rocm/lib", "/opt/one/lib"].map(PathBuf::from));
    }

    #[test]
    fn a_library_with_such_a_variable_is_found_below_a_folder_of_the_loader_and_one_with_functions_is_not() {
        let root = tempfile::tempdir().unwrap();
        let system = System::with_root(root.path());
        let compile = |source: &str, path: &str| {
            let library = root.path().join(path);
            fs::create_dir_all(library.parent().unwrap()).unwrap();
            let file = root.path().join("source.c");
            fs::write(&file, source).unwrap();
            let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
            compiler.args(["-shared", "-fPIC", "-o"]).arg(library).arg(file);
            assert!(compiler.status().unwrap().success());
        };
        compile("int hipMalloc(void) { return 0; } int (*other)(void);", "usr/lib/libfunctions.so.1");
        compile("static int (*hipMalloc)(void); int f(void) { return hipMalloc(); }", "usr/lib/libhidden.so");
        compile("extern int (*hipMalloc)(void); int f(void) { return hipMalloc(); }", "usr/lib/libreference.so");
        compile("int (*hipFree)(void *);", "usr/lib/plugins/deep/libvariables.so.2");
        fs::write(root.path().join("usr/lib/libbroken.so"), "\x7fELF and no more").unwrap();
        let search = search(&system);
        let found = ("/usr/lib/plugins/deep/libvariables.so.2".into(), "hipFree".to_owned());
        assert_eq!((search.libraries, search.ended_at), (vec![found], None));
    }

    #[test]
    fn libraries_are_told_by_their_names() {
        for (name, library) in [("libx.so", true), ("libx.so.1.2", true), ("x.cpython-312-x86_64-linux-gnu.so", true)] {
            assert_eq!(is_library(OsStr::new(name)), library, "{name}");
        }
        for name in ["libx.a", "sofa", "x.sound"] {
            assert!(!is_library(OsStr::new(name)), "{name}");
        }
    }
}
