//! `cargo xtask build`: every artefact with its own profile, laid out as installed.

use crate::manual;
use crate::run::{Run, cargo, program, root, target};
use crate::zig::{TARGET, Zig};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The glibc that a portable gate runs on: every process of a system loads it.
pub const GATE_GLIBC: &str = "2.17";
/// The glibc that everything else of a portable build runs on.
pub const GLIBC: &str = "2.28";

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// This machine, and those with no older a glibc.
    Native,
    /// Every machine with [`GLIBC`], and programs of other systems with [`GATE_GLIBC`].
    Portable,
}

impl Build {
    /// What the arguments of `cargo xtask build` ask for.
    pub fn asked(arguments: &[String]) -> Result<Build> {
        match arguments {
            [] => Ok(Build::Native),
            [portable] if portable == "--portable" => Ok(Build::Portable),
            other => bail!("`cargo xtask build` takes --portable or nothing, not {}", other.join(" ")),
        }
    }
}

/// Builds all and returns the folder.
pub fn everything(build: Build) -> Result<PathBuf> {
    let tools = Tools::of(build)?;
    // One package a call: cargo would otherwise give the core the features that only the commands want.
    tools.cargo("--release --package rmcp --bin rmcp", GLIBC, &[])?;
    tools.cargo("--release --package rmcp --bin rmcp-run", GLIBC, &[])?;
    // These unwind in other people's processes.
    tools.cargo("--release --package rmcp-core --lib", GLIBC, &tools.unwinder()?)?;
    tools.cargo("--release --package rmcp-kfd --lib", GLIBC, &tools.unwinder()?)?;
    tools.cargo("--profile gate --package rmcp-gate --lib", GATE_GLIBC, &[])?;
    tools.rescue()?;

    let dist = tools.dist();
    let built = tools.built();
    for (from, to) in [
        (built.join("release/rmcp"), "bin/rmcp"),
        (built.join("release/rmcp-run"), "bin/rmcp-run"),
        (built.join("gate/librmcp.so"), "lib/rmcp/librmcp.so"),
        (built.join("release/librmcp_core.so"), "lib/rmcp/librmcp_core.so"),
        (built.join("release/librmcp_kfd.so"), "lib/rmcp/librmcp_kfd.so"),
        (tools.folder().join(TARGET).join("release/rmcp-rescue"), "lib/rmcp/rmcp-rescue"),
        (root().join("include/rmcp.h"), "include/rmcp.h"),
        (root().join("config/rmcp.toml"), "share/rmcp/rmcp.toml"),
        (root().join("config/systemd/rmcp-rollback.service"), "lib/systemd/system/rmcp-rollback.service"),
        (root().join("LICENSE"), "share/doc/rmcp/LICENSE"),
    ] {
        install(&from, &dist.join(to))?;
    }
    for client in ["demo", "atomics", "selftest"] {
        tools.client(client, &dist.join(format!("lib/rmcp/rmcp-{client}-client")))?;
    }
    manual::write(&dist.join("share"))?;
    Ok(dist)
}

/// The compilers and linkers of a build: zig's for a portable one.
struct Tools(Option<Zig>);

impl Tools {
    fn of(build: Build) -> Result<Tools> {
        Ok(Tools(match build {
            Build::Native => None,
            Build::Portable => Some(Zig::install()?),
        }))
    }

    /// What is installed.
    fn dist(&self) -> PathBuf {
        target().join(if self.0.is_some() { "rmcp-portable" } else { "rmcp" })
    }

    /// Cargo's target folder. A portable build has one of its own: two linkers in one would undo each other's work.
    fn folder(&self) -> PathBuf {
        if self.0.is_some() { target().join("portable") } else { target() }
    }

    /// Where cargo leaves the folder of each profile.
    fn built(&self) -> PathBuf {
        if self.0.is_some() { self.folder().join(TARGET) } else { self.folder() }
    }

    /// Builds one library or program for machines with `glibc`, with more arguments for rustc in its last step.
    fn cargo(&self, arguments: &str, glibc: &str, rustc: &[OsString]) -> Result<()> {
        let cargo = match &self.0 {
            Some(zig) => self.portable(zig.cargo(arguments, glibc), &[])?,
            None => cargo("rustc").args(arguments.split(' ')),
        };
        cargo.arg("--").args(rustc).go()
    }

    /// The static command, with the C library of the machine that builds: no other comes as an archive. Naming the
    /// target keeps its flags from what runs during the build, and its files apart.
    fn rescue(&self) -> Result<()> {
        const STATIC: &str = "-Ctarget-feature=+crt-static";
        let cargo = cargo("build --release --package rmcp --bin rmcp-rescue --no-default-features --features system")
            .args(["--target", TARGET]);
        match self.0 {
            Some(_) => self.portable(cargo, &[STATIC])?.go(),
            None => cargo.env("RUSTFLAGS", STATIC).go(),
        }
    }

    /// A cargo whose work leaves the machine: stripped, and without the paths of it.
    fn portable(&self, cargo: Run, flags: &[&str]) -> Result<Run> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("there is no home folder")?;
        // The last that fits is used.
        let places = [(root(), "/rmcp"), (&target(), "/rmcp/target"), (&home, "/cargo")];
        let mut flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
        let mut compiler = Vec::new();
        for (place, name) in places {
            flags.push(format!("--remap-path-prefix={}={name}", place.display()));
            compiler.push(format!("-ffile-prefix-map={}={name}", place.display()));
        }
        Ok(cargo
            .env("CARGO_TARGET_DIR", self.folder())
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env(&format!("CFLAGS_{}", TARGET.replace('-', "_")), compiler.join(" "))
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .env("CARGO_PROFILE_GATE_STRIP", "symbols"))
    }

    /// Links this machine's libgcc_s by its name, in the place of zig's unwinder: a process must have one alone, and
    /// programs of C++ bring this one. See docs/portability.md.
    fn unwinder(&self) -> Result<Vec<OsString>> {
        if self.0.is_none() {
            return Ok(Vec::new());
        }
        let output = Command::new("cc").arg("-print-file-name=libgcc_s.so.1").output().context("run cc")?;
        let path = String::from_utf8(output.stdout).context("the path of libgcc_s.so.1")?;
        Ok(vec![format!("-Clink-arg={}", path.trim()).into()])
    }

    /// A program behind `rmcp demo` or `rmcp selftest`. It is bound to whichever runtime it finds when it runs, so one
    /// build serves all. Linked by a step of its own, because zig would first compile a C++ library that none needs.
    fn client(&self, name: &str, to: &Path) -> Result<()> {
        let object = self.folder().join(format!("{name}.o"));
        let (compiler, linker) = match &self.0 {
            Some(zig) => (zig.compiler("c++", GLIBC), zig.compiler("cc", GLIBC).arg("-s")),
            None => {
                let native = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
                (program(&native), program(&native))
            }
        };
        compiler
            .args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fplt", "-fPIE", "-c", "-o"])
            .arg(&object)
            .arg(format!("hip-tests/clients/{name}.cpp"))
            .go()?;
        linker.args(["-pie", "-Wl,-z,lazy", "-o"]).arg(to).arg(&object).arg("-ldl").go()
    }
}

/// Copies by renaming: a process may hold the old file.
fn install(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("an installed file lies in a folder")?;
    fs::create_dir_all(folder)?;
    let new = to.with_extension("new");
    fs::copy(from, &new).with_context(|| format!("cannot copy {} to {}", from.display(), new.display()))?;
    fs::rename(&new, to).with_context(|| format!("cannot rename {} to {}", new.display(), to.display()))
}
