//! `cargo xtask build`: every artefact with its own profile, laid out as installed.

use crate::run::{Task, cargo, program, root, target};
use crate::zig::{GATE_GLIBC, GLIBC, TARGET, Zig, places};
use crate::{manual, symbols};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// This machine, and those with no older a glibc.
    Native,
    /// Every machine with [`GLIBC`], and programs of other systems with [`GATE_GLIBC`].
    Portable,
}

/// Builds all and returns the folder.
pub fn everything(build: Build) -> Result<PathBuf> {
    let tools = Tools::of(build)?;
    // One package a call: cargo would otherwise give the core the features that only the commands want.
    tools.cargo("--release --package rmcp-cli --bin rmcp", GLIBC, &[])?;
    tools.cargo("--release --package rmcp-cli --bin rmcp-run", GLIBC, &[])?;
    // These unwind in other people's processes.
    tools.cargo("--release --package rmcp-core --lib", GLIBC, &tools.unwinder()?)?;
    tools.cargo("--release --package rmcp-kfd --lib", GLIBC, &tools.unwinder()?)?;
    tools.cargo("--profile gate --package rmcp-gate --lib", GATE_GLIBC, &[])?;

    let dist = tools.dist();
    let built = tools.built();
    for (from, to) in [
        (built.join("release/rmcp"), "bin/rmcp"),
        (built.join("release/rmcp-run"), "bin/rmcp-run"),
        (built.join("gate/librmcp.so"), "lib/rmcp/librmcp.so"),
        (built.join("release/librmcp_core.so"), "lib/rmcp/librmcp_core.so"),
        (built.join("release/librmcp_kfd.so"), "lib/rmcp/librmcp_kfd.so"),
        (tools.rescue()?, "lib/rmcp/rmcp-rescue"),
        (root().join("include/rmcp.h"), "include/rmcp.h"),
        (root().join("config/rmcp.toml"), "share/rmcp/rmcp.toml"),
        (root().join("config/systemd/rmcp-rollback.service"), "lib/systemd/system/rmcp-rollback.service"),
        (root().join("LICENSE"), "share/doc/rmcp/LICENSE"),
    ] {
        install(&from, &dist.join(to))?;
    }
    for client in ["demo", "atomics", "selftest", "trial"] {
        tools.client(client, &dist.join(format!("lib/rmcp/rmcp-{client}-client")))?;
    }
    manual::write(&dist.join("share"))?;
    if build == Build::Portable {
        symbols::check(&dist)?;
    }
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
    fn cargo(&self, arguments: &str, glibc: &str, rustc: &[String]) -> Result<()> {
        let cargo = match &self.0 {
            Some(zig) => self.portable(zig.cargo(arguments, glibc), &[])?,
            None => cargo("rustc").args(arguments.split(' ')),
        };
        cargo.arg("--").args(rustc).run()
    }

    /// The static command, with the C library of the machine that builds: no other comes as an archive. Naming the
    /// target keeps its flags from what runs during the build. It has a folder of its own: cargo knows what was built
    /// with other flags only as out of date.
    fn rescue(&self) -> Result<PathBuf> {
        const STATIC: &str = "-Ctarget-feature=+crt-static";
        let folder = self.folder().join("static");
        let cargo = cargo("build --release --package rmcp-system --bin rmcp-rescue").args(["--target", TARGET]);
        let cargo = match self.0 {
            Some(_) => self.portable(cargo, &[STATIC])?,
            None => cargo.env("RUSTFLAGS", STATIC),
        };
        cargo.env("CARGO_TARGET_DIR", &folder).run()?;
        Ok(folder.join(TARGET).join("release/rmcp-rescue"))
    }

    /// A cargo whose work leaves the machine: stripped, and without the paths of it.
    fn portable(&self, cargo: Task, flags: &[&str]) -> Result<Task> {
        let flags = flags.iter().map(ToString::to_string);
        let places =
            places()?.into_iter().map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display()));
        Ok(cargo
            .env("CARGO_TARGET_DIR", self.folder())
            .env("CARGO_ENCODED_RUSTFLAGS", flags.chain(places).collect::<Vec<_>>().join("\x1f"))
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .env("CARGO_PROFILE_GATE_STRIP", "symbols"))
    }

    /// Links this machine's libgcc_s by its name, in the place of zig's unwinder: a process must have one alone, and
    /// programs of C++ bring this one. See docs/understand/how-it-works.md.
    fn unwinder(&self) -> Result<Vec<String>> {
        if self.0.is_none() {
            return Ok(Vec::new());
        }
        let output = Command::new("cc").arg("-print-file-name=libgcc_s.so.1").output().context("run cc")?;
        let path = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        let path = path.canonicalize().context("the C compiler has no libgcc_s.so.1")?;
        Ok(vec![format!("-Clink-arg={}", path.display())])
    }

    /// A program behind `rmcp demo`, `rmcp selftest` or `rmcp doctor --try`. It is bound to whichever runtime it finds when it
    /// runs, so one build serves all. Linked by a step of its own, because zig would first compile a C++ library that none needs.
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
            .arg(format!("emulator/programs/{name}.cpp"))
            .run()?;
        linker.args(["-pie", "-Wl,-z,lazy", "-o"]).arg(to).arg(&object).arg("-ldl").run()
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
