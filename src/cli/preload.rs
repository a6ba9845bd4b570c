//! Where librmcp.so is, and how it gets into LD_PRELOAD.

pub use rmcp_system::list::GATE;
use rmcp_system::list::{self, is_rmcp};
pub use rmcp_system::tree::CORE;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The folders of an installation that is not around the command.
const INSTALL_FOLDERS: [&str; 2] = ["/usr/lib/rmcp", "/usr/local/lib/rmcp"];

/// Why a program cannot be run with RMCP.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// No librmcp.so anywhere.
    #[error(
        "{GATE} is in none of {}; install RMCP or set RMCP_LIBRARY to the path of {GATE}",
        searched.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NotFound {
        /// The folders where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// RMCP_LIBRARY names no file.
    #[error("RMCP_LIBRARY is {}, which is no file; set it to the path of {GATE}, or unset it", .0.display())]
    GateMissing(PathBuf),
    /// Half an installation: with the gate alone every call would be forwarded unchanged.
    #[error("{CORE} is missing beside {}; install both into one folder", .0.display())]
    CoreMissing(PathBuf),
    /// The dynamic loader has no way to quote.
    #[error(
        "{} has a blank, a colon or a dollar sign in its path, which LD_PRELOAD cannot express; move RMCP elsewhere",
        .0.display()
    )]
    UnquotablePath(PathBuf),
}

/// The absolute path of the librmcp.so that belongs to this command.
pub fn find_gate() -> Result<PathBuf, LibraryError> {
    let command = env::current_exe().ok();
    find_gate_from(env::var_os("RMCP_LIBRARY"), command.as_deref().and_then(Path::parent))
}

/// RMCP_LIBRARY, else ../lib/rmcp from the real folder `bin` of the command, that folder itself, then the installed
/// places.
fn find_gate_from(rmcp_library: Option<OsString>, bin: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let library = match rmcp_library.filter(|path| !path.is_empty()) {
        Some(path) => resolve_folder(Path::new(&path)).ok_or(LibraryError::GateMissing(path.into()))?,
        None => {
            let tree = bin.and_then(Path::parent).map(|tree| tree.join("lib/rmcp"));
            let around = tree.into_iter().chain(bin.map(PathBuf::from));
            let searched: Vec<_> = around.chain(INSTALL_FOLDERS.map(PathBuf::from)).collect();
            let found = searched.iter().find_map(|dir| resolve_folder(&dir.join(GATE)));
            found.ok_or(LibraryError::NotFound { searched })?
        }
    };
    if !library.with_file_name(CORE).is_file() {
        return Err(LibraryError::CoreMissing(library));
    }
    if library.as_os_str().as_bytes().iter().any(|byte| b" :$".contains(byte)) {
        return Err(LibraryError::UnquotablePath(library));
    }
    Ok(library)
}

