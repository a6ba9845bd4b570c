//! Building for older systems than this one: zig brings the symbols of every glibc, and cargo-zigbuild puts it in the
//! linker's place.

use crate::run::{Run, program, target};
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The target of all builds, as rustc names it.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A package of PyPI whose wheel holds a program.
struct Wheel {
    name: &'static str,
    version: &'static str,
    /// Of the wheel for x86_64.
    sha256: &'static str,
    /// Where the program lies in it.
    program: &'static str,
}

const ZIG: Wheel = Wheel {
    name: "ziglang",
    version: "0.17.0",
    sha256: "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b",
    program: "ziglang/zig",
};

const CARGO_ZIGBUILD: Wheel = Wheel {
    name: "cargo-zigbuild",
    version: "0.24.0",
    sha256: "484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957",
    program: "bin/cargo-zigbuild",
};

impl Wheel {
    /// Its program, installed unless `tools` has it.
    fn program(&self, tools: &Path) -> Result<PathBuf> {
        let Wheel { name, version, sha256, program: file } = self;
        let beside = |what| tools.join(format!("{name}-{version}{what}"));
        let folder = beside("");
        fs::create_dir_all(tools).with_context(|| format!("create {}", tools.display()))?;
        // Another build may be about to install it; the lock ends with the file.
        let lock = File::create(beside(".lock")).context("create a lock")?;
        lock.lock().context("lock the cache")?;
        if !folder.is_dir() {
            let (wanted, new) = (beside(".txt"), beside(".new"));
            fs::write(&wanted, format!("{name}=={version} --hash=sha256:{sha256}\n"))?;
            if new.exists() {
                fs::remove_dir_all(&new)?;
            }
            program("pip3")
                .args(["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--target"])
                .arg(&new)
                .arg("--requirement")
                .arg(&wanted)
                // It is no environment of Python's that it writes into.
                .env("PIP_ROOT_USER_ACTION", "ignore")
                .go()
                .context("pip3 installs what builds for older systems (Debian's package: python3-pip)")?;
            fs::rename(&new, &folder)?;
        }
        let program = folder.join(file);
        ensure!(program.is_file(), "{} is missing; remove {} to install it anew", program.display(), folder.display());
        Ok(program)
    }
}

/// The two programs, and where they keep what they make.
pub struct Zig {
    zig: PathBuf,
    cargo: PathBuf,
    cache: PathBuf,
}

impl Zig {
    /// Installs what the cache lacks.
    ///
    /// # Errors
    /// Without pip3, or without a way to the packages.
    pub fn install() -> Result<Zig> {
        let tools = rmcp_stacks::cache_dir()?.join("tools");
        Ok(Zig { zig: ZIG.program(&tools)?, cargo: CARGO_ZIGBUILD.program(&tools)?, cache: tools.join("zig-cache") })
    }

    /// Cargo's command `rustc` for [`TARGET`] with this glibc; arguments are separated by blanks.
    pub fn cargo(&self, arguments: &str, glibc: &str) -> Run {
        self.run(&self.cargo)
            .arg("rustc")
            .args(arguments.split(' '))
            .args(["--target", &format!("{TARGET}.{glibc}")])
            .env("CARGO_ZIGBUILD_ZIG_PATH", &self.zig)
            .env("CARGO_ZIGBUILD_CACHE_DIR", self.cache.join("cargo-zigbuild"))
    }

    /// zig as a compiler: `language` is `c++` or `cc`, the second links without a C++ library.
    pub fn compiler(&self, language: &str, glibc: &str) -> Run {
        self.run(&self.zig).args([language, "-target", &format!("x86_64-linux-gnu.{glibc}")])
    }

    fn run(&self, command: &Path) -> Run {
        program(command)
            .env("ZIG_GLOBAL_CACHE_DIR", self.cache.join("global"))
            .env("ZIG_LOCAL_CACHE_DIR", target().join("zig-cache"))
    }
}
