//! Debian, as mmdebstrap installs it.

use anyhow::{Context, Result, bail, ensure};
use rmcp_stacks::{Mirror, cache_dir};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A release of Debian. 10 has left the mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 11, with glibc 2.31. Its /bin and /lib are folders of their own, as on machines that were upgraded.
    Bullseye,
    /// Debian 12, with glibc 2.36.
    Bookworm,
    /// Debian 13, with glibc 2.41.
    Trixie,
}

impl Release {
    /// All of them.
    pub const ALL: [Release; 3] = [Release::Bullseye, Release::Bookworm, Release::Trixie];

    fn suite(self) -> &'static str {
        match self {
            Release::Bullseye => "bullseye",
            Release::Bookworm => "bookworm",
            Release::Trixie => "trixie",
        }
    }

    /// What is in it beside the base system: Python, which enabling tries. Most tests run on Debian 12, which also has a
    /// compiler and its libraries, Python's own tests, a 32-bit loader with its libraries, the tracer that ends programs
    /// at a chosen call, and rpm.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Release::Bookworm => {
                &["gcc", "libc6-dev", "libc6-i386", "libpython3.11-testsuite", "python3", "rpm", "strace"]
            }
            Release::Bullseye | Release::Trixie => &["python3-minimal"],
        }
    }
}

/// A folder with a Debian system that nothing changes.
#[derive(Clone, Debug)]
pub struct Debian {
    root: PathBuf,
}

impl Debian {
    /// The system, from the cache or by mmdebstrap: about 600 MB for Debian 12, 150 MB for each other one.
    ///
    /// # Errors
    /// Without root, mmdebstrap, a Debian mirror (see [`Mirror::find`]) or the network.
    pub fn fetch(release: Release) -> Result<Self> {
        let machines = cache_dir()?.join("machines");
        fs::create_dir_all(&machines).with_context(|| format!("create {}", machines.display()))?;
        let root = machines.join(release.suite());
        // Tests of one run share it: the first makes it, the others wait.
        let lock = File::create(root.with_extension("lock")).context("create the cache's lock")?;
        lock.lock().context("lock the cache")?;
        if fs::read_to_string(stamp(&root)).unwrap_or_default() != mmdebstrap_arguments(release).join(" ") {
            bootstrap(release, &root)?;
        }
        Ok(Self { root })
    }

    /// Its root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Where the arguments stand that a system was made with; written last.
fn stamp(root: &Path) -> PathBuf {
    root.with_extension("stamp")
}

/// The arguments of mmdebstrap that are the same on every machine.
fn mmdebstrap_arguments(release: Release) -> [String; 6] {
    [
        "--mode=root".into(),
        "--variant=minbase".into(),
        "--dpkgopt=force-unsafe-io".into(),
        format!("--include={}", release.packages().join(",")),
        // Of the packages' files only one is installed anew by a test.
        "--skip=cleanup/apt/cache".into(),
        r#"--customize-hook=find "$1/var/cache/apt/archives" -name "*.deb" ! -name "strace_*" -delete"#.into(),
    ]
}

fn bootstrap(release: Release, root: &Path) -> Result<()> {
    ensure!(is_root(), "only root can make a Debian system");
    let _ = fs::remove_file(stamp(root));
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("remove {}", root.display()))?;
    }
    let mirror = Mirror::find()?;
    let arguments = mmdebstrap_arguments(release);
    let mut command = Command::new("mmdebstrap");
    command.args(&arguments);
    if let Some(keys) = &mirror.signed_by {
        command.arg(format!("--keyring={keys}"));
    }
    command.arg(release.suite()).arg(root).arg(format!("deb {} {} main", mirror.uri, release.suite()));
    let output = command.env_remove("LD_PRELOAD").output().context("run mmdebstrap (Debian's package of that name)")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last: Vec<_> = said.lines().rev().take(5).collect();
        bail!("mmdebstrap: {}\n{}", output.status, last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    fs::write(stamp(root), arguments.join(" ")).context("write the cache's stamp")
}

/// Whether this process may mount and change its root folder: only root can write there, whoever asks.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}