/// The path of an existing file with a resolved folder, but under its own name: that may be a link to a version.
fn resolve_folder(path: &Path) -> Option<PathBuf> {
    path.is_file().then_some(())?;
    Some(std::path::absolute(path).ok()?.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

/// Whether LD_PRELOAD names librmcp.so: what is started from here loads it.
pub fn gate_in_environment() -> bool {
    ld_preload_has(is_rmcp)
}

/// Whether LD_PRELOAD names the emulator.
pub fn emulator_in_environment() -> bool {
    ld_preload_has(|entry| Path::new(entry).ends_with(rmcp_machine::LIBRARY))
}

fn ld_preload_has(wanted: impl Fn(&str) -> bool) -> bool {
    let preload = env::var_os("LD_PRELOAD").unwrap_or_default();
    list::entries(preload.as_bytes()).iter().any(|entry| wanted(entry))
}

/// LD_PRELOAD as it is here, for a program that starts in another folder.
pub fn inherited_ld_preload() -> OsString {
    let current = env::var_os("LD_PRELOAD").unwrap_or_default();
    let anywhere = |entry: &[u8]| match entry.first() {
        Some(b'/' | b'$') | None => entry.to_vec(),
        _ if !entry.contains(&b'/') => entry.to_vec(),
        _ => std::path::absolute(OsStr::from_bytes(entry))
            .map_or(entry.to_vec(), |path| path.into_os_string().into_vec()),
    };
    let entries: Vec<_> = current.as_bytes().split(|byte| b" :".contains(byte)).map(anywhere).collect();
    OsString::from_vec(entries.join(&b':'))
}

/// LD_PRELOAD with `library` first and no other copy of RMCP in it, which would have nothing to do. The loader takes
/// blanks and colons as separators (ld.so(8)); the result has colons.
pub fn ld_preload_with_gate(library: &Path, current: Option<&OsStr>) -> OsString {
    let current = current.map_or(&[][..], OsStr::as_bytes).split(|byte| b" :".contains(byte));
    let others = current.filter(|entry| !entry.is_empty() && !is_rmcp(&String::from_utf8_lossy(entry)));
    let entries: Vec<&[u8]> = std::iter::once(library.as_os_str().as_bytes()).chain(others).collect();
    OsString::from_vec(entries.join(&b':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn preloaded(current: &str) -> String {
        ld_preload_with_gate(Path::new("/r/librmcp.so"), Some(current.as_ref())).into_string().unwrap()
    }

    #[test]
    fn the_library_comes_first_and_once() {
        assert_eq!(ld_preload_with_gate(Path::new("/r/librmcp.so"), None), "/r/librmcp.so");
        for (current, expected) in [
            ("", "/r/librmcp.so"),
            (" : ", "/r/librmcp.so"),
            ("/r/librmcp.so", "/r/librmcp.so"),
            ("libjemalloc.so.2", "/r/librmcp.so:libjemalloc.so.2"),
            ("/a.so /b.so:/c.so", "/r/librmcp.so:/a.so:/b.so:/c.so"),
            ("/a.so:/r/librmcp.so /b.so librmcp.so:/usr/$LIB/librmcp.so", "/r/librmcp.so:/a.so:/b.so"),
            ("/my-librmcp.so:/librmcp.so.d/x.so", "/r/librmcp.so:/my-librmcp.so:/librmcp.so.d/x.so"),
        ] {
            assert_eq!(preloaded(current), expected, "{current:?}");
        }
    }

    #[test]
    fn entries_that_are_no_unicode_are_kept() {
        let current = OsString::from_vec(b"/\xff.so".to_vec());
        assert_eq!(ld_preload_with_gate(Path::new("/r.so"), Some(&current)).into_vec(), b"/r.so:/\xff.so");
    }

    fn install(dir: &Path) -> PathBuf {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join(GATE), "").unwrap();
        fs::write(dir.join(CORE), "").unwrap();
        dir.canonicalize().unwrap().join(GATE)
    }

    #[test]
    fn the_library_of_the_same_tree_is_found_before_one_in_the_same_folder() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        let same_folder = install(&bin);
        assert_eq!(find_gate_from(None, Some(&bin)).unwrap(), same_folder);
        let same_tree = install(&root.path().join("lib/rmcp"));
        assert_eq!(find_gate_from(None, Some(&bin)).unwrap(), same_tree);
        assert_eq!(find_gate_from(Some(OsString::new()), Some(&bin)).unwrap(), same_tree);
        assert_eq!(find_gate_from(Some(same_folder.clone().into()), Some(&bin)).unwrap(), same_folder);
    }

    #[test]
    fn a_missing_library_names_the_places_and_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = find_gate_from(Some(empty.path().join("x.so").into()), None).unwrap_err().to_string();
        assert!(error.contains("x.so, which is no file; set it to the path of librmcp.so"), "{error}");
        let searched = vec!["/one".into(), "/two".into()];
        let error = LibraryError::NotFound { searched }.to_string();
        assert_eq!(
            error,
            "librmcp.so is in none of /one, /two; install RMCP or set RMCP_LIBRARY to the path of librmcp.so"
        );
    }

    #[test]
    fn a_gate_without_its_core_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let gate = install(dir.path());
        fs::remove_file(dir.path().join(CORE)).unwrap();
        assert!(matches!(find_gate_from(Some(gate.into()), None), Err(LibraryError::CoreMissing(_))));
    }

    #[test]
    fn a_path_that_ld_preload_cannot_express_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["with blank", "with:colon", "$LIB"] {
            let gate = install(&dir.path().join(name));
            assert!(matches!(find_gate_from(Some(gate.into()), None), Err(LibraryError::UnquotablePath(_))), "{name}");
        }
    }
}
