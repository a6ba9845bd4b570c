//! A fetched stack: its files, and how to run programs in it.

use crate::apt::Apt;
use crate::prefix::{self, Package, Stamp};
use crate::progress::Progress;
use crate::release::{ALONE, RUNTIME, Release};
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's name for the directory of 64-bit x86 libraries. ROCm exists for no other here.
pub(crate) const MULTIARCH: &str = "x86_64-linux-gnu";

/// A ROCm user-mode stack in the cache.
#[derive(Clone, Debug)]
pub struct Stack {
    release: Release,
    /// The stack itself first, then what was added to it.
    prefixes: Vec<PathBuf>,
    packages: Vec<Package>,
}

/// The cache of this crate: `$RMCP_CACHE`, `$XDG_CACHE_HOME/rmcp` or `~/.cache/rmcp`.
///
/// # Errors
/// When none of the three variables (the last is `HOME`) is set.
pub fn cache_dir() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let path = if let Some(cache) = set("RMCP_CACHE") {
        PathBuf::from(cache)
    } else if let Some(cache) = set("XDG_CACHE_HOME") {
        Path::new(&cache).join("rmcp")
    } else if let Some(home) = set("HOME") {
        Path::new(&home).join(".cache/rmcp")
    } else {
        bail!("no place for a cache: set RMCP_CACHE to a directory")
    };
    std::path::absolute(&path).with_context(|| format!("make {} absolute", path.display()))
}

impl Stack {
    /// The stack of `release`, downloaded unless the cache has it. Progress goes to stderr.
    ///
    /// # Errors
    /// Without a Debian mirror (see [`crate::Mirror::find`]), network, disk, apt or dpkg.
    pub fn fetch(release: Release) -> Result<Stack> {
        Stack::provide(release, false)
    }

    /// The same with what the suite has today, downloaded unless the cache has just that.
    ///
    /// # Errors
    /// As [`Stack::fetch`].
    pub fn fetch_newest(release: Release) -> Result<Stack> {
        Stack::provide(release, true)
    }

    fn provide(release: Release, newest: bool) -> Result<Stack> {
        let prefix = stacks_dir()?.join(release.version());
        let requested: Vec<&str> = std::iter::once(release.runtime_package()).chain(RUNTIME).chain(ALONE).collect();
        let stamp = provide(release, &prefix, &requested, &[], &release.to_string(), newest, |apt, progress| {
            let runtime = runtime_package(apt, release, newest, progress)?;
            let mut names = vec![runtime.as_str()];
            names.extend(RUNTIME);
            let mut packages = apt.resolve(&names)?;
            for package in apt.alone(&ALONE)? {
                if !packages.iter().any(|other| other.name == package.name) {
                    packages.push(package);
                }
            }
            Ok(packages)
        })?;
        Ok(Stack { release, prefixes: vec![prefix], packages: stamp.packages })
    }

    /// The stack of `release` if the cache has it.
    ///
    /// # Errors
    /// When there is no place for a cache.
    pub fn cached(release: Release) -> Result<Option<Stack>> {
        let prefix = stacks_dir()?.join(release.version());
        Ok(Stamp::read(&prefix).map(|stamp| Stack { release, prefixes: vec![prefix], packages: stamp.packages }))
    }

    /// This stack with more packages of its suite, and what they need beyond the stack, in a prefix of their own.
    ///
    /// # Errors
    /// As [`Stack::fetch`]; also when the suite has no such package.
    pub fn with_packages(self, names: &[&str]) -> Result<Stack> {
        self.with_packages_for(names, &[])
    }

    /// The same without what the packages need: for one whose dependencies are large and not called.
    ///
    /// # Errors
    /// As [`Stack::with_packages`].
    pub fn with_only(self, names: &[&str]) -> Result<Stack> {
        self.overlay(names, &[], "+only+", |apt| apt.alone(names))
    }

