//! A Python environment that has wheels of PyPI.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A virtual environment without an interpreter: nothing of it is run.
pub struct Site {
    folder: TempDir,
}

impl Site {
    pub fn new() -> Site {
        let site = Site { folder: tempfile::tempdir().expect("a folder") };
        let environment = site.environment();
        fs::create_dir_all(environment.join("bin")).expect("a folder");
        symlink("/usr/bin/python3", environment.join("bin/python")).expect("a link");
        fs::write(environment.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.12.0\n").expect("a file");
        fs::create_dir_all(site.packages()).expect("a folder");
        site
    }

    /// The environment's folder.
    pub fn environment(&self) -> PathBuf {
        self.folder.path().join("environment")
    }

    fn packages(&self) -> PathBuf {
        self.environment().join("lib/python3.12/site-packages")
    }

    /// Where a file of a package lies.
    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.packages().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        path
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// Has all that lies in a folder.
    pub fn link_all(&self, installed: &Path) {
        for entry in installed.read_dir().expect("a folder") {
            let entry = entry.expect("an entry");
            symlink(entry.path(), self.packages().join(entry.file_name())).expect("a link");
        }
    }
}
