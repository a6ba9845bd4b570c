//! `cargo xtask package`: the packages, from a folder laid out as `cargo xtask build` does.
//!
//! | module | what it makes |
//! |---|---|
//! | [`root`] | the files as they will be on a machine, which every package is made from |
//! | [`deb`] | the .deb |
//! | [`rpm`] | the .rpm |
//! | [`archive`] | the archive with its install script, and the PKGBUILD |
//!
//! What the packages say of themselves, and their scripts, are in config/packaging.

mod archive;
mod deb;
mod root;
mod rpm;
#[cfg(test)]
mod tests;

use crate::run::{root as repository, target};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// The version of all packages.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Makes all packages of what is in `dist` and returns their folder, which holds nothing else.
pub fn everything(dist: &Path) -> Result<PathBuf> {
    let packages = target().join("packages");
    // What is packed, and the manifests that say how.
    let scratch = target().join("packaging");
    for folder in [&packages, &scratch] {
        anew(folder)?;
    }
    deb::make(dist, &scratch.join("deb"), &packages)?;
    archive::make(dist, &scratch.join("archive"), &packages)?;
    rpm::make(dist, &scratch.join("rpm"), &packages)?;
    Ok(packages)
}

/// Makes an empty folder.
pub fn anew(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
    .with_context(|| format!("cannot make {} anew", folder.display()))
}

/// The folder of what the packages say of themselves.
fn texts() -> PathBuf {
    repository().join("config/packaging")
}

/// The time that all packed files have, in seconds since 1970: packing the same twice gives the same package. It is that
/// of SOURCE_DATE_EPOCH (reproducible-builds.org), else of the last commit.
fn time() -> Result<String> {
    if let Ok(time) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(time);
    }
    let git = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(repository()).output();
    let time = git.ok().filter(|git| git.status.success()).and_then(|git| String::from_utf8(git.stdout).ok());
    let time =
        time.context("git does not tell the time of the last commit; set SOURCE_DATE_EPOCH to a time in seconds")?;
    Ok(time.trim().to_owned())
}

/// What the packages say of themselves.
fn about() -> Result<Table> {
    let text = fs::read_to_string(texts().join("metadata.toml")).context("config/packaging/metadata.toml")?;
    text.parse().context("config/packaging/metadata.toml")
}

/// Who answers for the packages.
fn maintainer() -> Result<String> {
    let about = about()?;
    let authors = about.get("package").and_then(|package| package.get("authors")?.get(0)?.as_str());
    Ok(authors.context("config/packaging/metadata.toml has no author")?.to_owned())
}

/// Writes a package of cargo into `folder`, for the tools that make a package of another kind from one: it has
/// [`about`] as its manifest, with these `assets` for `tool`, and no code.
fn manifest(folder: &Path, tool: &str, assets: Vec<Value>) -> Result<PathBuf> {
    let mut manifest = about()?;
    // Wherever the target folder is, this belongs to no workspace.
    manifest.insert("workspace".into(), Table::new().into());
    let package = manifest.get_mut("package").and_then(Value::as_table_mut).context("a section [package]")?;
    package.insert("version".into(), VERSION.into());
    let section = package.get_mut("metadata").and_then(|all| all.get_mut(tool)).and_then(Value::as_table_mut);
    section.with_context(|| format!("a section [package.metadata.{tool}]"))?.insert("assets".into(), assets.into());
    let path = folder.join("Cargo.toml");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(&path, manifest.to_string())?;
    Ok(path)
}