    /// As [`Stack::with_packages`], without the files that are named after other cards than `targets`, if there are any:
    /// rocBLAS has the kernels of each card in files of their own, `Kernels.so-000-gfx1010.hsaco` for gfx1010.
    ///
    /// # Errors
    /// As [`Stack::with_packages`].
    pub fn with_packages_for(self, names: &[&str], targets: &[&str]) -> Result<Stack> {
        self.overlay(names, targets, "+", |apt| apt.resolve(names))
    }

    /// This stack with hiprtc, the compiler for programs that run.
    ///
    /// # Errors
    /// As [`Stack::with_packages`].
    pub fn with_hiprtc(self) -> Result<Stack> {
        match self.release.hiprtc_package() {
            Some(package) => self.with_packages(&[package]),
            None => Ok(self),
        }
    }

    fn overlay(
        mut self,
        names: &[&str],
        targets: &[&str],
        sign: &str,
        resolve: impl Fn(&Apt) -> Result<Vec<Package>>,
    ) -> Result<Stack> {
        let requested = [names, targets].concat();
        let label = format!("{}{sign}{}", self.release, requested.join("+"));
        let prefix = stacks_dir()?.join(&label);
        let stamp = provide(self.release, &prefix, &requested, targets, &label, false, |apt, _| {
            let mut packages = resolve(apt)?;
            packages.retain(|new| !self.packages.iter().any(|other| other.name == new.name));
            Ok(packages)
        })?;
        self.prefixes.push(prefix);
        self.packages.extend(stamp.packages);
        Ok(self)
    }

    /// The release that was asked for.
    pub fn release(&self) -> Release {
        self.release
    }

    /// The directory the stack is unpacked in.
    pub fn prefix(&self) -> &Path {
        &self.prefixes[0]
    }

    /// All packages, those added by [`Stack::with_packages`] last.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Debian's version of a package in this stack.
    pub fn version_of(&self, package: &str) -> Option<&str> {
        let found = self.packages.iter().find(|other| other.name == package)?;
        Some(&found.version)
    }

    /// The directory that holds `hip/hip_runtime_api.h` and `hsa/hsa.h`.
    pub fn include_dir(&self) -> PathBuf {
        self.prefix().join("usr/include")
    }

    /// The directories of all headers, those of added packages too.
    pub fn include_dirs(&self) -> Vec<PathBuf> {
        let dirs = self.prefixes.iter().map(|prefix| prefix.join("usr/include"));
        dirs.filter(|dir| dir.is_dir()).collect()
    }

    /// The directory that holds `libamdhip64.so`.
    pub fn library_dir(&self) -> PathBuf {
        self.prefix().join("usr/lib").join(MULTIARCH)
    }

    /// Every directory the stack's loader searches, in order. Packages from before the merge of
    /// `/lib` into `/usr/lib` still use both.
    pub fn library_dirs(&self) -> Vec<PathBuf> {
        let dirs =
            self.prefixes.iter().flat_map(|prefix| ["usr/lib", "lib"].map(|lib| prefix.join(lib).join(MULTIARCH)));
        dirs.filter(|dir| dir.is_dir()).collect()
    }

    /// The file that `lib<name>.so` or its SONAME links to: `find_library("libamdhip64")`.
    ///
    /// # Errors
    /// When the stack has no such library.
    pub fn find_library(&self, name: &str) -> Result<PathBuf> {
        let link = format!("{name}.so");
        let mut found: Vec<PathBuf> = Vec::new();
        for dir in self.library_dirs() {
            let entries = dir.read_dir().with_context(|| format!("list {}", dir.display()))?;
            found.extend(entries.flatten().map(|entry| entry.path()).filter(|path| {
                let file = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                file == link || file.starts_with(&format!("{link}."))
            }));
        }
        found.sort();
        let first = found.into_iter().find(|path| path.exists());
        first
            .with_context(|| format!("no {link} in the ROCm {} stack", self.release))?
            .canonicalize()
            .with_context(|| format!("resolve {link}"))
    }

