//! Python 3.11 from Debian, and wheels of PyPI for it.
//!
//! The Python is bookworm's, whatever the stack: frameworks for ROCm have wheels for it, and none for sid's.

use crate::prefix::Stamp;
use crate::release::Release;
use crate::stack::{MULTIARCH, Stack, cache_dir, provide, stacks_dir};
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python in the cache.
#[derive(Clone, Debug)]
pub struct Python {
    prefix: PathBuf,
}

impl Python {
    /// Downloaded unless the cache has it.
    ///
    /// # Errors
    /// As [`Stack::fetch`].
    pub fn fetch() -> Result<Python> {
        const PACKAGES: [&str; 2] = ["python3", "python3-pip"];
        let prefix = stacks_dir()?.join("python-3.11");
        if Stamp::fresh(&prefix, &PACKAGES).is_none() {
            provide(Release::Rocm523, &prefix, &PACKAGES, &[], "and Python 3.11", false, |apt, _| {
                apt.resolve(&PACKAGES)
            })?;
        }
        Ok(Python { prefix })
    }

    /// A command that runs it by `stack`'s loader, with the libraries of the stack first and those in the folders `libraries`
    /// last; `packages` are folders in which it looks for modules.
    ///
    /// # Errors
    /// As [`Stack::command`].
    pub fn command(&self, stack: &Stack, libraries: &[PathBuf], packages: &[PathBuf]) -> Result<Command> {
        let libraries = [&self.library_dirs(), libraries].concat();
        let mut command = stack.command_with(self.prefix.join("usr/bin/python3.11"), &libraries)?;
        self.configure(&mut command);
        command.env("PYTHONPATH", std::env::join_paths(packages).context("a folder with a colon in its name")?);
        Ok(command)
    }

    /// A command that runs its pip.
    fn pip(&self) -> Command {
        let libraries = self.library_dirs();
        let mut command = Command::new(self.prefix.join("lib").join(MULTIARCH).join("ld-linux-x86-64.so.2"));
        let libraries: Vec<&OsStr> = libraries.iter().map(|dir| dir.as_os_str()).collect();
        command.args(["--inhibit-cache", "--library-path"]).arg(libraries.join(OsStr::new(":")));
        command.arg(self.prefix.join("usr/bin/python3.11")).args(["-m", "pip"]);
        command.env_remove("PYTHONPATH").env_remove("LD_PRELOAD");
        self.configure(&mut command);
        command
    }

    fn configure(&self, command: &mut Command) {
        command.env("PYTHONHOME", self.prefix.join("usr"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONNOUSERSITE", "1");
    }

    fn library_dirs(&self) -> Vec<PathBuf> {
        ["lib", "usr/lib"].map(|lib| self.prefix.join(lib).join(MULTIARCH)).into()
    }
}

/// A wheel of PyPI.
#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    /// The project's name.
    pub name: &'static str,
    /// The version.
    pub version: &'static str,
    /// The Python that it is for.
    pub python: &'static str,
    /// The SHA-256 of the file.
    pub sha256: &'static str,
}

impl Wheel {
    /// The folder in which it is unpacked, downloaded unless the cache has it. What it needs is not.
    ///
    /// # Errors
    /// Without network or disk, when PyPI has no such file, and as [`Python::fetch`].
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
        let mut command = Python::fetch()?.pip();
        self.arguments(&mut command, &new, &list);
        let output = command.output().context("run pip")?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        fs::rename(&new, &folder).with_context(|| format!("rename {}", new.display()))?;
        Ok(folder)
    }

    /// pip's arguments that have it download and unpack this wheel alone.
    fn arguments(&self, pip: &mut Command, folder: &Path, list: &Path) {
        // Any glibc: what runs it brings a new one.
        let mut platforms: Vec<String> =
            (17..=35).map(|minor| format!("--platform=manylinux_2_{minor}_x86_64")).collect();
        platforms.push("--platform=manylinux2014_x86_64".into());
        pip.args(["install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]);
        pip.args(["--no-cache-dir", "--ignore-requires-python", "--python-version", self.python]).args(platforms);
        pip.arg("--target").arg(folder).arg("--requirement").arg(list).env("PIP_ROOT_USER_ACTION", "ignore");
    }

    /// Removes it from the cache.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove(&self) -> Result<()> {
        fs::remove_dir_all(self.folder()?).context("remove a wheel")
    }

    fn folder(&self) -> Result<PathBuf> {
        let python = if self.python == "3.11" { String::new() } else { format!("-python{}", self.python) };
        Ok(cache_dir()?.join("wheels").join(format!("{}-{}{python}", self.name, self.version)))
    }
}
