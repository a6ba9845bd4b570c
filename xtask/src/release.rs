//! `cargo xtask release`: what is published of a version, with checksums and a signature. CONTRIBUTING.md has the steps.

use crate::build::{self, Build};
use crate::changelog;
use crate::package::{self, VERSION};
use crate::run::{root, stdout_of, target};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SUMS: &str = "SHA256SUMS";
const SIGNATURE: &str = "SHA256SUMS.asc";
const NOTES: &str = "RELEASE-NOTES.md";
const KEY_VARIABLE: &str = "RMCP_SIGNING_KEY";

/// Make everything that is published of the version in Cargo.toml, in target/release-artefacts
#[derive(clap::Parser)]
pub struct Release {
    /// Only check the files of a folder: checksums and signature
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["allow_dirty", "tag"])]
    check: Option<PathBuf>,
    /// For a trial: also with changes that are not committed, and without a date in the changelog
    #[arg(long)]
    allow_dirty: bool,
    /// Sign nothing; otherwise RMCP_SIGNING_KEY names the key of gpg
    #[arg(long)]
    unsigned: bool,
    /// The tag that is released: it must be v and the version
    #[arg(long)]
    tag: Option<String>,
}

impl Release {
    /// Does it, and says where.
    ///
    /// # Errors
    /// Before anything is built, where something is missing; when a build, gpg or a check fails.
    pub fn run(&self) -> Result<()> {
        if let Some(folder) = &self.check {
            return check(folder, (!self.unsigned).then(Gpg::default).as_ref());
        }
        let notes = self.notes(root(), VERSION)?;
        let gpg = Gpg::default();
        let key = self.key(&gpg, std::env::var(KEY_VARIABLE).ok())?;

        let packages = package::everything(&build::everything(Build::Portable)?)?;
        let folder = target().join("release-artefacts");
        package::anew(&folder)?;
        for name in files(&packages)? {
            let from = packages.join(&name);
            fs::copy(&from, folder.join(&name)).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        stdout_of(git(root()).args(["archive", "--format=tar.gz"]).args([
            format!("--prefix=rmcp-{VERSION}/"),
            format!("--output={}", folder.join(format!("rmcp-{VERSION}.tar.gz")).display()),
            "HEAD".into(),
        ]))?;
        fs::write(folder.join(NOTES), notes).with_context(|| format!("cannot write {NOTES}"))?;
        seal(&folder)?;
        if let Some(key) = &key {
            gpg.sign(&folder, key)?;
        }
        check(&folder, key.is_some().then_some(&gpg))?;
        println!("made {}", folder.display());
        Ok(())
    }

    /// The notes of the version, where nothing speaks against its release.
    fn notes(&self, repository: &Path, version: &str) -> Result<String> {
        if let Some(tag) = &self.tag {
            ensure!(*tag == format!("v{version}"), "the tag is {tag}, and the version in Cargo.toml {version}");
        }
        let changelog = fs::read_to_string(repository.join("CHANGELOG.md")).context("CHANGELOG.md cannot be read")?;
        let section = changelog::section(&changelog, version)?;
        if !self.allow_dirty {
            let changed = stdout_of(git(repository).args(["status", "--porcelain"]))?;
            ensure!(changed.is_empty(), "what is not committed cannot be released:\n{changed}commit it");
            ensure!(
                section.date.is_some(),
                "CHANGELOG.md gives {version} no date: write `## [{version}] - YYYY-MM-DD` and commit it"
            );
        }
        Ok(format!("{}\n", section.text))
    }

    /// The key to sign with; None for nothing.
    fn key(&self, gpg: &Gpg, named: Option<String>) -> Result<Option<String>> {
        if self.unsigned {
            return Ok(None);
        }
        let Some(key) = named.filter(|key| !key.is_empty()) else {
            bail!("no key to sign with: name one of gpg's in {KEY_VARIABLE}, or sign nothing with --unsigned");
        };
        stdout_of(gpg.command().args(["--list-secret-keys", &key]))
            .with_context(|| format!("gpg has no secret key {key:?}, which {KEY_VARIABLE} names"))?;
        Ok(Some(key))
    }
}

/// Writes the checksums of a folder's files.
fn seal(folder: &Path) -> Result<()> {
    let sums = stdout_of(Command::new("sha256sum").args(files(folder)?).current_dir(folder))?;
    fs::write(folder.join(SUMS), sums).with_context(|| format!("cannot write {SUMS}"))
}

/// Checks a folder as its users do, with gpg unless it is unsigned, and that no file is without a checksum.
fn check(folder: &Path, gpg: Option<&Gpg>) -> Result<()> {
    if let Some(gpg) = gpg {
        ensure!(folder.join(SIGNATURE).exists(), "{} has no {SIGNATURE}: nobody signed it", folder.display());
        stdout_of(gpg.command().args(["--verify", SIGNATURE, SUMS]).current_dir(folder))
            .with_context(|| format!("{SIGNATURE} is no good signature of {SUMS} in {}", folder.display()))?;
    }
    stdout_of(Command::new("sha256sum").args(["--check", "--strict", "--quiet", SUMS]).current_dir(folder))
        .with_context(|| format!("{SUMS} does not fit the files of {}", folder.display()))?;
    let sums = fs::read_to_string(folder.join(SUMS)).with_context(|| format!("cannot read {SUMS}"))?;
    let listed: Vec<_> = sums.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    for file in files(folder)? {
        ensure!(listed.contains(&file.as_str()), "{SUMS} has no checksum of {file} in {}", folder.display());
    }
    Ok(())
}

/// The files of a folder beside checksums and signature, in order.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        names.push(entry?.file_name().into_string().ok().context("a file's name is not UTF-8")?);
    }
    names.retain(|name| name != SUMS && name != SIGNATURE);
    names.sort();
    Ok(names)
}

fn git(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository);
    command
}

/// GnuPG with the keys of a folder, or those of whoever calls.
#[derive(Default)]
struct Gpg {
    home: Option<PathBuf>,
}

impl Gpg {
    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet"]);
        if let Some(home) = &self.home {
            command.arg("--homedir").arg(home);
        }
        command
    }

    /// Signs the checksums of a folder.
    fn sign(&self, folder: &Path, key: &str) -> Result<()> {
        let arguments = ["--armor", "--detach-sign", "--local-user", key, SUMS];
        stdout_of(self.command().args(arguments).current_dir(folder))
            .with_context(|| format!("cannot sign with {key}"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