    /// The stack's own `ld-linux-x86-64.so.2`.
    ///
    /// # Errors
    /// When the stack has none.
    pub fn loader(&self) -> Result<PathBuf> {
        self.library_dirs()
            .into_iter()
            .map(|dir| dir.join("ld-linux-x86-64.so.2"))
            .find(|path| path.exists())
            .with_context(|| format!("no dynamic loader in {}", self.prefix().display()))
    }

    /// A file of the stack or of what was added to it, by its path in the package: `usr/bin/rocminfo`.
    ///
    /// # Errors
    /// When no package brought it.
    pub fn file(&self, path: &str) -> Result<PathBuf> {
        let mut candidates = self.prefixes.iter().map(|prefix| prefix.join(path));
        candidates.find(|path| path.exists()).with_context(|| format!("the ROCm {} stack has no {path}", self.release))
    }

    /// A command that runs `program` with the stack's libraries: a path, or the name of a program
    /// of the stack. `LD_PRELOAD` works as ever; children of the program use the host's libraries.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.command_with(program, &[])
    }

    /// The same with more directories of libraries, searched after the stack's.
    ///
    /// # Errors
    /// As [`Stack::command`].
    pub fn command_with(&self, program: impl AsRef<OsStr>, libraries: &[PathBuf]) -> Result<Command> {
        let mut command = Command::new(self.loader()?);
        command.arg("--inhibit-cache").arg("--library-path").arg(self.library_path(libraries));
        command.arg(self.find_program(program.as_ref())?);
        Ok(command)
    }

    /// A command like [`Stack::command`]'s whose children among `tools`, programs of `tools_dir`, use the stack's libraries
    /// too. They lie as links in `links`, which is made; the program is to start them from there.
    ///
    /// # Errors
    /// As [`Stack::command`]; also when `links` cannot be made.
    pub fn command_with_tools(
        &self,
        program: impl AsRef<OsStr>,
        tools_dir: &Path,
        tools: &[&str],
        links: &Path,
    ) -> Result<Command> {
        const IN_STACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/in-stack.sh");
        std::fs::create_dir_all(links).with_context(|| format!("create {}", links.display()))?;
        for tool in tools {
            let link = links.join(tool);
            if std::fs::read_link(&link).is_ok_and(|to| to == Path::new(IN_STACK)) {
                continue;
            }
            // In one step: another process may be starting the tool, by a link that leads to where this crate once lay.
            let new = links.join(format!("{tool}.{}", std::process::id()));
            std::os::unix::fs::symlink(IN_STACK, &new)
                .and_then(|()| std::fs::rename(&new, &link))
                .with_context(|| format!("create {}", link.display()))?;
        }
        let mut command = self.command(program)?;
        command.env("IN_STACK_LOADER", self.loader()?).env("IN_STACK_LIBRARIES", self.library_path(&[]));
        command.env("IN_STACK_BIN", tools_dir);
        Ok(command)
    }

    /// The directories of [`Stack::library_dirs`] and `more`, as the loader takes them.
    fn library_path(&self, more: &[PathBuf]) -> OsString {
        let dirs = self.library_dirs();
        let dirs: Vec<&OsStr> = dirs.iter().chain(more).map(|dir| dir.as_os_str()).collect();
        dirs.join(OsStr::new(":"))
    }

    /// The file that [`Stack::command`] runs for `program`.
    ///
    /// # Errors
    /// When the stack has no program of that name.
    pub fn find_program(&self, program: &OsStr) -> Result<PathBuf> {
        if Path::new(program).components().count() > 1 {
            return Ok(program.into());
        }
        let candidates = self
            .prefixes
            .iter()
            .flat_map(|prefix| ["usr/bin", "usr/sbin", "bin"].map(|bin| prefix.join(bin).join(program)));
        candidates.into_iter().find(|path| path.is_file()).with_context(|| {
            format!(
                "the ROCm {} stack has no program `{}`; give a path to run one of your own",
                self.release,
                program.display()
            )
        })
    }
}

pub(crate) fn stacks_dir() -> Result<PathBuf> {
    Ok(cache_dir()?.join("stacks"))
}

