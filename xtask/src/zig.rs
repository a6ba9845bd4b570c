//! Building for older systems than this one: zig brings the symbols of every glibc, and cargo-zigbuild puts it in the
//! linker's place.

use crate::run::{Task, program, root, target};
use crate::tools;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The target of all builds, as rustc names it.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The glibc that a portable gate runs on: every process of a system loads it.
pub const GATE_GLIBC: &str = "2.17";
/// The glibc that everything else of a portable build runs on.
pub const GLIBC: &str = "2.28";

/// The two programs, and where they keep what they make.
pub struct Zig {
    zig: PathBuf,
    cargo: PathBuf,
    cache: PathBuf,
}

impl Zig {
    /// Installs what the cache lacks.
    pub fn install() -> Result<Zig> {
        let (zig, cargo) = (tools::ZIG.program()?, tools::CARGO_ZIGBUILD.program()?);
        Ok(Zig { zig, cargo, cache: tools::folder()?.join("zig-cache") })
    }

    /// Cargo's command `rustc` for [`TARGET`] with this glibc; arguments are separated by blanks.
    pub fn cargo(&self, arguments: &str, glibc: &str) -> Task {
        self.run(&self.cargo)
            .arg("rustc")
            .args(arguments.split(' '))
            .args(["--target", &format!("{TARGET}.{glibc}")])
            .env("CARGO_ZIGBUILD_ZIG_PATH", &self.zig)
            .env("CARGO_ZIGBUILD_CACHE_DIR", self.cache.join("cargo-zigbuild"))
    }

    /// zig as a compiler: `language` is `c++` or `cc`, the second links without a C++ library.
    pub fn compiler(&self, language: &str, glibc: &str) -> Task {
        self.run(&self.zig).args([language, "-target", &format!("x86_64-linux-gnu.{glibc}")])
    }

    fn run(&self, command: &Path) -> Task {
        program(command)
            .env("ZIG_GLOBAL_CACHE_DIR", self.cache.join("global"))
            .env("ZIG_LOCAL_CACHE_DIR", target().join("zig-cache"))
    }
}

/// The folders of this machine that compilers write into what they make, and what stands there instead. The last that
/// fits is used.
pub fn places() -> Result<[(PathBuf, &'static str); 3]> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("there is no home folder")?;
    Ok([(root().to_owned(), "/rmcp"), (target(), "/rmcp/target"), (cargo, "/cargo")])
}
