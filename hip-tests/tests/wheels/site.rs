//! Wheels of PyPI, and a Python environment that has them.

use anyhow::{Context, Result, ensure};
use rmcp_hip_tests::cache_dir;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A wheel of PyPI.
#[derive(Clone, Copy)]
pub struct Wheel {
    pub name: &'static str,
    pub version: &'static str,
    /// The Python that it is for.
    pub python: &'static str,
    pub sha256: &'static str,
}

impl Wheel {
    /// The folder in which it is unpacked, downloaded unless the cache has it.
    pub fn fetch(&self) -> Result<PathBuf> {
        let folder = self.folder()?;
        let wheels = folder.parent().context("a folder in the cache")?;
        fs::create_dir_all(wheels).with_context(|| format!("create {}", wheels.display()))?;
        let beside = |what| wheels.join(format!("{}-{}{what}", self.name, self.version));
        let lock = File::create(beside(".lock")).context("create a lock")?;
        lock.lock().context("lock the cache")?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let (new, list) = (beside(".new"), beside(".txt"));
        if new.exists() {
            fs::remove_dir_all(&new).with_context(|| format!("remove {}", new.display()))?;
        }
        fs::write(&list, format!("{}=={} --hash=sha256:{}\n", self.name, self.version, self.sha256))?;
        // Any glibc: nothing of it is run.
        let mut platforms: Vec<String> =
            (17..=35).map(|minor| format!("--platform=manylinux_2_{minor}_x86_64")).collect();
        platforms.push("--platform=manylinux2014_x86_64".into());
        let mut command = Command::new("pip3");
        command.args(["install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]);
        command.args(["--no-cache-dir", "--ignore-requires-python", "--python-version", self.python]).args(platforms);
        command.arg("--target").arg(&new).arg("--requirement").arg(&list).env("PIP_ROOT_USER_ACTION", "ignore");
        let output = command.output().context("run pip3 (Debian's package: python3-pip)")?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        fs::rename(&new, &folder).with_context(|| format!("rename {}", new.display()))?;
        Ok(folder)
    }

    /// Removes it from the cache.
    pub fn remove(&self) -> Result<()> {
        fs::remove_dir_all(self.folder()?).context("remove a wheel")
    }

    fn folder(&self) -> Result<PathBuf> {
        Ok(cache_dir()?.join("wheels").join(format!("{}-{}", self.name, self.version)))
    }
}

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