/// The stamp of `prefix`, which is downloaded and unpacked for `targets` first unless it is there; where the `newest` is asked for, unless
/// it is that.
pub(crate) fn provide(
    release: Release,
    prefix: &Path,
    requested: &[&str],
    targets: &[&str],
    label: &str,
    newest: bool,
    resolve: impl Fn(&Apt, &mut Progress) -> Result<Vec<Package>>,
) -> Result<Stamp> {
    let cached = || Stamp::fresh(prefix, requested).filter(|_| !newest);
    if let Some(stamp) = cached() {
        return Ok(stamp);
    }
    // One lock a release: its overlays share the apt root.
    let stacks = stacks_dir()?;
    std::fs::create_dir_all(&stacks).with_context(|| format!("create {}", stacks.display()))?;
    let lock_path = stacks.join(format!("{release}.lock"));
    let lock = File::create(&lock_path).with_context(|| format!("create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("lock {}", lock_path.display()))?;
    if let Some(stamp) = cached() {
        return Ok(stamp);
    }

    let mut progress = Progress::new(&format!("ROCm {label}"));
    let mut attempt = |new_lists| -> Result<Stamp> {
        let root = stacks.join(format!("{release}.apt"));
        let apt = Apt::open(root, release, new_lists, &mut progress)?;
        let packages = resolve(&apt, &mut progress)?;
        let stamp = Stamp { requested: requested.iter().map(|&name| name.to_owned()).collect(), packages };
        if Stamp::read(prefix).as_ref() == Some(&stamp) {
            return Ok(stamp);
        }
        let bytes: u64 = stamp.packages.iter().map(|package| package.bytes).sum();
        prefix::build(prefix, &stamp, targets, |directory| {
            progress.step(&format!(
                "downloading {} packages, {} MB, from Debian {}",
                stamp.packages.len(),
                bytes.div_ceil(1_000_000),
                release.suite()
            ));
            apt.download(&stamp.packages, directory, &mut progress)?;
            progress.step("unpacking");
            Ok(())
        })?;
        Ok(stamp)
    };
    let stamp = if prefix.file_name() == Some(OsStr::new(release.version())) {
        let before = Stamp::read(prefix);
        let stamp = attempt(true);
        if Stamp::read(prefix) != before {
            remove_overlays(&stacks, release)?;
        }
        stamp
    } else {
        // An overlay best fits the stack by the lists that the stack came from, as long as the mirror serves them.
        attempt(false).or_else(|_| attempt(true))
    };
    stamp.with_context(|| format!("fetch ROCm {label}"))
}

/// What was laid over an older stack lacks what only that stack had.
fn remove_overlays(stacks: &Path, release: Release) -> Result<()> {
    for entry in stacks.read_dir().with_context(|| format!("list {}", stacks.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if name.starts_with(&format!("{release}+")) {
            std::fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The HIP runtime's package; the newest there is, with a note, once the suite has moved on or where that is asked for.
fn runtime_package(apt: &Apt, release: Release, newest: bool, progress: &Progress) -> Result<String> {
    let expected = release.runtime_package();
    let names = apt.names("libamdhip64-")?;
    let number = |name: &str| name.strip_prefix("libamdhip64-")?.parse::<u32>().ok();
    let name = if !newest && names.iter().any(|name| name == expected) {
        expected.to_owned()
    } else {
        let newest = names.into_iter().max_by_key(|name| number(name));
        newest
            .filter(|name| number(name).is_some())
            .with_context(|| format!("Debian {} has no libamdhip64 any more", release.suite()))?
    };
    let package = apt.alone(&[&name])?.into_iter().next();
    let version = package.map(|package| package.version).unwrap_or_default();
    if !version.starts_with(release.version()) {
        progress.note(&format!(
            "Debian {} now holds {name} {version}; continuing with that. RMCP_DEBIAN_MIRROR can \
             name a snapshot that still has {release}",
            release.suite()
        ));
    }
    Ok(name)
}
