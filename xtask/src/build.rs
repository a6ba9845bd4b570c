//! `cargo xtask build`: every artefact with its own profile, laid out as installed.

use crate::manual;
use crate::run::{cargo, program, root, target};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Builds all and returns the folder.
pub fn everything() -> Result<PathBuf> {
    // One package a call: cargo would otherwise give the core the features that only the commands want.
    cargo("build --release --package rmcp").go()?;
    cargo("build --release --package rmcp-core").go()?;
    cargo("build --release --package rmcp-kfd").go()?;
    cargo("build --profile gate --package rmcp-gate").go()?;

    let rescue = rescue()?;

    let dist = target().join("rmcp");
    let (release, gate) = (target().join("release"), target().join("gate"));
    for (from, to) in [
        (release.join("rmcp"), "bin/rmcp"),
        (release.join("rmcp-run"), "bin/rmcp-run"),
        (gate.join("librmcp.so"), "lib/rmcp/librmcp.so"),
        (release.join("librmcp_core.so"), "lib/rmcp/librmcp_core.so"),
        (release.join("librmcp_kfd.so"), "lib/rmcp/librmcp_kfd.so"),
        (rescue, "lib/rmcp/rmcp-rescue"),
        (root().join("include/rmcp.h"), "include/rmcp.h"),
        (root().join("config/rmcp.toml"), "share/rmcp/rmcp.toml"),
        (root().join("config/systemd/rmcp-rollback.service"), "lib/systemd/system/rmcp-rollback.service"),
        (root().join("LICENSE"), "share/doc/rmcp/LICENSE"),
    ] {
        install(&from, &dist.join(to))?;
    }
    for client in ["demo", "atomics", "selftest"] {
        demo_client(client, &dist.join(format!("lib/rmcp/rmcp-{client}-client")))?;
    }
    manual::write(&dist.join("share"))?;
    Ok(dist)
}

/// The static command. Naming the target keeps its flags from what runs during the build, and its files apart.
fn rescue() -> Result<PathBuf> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    cargo("build --release --package rmcp --bin rmcp-rescue --no-default-features --features system")
        .args(["--target", TARGET])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .go()?;
    Ok(target().join(TARGET).join("release/rmcp-rescue"))
}

/// A program behind `rmcp demo` or `rmcp selftest`. It is bound to whichever runtime it finds when it runs, so one build serves all.
fn demo_client(name: &str, to: &Path) -> Result<()> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    program(compiler)
        .args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fplt", "-pie", "-fPIE"])
        .args(["-Wl,-z,lazy", "-o"])
        .arg(to)
        .arg(format!("hip-tests/clients/{name}.cpp"))
        .arg("-ldl")
        .go()
}

/// Copies by renaming: a process may hold the old file.
fn install(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("an installed file lies in a folder")?;
    fs::create_dir_all(folder)?;
    let new = to.with_extension("new");
    fs::copy(from, &new).with_context(|| format!("cannot copy {} to {}", from.display(), new.display()))?;
    fs::rename(&new, to).with_context(|| format!("cannot rename {} to {}", new.display(), to.display()))
}
