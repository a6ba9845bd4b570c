//! Tools of others that the builds call: each of one version, compiled or downloaded once into RMCP's cache.

use crate::run::{cargo, program, target};
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A program of a package registry.
pub struct Tool {
    name: &'static str,
    version: &'static str,
    /// Where it lies in what is installed.
    program: &'static str,
    registry: Registry,
}

enum Registry {
    /// Cargo's own: it compiles the package, with these options, and checks it by the index.
    Crates(&'static [&'static str]),
    /// PyPI, whose wheels hold the program. The checksum is that of the wheel for x86_64.
    Pypi { sha256: &'static str },
}
use Registry::{Crates, Pypi};

/// Makes the .deb.
pub const CARGO_DEB: Tool =
    Tool { name: "cargo-deb", version: "3.8.0", program: "bin/cargo-deb", registry: Crates(&[]) };
/// Makes the .rpm.
pub const CARGO_GENERATE_RPM: Tool =
    Tool { name: "cargo-generate-rpm", version: "0.21.1", program: "bin/cargo-generate-rpm", registry: Crates(&[]) };
/// Makes the book; a server for it and a watcher of its files are not compiled.
pub const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    program: "bin/mdbook",
    registry: Crates(&["--no-default-features", "--features=search"]),
};
/// Puts zig in the linker's place.
pub const CARGO_ZIGBUILD: Tool = Tool {
    name: "cargo-zigbuild",
    version: "0.24.0",
    program: "bin/cargo-zigbuild",
    registry: Pypi { sha256: "484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957" },
};
/// Compiles C and C++, and links, for every glibc.
pub const ZIG: Tool = Tool {
    name: "ziglang",
    version: "0.17.0",
    program: "ziglang/zig",
    registry: Pypi { sha256: "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b" },
};

/// Where the tools are, and what they keep from one run to the next.
pub fn folder() -> Result<PathBuf> {
    Ok(rmcp_stacks::cache_dir()?.join("tools"))
}

impl Tool {
    /// Its program, installed unless the cache has it.
    pub fn program(&self) -> Result<PathBuf> {
        let tools = folder()?;
        fs::create_dir_all(&tools).with_context(|| format!("create {}", tools.display()))?;
        let beside = |what| tools.join(format!("{}-{}{what}", self.name, self.version));
        // Another build may be about to install it; the lock ends with the file.
        let lock = File::create(beside(".lock")).context("create a lock")?;
        lock.lock().context("lock the cache")?;
        let installed = beside("");
        if !installed.is_dir() {
            let new = beside(".new");
            if new.exists() {
                fs::remove_dir_all(&new)?;
            }
            self.install(&new, &beside(".txt"))?;
            fs::rename(&new, &installed)?;
        }
        let program = installed.join(self.program);
        ensure!(program.is_file(), "{} is missing; remove {}", program.display(), installed.display());
        Ok(program)
    }

    /// Installs it into `folder`, and may write `list`.
    fn install(&self, folder: &Path, list: &Path) -> Result<()> {
        let Tool { name, version, .. } = self;
        match self.registry {
            Crates(options) => cargo(&format!("install --locked --quiet {name} --version ={version}"))
                .args(options)
                .arg("--root")
                .arg(folder)
                .arg("--target-dir")
                .arg(target().join("tools"))
                // It runs for seconds and compiles for minutes.
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
                .run(),
            Pypi { sha256 } => {
                fs::write(list, format!("{name}=={version} --hash=sha256:{sha256}\n"))?;
                program("pip3")
                    .args(["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"])
                    .arg("--target")
                    .arg(folder)
                    .arg("--requirement")
                    .arg(list)
                    // It is no environment of Python's that it writes into.
                    .env("PIP_ROOT_USER_ACTION", "ignore")
                    .run()
                    .context("pip3 (Debian's package: python3-pip) installs a tool of PyPI")
            }
        }
    }
}
