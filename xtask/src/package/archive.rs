//! The archive with its install script, and what makes a package of Arch from it.

use super::root::Root;
use super::{VERSION, texts, time};
use crate::run::{program, stdout_of};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Makes them in the folder `packages`.
pub fn make(dist: &Path, scratch: &Path, packages: &Path) -> Result<()> {
    let name = format!("rmcp-{VERSION}-x86_64-linux");
    let root = Root::new(scratch.join(&name), dist, Path::new(""))?;
    // A name without a folder is found where the loader searches that folder: LD_PRELOAD=librmcp.so.
    root.link("lib/librmcp.so", "rmcp/librmcp.so")?;
    root.text("archive/install.sh", "install.sh")?;
    let archive = packages.join(format!("{name}.tar.gz"));
    program("tar")
        .args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"])
        .arg(format!("--mtime=@{}", time()?))
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(scratch)
        .arg(&name)
        .run()?;

    let build = fs::read_to_string(texts().join("arch/PKGBUILD")).context("config/packaging/arch/PKGBUILD")?;
    let build = build.replace("@VERSION@", VERSION).replace("@SHA256@", &sha256(&archive)?);
    fs::write(packages.join("PKGBUILD"), build)?;
    fs::copy(texts().join("arch/rmcp.install"), packages.join("rmcp.install")).context("rmcp.install")?;
    Ok(())
}

fn sha256(file: &Path) -> Result<String> {
    let sum = stdout_of(Command::new("sha256sum").arg(file))?;
    Ok(sum.split_whitespace().next().context("sha256sum printed nothing")?.to_owned())
}
