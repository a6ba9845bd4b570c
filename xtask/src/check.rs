//! `cargo xtask check` and `cargo xtask test`: what is held on every edit, and everything.

use crate::build::{self, Build};
use crate::run::{cargo, program};
use crate::{docs, package};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// A program that the build or a test calls, and Debian's package of it.
type Program = (&'static str, &'static str);

/// Those that [`check`] calls.
const CHECK: [Program; 8] = [
    ("c++", "g++"),
    ("python3", "python3"),
    ("git", "git"),
    ("gpg", "gnupg"),
    ("strace", "strace"),
    ("valgrind", "valgrind"),
    ("zsh", "zsh"),
    ("fish", "fish"),
];

/// Those that the other tests call.
const TEST: [Program; 13] = [
    ("dpkg", "dpkg"),
    ("apt-get", "apt"),
    ("pip3", "python3-pip"),
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mandoc", "mandoc"),
    ("lintian", "lintian"),
    ("rpm", "rpm"),
    ("rpmlint", "rpmlint"),
    ("shellcheck", "shellcheck"),
    ("makepkg", "makepkg"),
    ("bsdtar", "libarchive-tools"),
];

/// A part of [`everything`] that a machine of its own can run.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Lane {
    /// What `cargo xtask check` does
    Check,
    /// The tests on the real runtime
    Real,
    /// The packages and their tests
    Packages,
    /// RMCP in every process of throw-away machines
    Machines,
}

impl Lane {
    /// Installs what it needs, builds, and runs it.
    pub fn test(self) -> Result<()> {
        if let Lane::Check = self {
            install(missing(CHECK))?;
            return check();
        }
        install(missing(CHECK.into_iter().chain(TEST)))?;
        let dist = build::everything(Build::Portable)?;
        let tests = match self {
            Lane::Check => unreachable!("it has returned"),
            Lane::Real => {
                return cargo("test --package rmcp-hip-tests --package rmcp-benches").env("RMCP_DIST", dist).run();
            }
            Lane::Packages => cargo("test --package xtask package::tests"),
            Lane::Machines => cargo("test --package rmcp-machines"),
        };
        let packages = package::everything(&dist)?;
        tests.env("RMCP_DIST", &dist).env("RMCP_PACKAGES", packages).run()
    }
}

/// What needs no root, and no network once the cache has mdbook: everything but the packages, and the tests that run a real
/// runtime or a machine.
pub fn check() -> Result<()> {
    let missing = missing(CHECK);
    if !missing.is_empty() {
        bail!("programs are missing; as root run: {}", installation(&missing));
    }
    texts_and_lints()?;
    let dist = build::everything(Build::Native)?;
    cargo("test --workspace --exclude rmcp-gate --exclude rmcp-hip-tests --exclude rmcp-machines")
        .args(["--", "--skip", "package::tests", "--skip", "on_a_real_runtime"])
        .env("RMCP_DIST", dist)
        .run()
}

/// Runs all; the first failure ends it.
pub fn everything() -> Result<()> {
    install(missing(CHECK.into_iter().chain(TEST)))?;
    texts_and_lints()?;
    // What is released is what is tested.
    let dist = build::everything(Build::Portable)?;
    let packages = package::everything(&dist)?;
    cargo("test --workspace --exclude rmcp-gate").env("RMCP_DIST", &dist).env("RMCP_PACKAGES", packages).run()
}

/// The format, clippy, the docs and the book. The gate builds only under its own profile.
fn texts_and_lints() -> Result<()> {
    cargo("fmt --all --check").run()?;
    cargo("clippy --workspace --exclude rmcp-gate --all-targets -- --deny warnings").run()?;
    cargo("clippy --profile gate --package rmcp-gate -- --deny warnings").run()?;
    cargo("doc --workspace --exclude rmcp-gate --no-deps --document-private-items")
        .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links")
        .run()?;
    docs::build()?;
    Ok(())
}

/// The packages of the programs that are missing.
fn missing(programs: impl IntoIterator<Item = Program>) -> Vec<&'static str> {
    programs.into_iter().filter(|(name, _)| find(name).is_none()).map(|(_, package)| package).collect()
}

/// The command line that installs these packages.
fn installation(packages: &[&str]) -> String {
    format!("apt-get install --yes --no-install-recommends {}", packages.join(" "))
}

/// As root installs these packages; otherwise names them.
fn install(packages: Vec<&str>) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let install = installation(&packages);
    // Only root can write there, whoever asks.
    if find("apt-get").is_none() || std::fs::OpenOptions::new().append(true).open("/var/lib/dpkg/lock").is_err() {
        bail!("programs are missing; as root run: {install}");
    }
    program("apt-get").args(["update", "--quiet"]).run()?;
    program("env").arg("DEBIAN_FRONTEND=noninteractive").args(install.split(' ')).run()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| Path::is_file(file))
}
