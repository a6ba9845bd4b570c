//! `cargo xtask test`: every check, from installing what it needs to the last test.

use crate::build::{self, Build};
use crate::run::{cargo, program};
use crate::{generate, package};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The programs that the build and the tests call, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 20] = [
    ("c++", "g++"),
    ("dpkg", "dpkg"),
    ("apt-get", "apt"),
    ("python3", "python3"),
    ("pip3", "python3-pip"),
    ("git", "git"),
    ("gpg", "gnupg"),
    ("strace", "strace"),
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mandoc", "mandoc"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("lintian", "lintian"),
    ("rpm", "rpm"),
    ("rpmlint", "rpmlint"),
    ("shellcheck", "shellcheck"),
    ("makepkg", "makepkg"),
    ("bsdtar", "libarchive-tools"),
];

/// Runs all; the first failure ends it.
pub fn everything() -> Result<()> {
    install_prerequisites()?;
    cargo("fmt --all --check").go()?;
    generate::check_all()?;
    // What is released is what is tested.
    let dist = build::everything(Build::Portable)?;
    lint()?;
    cargo("doc --workspace --exclude rmcp-gate --no-deps --document-private-items")
        .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links")
        .go()?;
    let packages = package::everything(&dist)?;
    cargo("test --workspace --exclude rmcp-gate").env("RMCP_DIST", &dist).env("RMCP_PACKAGES", packages).go()
}

/// Clippy; the gate builds only under its own profile.
pub fn lint() -> Result<()> {
    cargo("clippy --workspace --exclude rmcp-gate --all-targets -- --deny warnings").go()?;
    cargo("clippy --profile gate --package rmcp-gate -- --deny warnings").go()
}

/// As root installs the programs that are missing; otherwise names them.
fn install_prerequisites() -> Result<()> {
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|(name, _)| find(name).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    // Only root can write there, whoever asks.
    if find("apt-get").is_none() || std::fs::OpenOptions::new().append(true).open("/var/lib/dpkg/lock").is_err() {
        bail!("programs are missing; as root run: {install}");
    }
    program("apt-get").args(["update", "--quiet"]).go()?;
    program("env").arg("DEBIAN_FRONTEND=noninteractive").args(install.split(' ')).go()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| Path::is_file(file))
}
