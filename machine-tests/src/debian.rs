//! Debian, as debootstrap installs it.

use anyhow::{Context, Result, bail, ensure};
use rmcp_stacks::{Mirror, cache_dir};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The release, and what is in it beside the base system: a compiler and its libraries, Python and its own tests, a
/// 32-bit loader with its libraries, and the tracer that ends programs at a chosen call.
const SUITE: &str = "bookworm";
const PACKAGES: [&str; 6] = ["gcc", "libc6-dev", "libc6-i386", "libpython3.11-testsuite", "python3", "strace"];

/// A folder with a Debian system that nothing changes.
#[derive(Clone, Debug)]
pub struct Debian {
    root: PathBuf,
}

impl Debian {
    /// The system, from the cache or by debootstrap: about 600 MB.
    ///
    /// # Errors
    /// Without root, debootstrap, a Debian mirror (see [`Mirror::find`]) or the network.
    pub fn fetch() -> Result<Self> {
        let machines = cache_dir()?.join("machines");
        fs::create_dir_all(&machines).with_context(|| format!("create {}", machines.display()))?;
        let root = machines.join(SUITE);
        // Tests of one run share it: the first makes it, the others wait.
        let lock = File::create(machines.join(format!("{SUITE}.lock"))).context("create the cache's lock")?;
        lock.lock().context("lock the cache")?;
        if packages_of(&root) != PACKAGES.join(" ") {
            bootstrap(&root)?;
        }
        Ok(Self { root })
    }

    /// Its root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Where the packages stand that a system was made with; written last.
fn stamp(root: &Path) -> PathBuf {
    root.with_extension("packages")
}

fn packages_of(root: &Path) -> String {
    fs::read_to_string(stamp(root)).unwrap_or_default()
}

fn bootstrap(root: &Path) -> Result<()> {
    ensure!(is_root(), "only root can make a Debian system");
    let _ = fs::remove_file(stamp(root));
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("remove {}", root.display()))?;
    }
    let mirror = Mirror::find()?;
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", &format!("--include={}", PACKAGES.join(","))]);
    if let Some(keys) = &mirror.signed_by {
        command.arg(format!("--keyring={keys}"));
    }
    command.arg(SUITE).arg(root).arg(&mirror.uri).env_remove("LD_PRELOAD");
    let output = command.output().context("run debootstrap (Debian's package of that name)")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last: Vec<_> = said.lines().rev().take(5).collect();
        bail!("debootstrap: {}\n{}", output.status, last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    fs::write(stamp(root), PACKAGES.join(" ")).context("write the cache's stamp")
}

/// Whether this process may mount and change its root folder: only root can write there, whoever asks.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}
