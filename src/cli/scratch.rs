//! Folders for one run of a command, in the system's folder for temporary files.
//!
//! Each is gone when its command ends. One that was killed or interrupted leaves its folder; the next that makes one removes
//! it. A folder is in use as long as a process has it locked, so no process needs to be asked, and none is mistaken for
//! another with its number.

use anyhow::{Context, Result};
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use tempfile::TempDir;

/// What the names begin with, by what the folder is for.
const PREFIXES: [&str; 4] = ["rmcp-demo.", "rmcp-status.", "rmcp-trace.", "rmcp-trial."];
/// Entries of the folder for temporary files that are looked at.
const ENTRIES: usize = 100_000;

/// A folder of its own.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one for a purpose: demo, status, trace or trial.
    pub fn new(purpose: &str) -> Result<Self> {
        let prefix =
            PREFIXES.into_iter().find(|prefix| prefix.trim_start_matches("rmcp-").trim_end_matches('.') == purpose);
        let prefix = prefix.context("a purpose that has no folders")?;
        let temporary = env::temp_dir();
        sweep(&temporary);
        let made = || format!("cannot make a folder in {}; set TMPDIR", temporary.display());
        loop {
            let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(&temporary).with_context(made)?;
            let lock = File::open(folder.path()).with_context(made)?;
            // Where nothing can be locked, nothing is swept either.
            let locked = !matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
            if locked && is_same_folder(&lock, folder.path()) {
                return Ok(Self { folder, _lock: lock });
            }
            // Another one has swept it before it was locked.
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes it.
    pub fn close(self) -> io::Result<()> {
        self.folder.close()
    }
}

/// Removes what this user's commands have left in a folder.
fn sweep(temporary: &Path) {
    // Where others may rename what is mine, nothing is removed by its name.
    if !fs::metadata(temporary).is_ok_and(|metadata| is_protected(&metadata)) {
        return;
    }
    for entry in fs::read_dir(temporary).into_iter().flatten().take(ENTRIES).flatten() {
        if has_scratch_name(&entry.file_name())
            && let Some(_lock) = lock_unused(&entry.path())
        {
            // What cannot be removed stays, as files of another user in it.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn has_scratch_name(name: &OsStr) -> bool {
    PREFIXES.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// The lock of a folder that belongs to this user and that nobody has locked; None for anything else, links too.
fn lock_unused(path: &Path) -> Option<File> {
    let folder = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path).ok()?;
    let own = folder.metadata().ok()?.uid() == nix::unistd::geteuid().as_raw();
    (own && folder.try_lock().is_ok() && is_same_folder(&folder, path)).then_some(folder)
}

/// Whether a folder is still what the path names.
fn is_same_folder(folder: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let (open, named) = (folder.metadata().map(identity), fs::symlink_metadata(path).map(identity));
    open.is_ok_and(|open| named.is_ok_and(|named| named == open))
}

fn is_protected(folder: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    let trusted = folder.uid() == 0 || folder.uid() == nix::unistd::geteuid().as_raw();
    trusted && (folder.mode() & 0o022 == 0 || folder.mode() & STICKY != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder(at: &Path, name: &str) -> std::path::PathBuf {
        let folder = at.join(name);
        fs::create_dir_all(folder.join("deep")).unwrap();
        fs::write(folder.join("deep/file"), "").unwrap();
        folder
    }

    #[test]
    fn what_was_left_is_swept_and_what_is_in_use_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let (left, used) = (folder(temporary.path(), "rmcp-trace.left"), folder(temporary.path(), "rmcp-demo.used"));
        let lock = File::open(&used).unwrap();
        lock.lock().unwrap();
        sweep(temporary.path());
        assert!(!left.exists() && used.join("deep/file").exists());
        drop(lock);
        sweep(temporary.path());
        assert!(!used.exists());
    }

    #[test]
    fn nothing_else_is_swept_and_no_link_is_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let kept = folder(elsewhere.path(), "rmcp-trace.kept");
        symlink(&kept, temporary.path().join("rmcp-trace.link")).unwrap();
        let inside = folder(temporary.path(), "rmcp-trace.inside");
        symlink(&kept, inside.join("link")).unwrap();
        fs::write(temporary.path().join("rmcp-trace.file"), "").unwrap();
        let other = folder(temporary.path(), "rmcp-kfd.other");
        sweep(temporary.path());
        assert!(kept.join("deep/file").exists() && other.exists() && !inside.exists());
        assert!(temporary.path().join("rmcp-trace.link").is_symlink());
        assert!(temporary.path().join("rmcp-trace.file").exists());
    }

    #[test]
    fn a_folder_where_others_may_rename_is_not_swept() {
        let temporary = tempfile::tempdir().unwrap();
        let left = folder(temporary.path(), "rmcp-trace.left");
        for (mode, swept) in [(0o777, false), (0o770, false), (0o1777, true)] {
            fs::set_permissions(temporary.path(), fs::Permissions::from_mode(mode)).unwrap();
            sweep(temporary.path());
            assert_eq!(!left.exists(), swept, "{mode:o}");
        }
    }

    #[test]
    fn a_new_folder_is_in_use_until_it_is_closed() {
        let scratch = Scratch::new("trial").unwrap();
        assert!(has_scratch_name(scratch.path().file_name().unwrap()));
        assert!(lock_unused(scratch.path()).is_none());
        let path = scratch.path().to_owned();
        scratch.close().unwrap();
        assert!(!path.exists());
        assert!(Scratch::new("other").is_err());
    }
}
