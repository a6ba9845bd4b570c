//! Where the built RMCP and the emulator lie.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// The folder that `cargo xtask build` fills, laid out as installed.
#[derive(Clone, Debug)]
pub struct Build {
    root: PathBuf,
}

impl Build {
    /// `$RMCP_DIST`, else `rmcp` in the target directory of the running test.
    ///
    /// # Errors
    /// When nothing was built there.
    pub fn find() -> Result<Build> {
        let root = match std::env::var_os("RMCP_DIST") {
            Some(dist) => std::path::absolute(dist)?,
            None => target_dir()?.join("rmcp"),
        };
        let build = Build { root };
        for file in [build.gate(), build.core(), build.kfd(), build.rmcp_run()] {
            ensure!(file.is_file(), "{} does not exist; run `cargo xtask build` first", file.display());
        }
        Ok(build)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn library(&self, name: &str) -> PathBuf {
        self.root.join("lib/rmcp").join(name)
    }

    /// `librmcp.so`, which programs preload.
    pub fn gate(&self) -> PathBuf {
        self.library("librmcp.so")
    }

    /// `librmcp_core.so`, which the gate loads.
    pub fn core(&self) -> PathBuf {
        self.library("librmcp_core.so")
    }

    /// `librmcp_kfd.so`, the emulated card.
    pub fn kfd(&self) -> PathBuf {
        self.library("librmcp_kfd.so")
    }

    /// The program behind `rmcp demo --atomics`.
    pub fn atomics_client(&self) -> PathBuf {
        self.library("rmcp-atomics-client")
    }

    /// The command `rmcp`.
    pub fn rmcp(&self) -> PathBuf {
        self.root.join("bin/rmcp")
    }

    /// The command `rmcp-run`.
    pub fn rmcp_run(&self) -> PathBuf {
        self.root.join("bin/rmcp-run")
    }
}

/// The cargo target directory: a test runs as `<target>/<profile>/deps/<test>`.
///
/// # Errors
/// When the running test lies elsewhere.
pub fn target_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("find the running test")?;
    Ok(exe.ancestors().nth(3).context("a test outside a target directory")?.to_owned())
}
