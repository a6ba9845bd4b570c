//! Tools of others that the builds call: each of one version, compiled or downloaded once into RMCP's cache.

use crate::run::{cargo, target};
use anyhow::Result;
use std::path::PathBuf;

/// A command that cargo installs.
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Makes the .deb.
pub const CARGO_DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0" };
/// Makes the .rpm.
pub const CARGO_GENERATE_RPM: Tool = Tool { name: "cargo-generate-rpm", version: "0.21.1" };

impl Tool {
    /// Its program, installed unless the cache has it.
    pub fn program(&self) -> Result<PathBuf> {
        let Tool { name, version } = self;
        let folder = rmcp_stacks::cache_dir()?.join("tools").join(format!("{name}-{version}"));
        let program = folder.join("bin").join(name);
        if !program.is_file() {
            let install = cargo(&format!("install --locked --quiet {name} --version ={version}"));
            install.arg("--root").arg(&folder).arg("--target-dir").arg(target().join("tools")).go()?;
        }
        Ok(program)
    }
}
