//! The Debian system that virtual machines boot.

use crate::debian::is_root;
use anyhow::{Context, Result, bail, ensure};
use rmcp_stacks::{Mirror, cache_dir};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// A Debian 12 with a kernel and systemd, as an image that nothing changes.
#[derive(Clone, Debug)]
pub struct Base {
    folder: PathBuf,
}

/// What makes the system, and so when a cached one is too old.
const RECIPE: &str = include_str!("base.sh");
const AGENT: &str = include_str!("agent.sh");
const UNIT: &str = include_str!("agent.service");

impl Base {
    /// The system, from the cache or made anew: about 500 MB.
    ///
    /// # Errors
    /// Without root, mmdebstrap, mke2fs, a Debian mirror (see [`Mirror::find`]) or the network.
    pub fn fetch() -> Result<Self> {
        let machines = cache_dir()?.join("machines");
        fs::create_dir_all(&machines).with_context(|| format!("create {}", machines.display()))?;
        let base = Self { folder: machines.join("boot") };
        // Tests of one run share it: the first makes it, the others wait.
        let lock = File::create(machines.join("boot.lock")).context("create the cache's lock")?;
        lock.lock().context("lock the cache")?;
        let stamp = base.folder.join("made-by");
        let made_by = [RECIPE, AGENT, UNIT].concat();
        if fs::read_to_string(&stamp).unwrap_or_default() != made_by {
            base.make()?;
            fs::write(&stamp, made_by).context("write the cache's stamp")?;
        }
        Ok(base)
    }

    /// The kernel, for `qemu -kernel`.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// Its initramfs.
    pub fn initrd(&self) -> PathBuf {
        self.folder.join("initrd.img")
    }

    /// The root file system, an ext4 without a partition table.
    pub fn image(&self) -> PathBuf {
        self.folder.join("root.img")
    }

    fn make(&self) -> Result<()> {
        ensure!(is_root(), "only root can make a Debian system");
        let folder = &self.folder;
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        for (name, content) in [("agent", AGENT), ("agent.service", UNIT)] {
            fs::write(folder.join(name), content).with_context(|| format!("write {name}"))?;
        }
        let mirror = Mirror::find()?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", RECIPE, "base.sh"]);
        command.arg(&mirror.uri).args(&mirror.signed_by).current_dir(folder).env_remove("LD_PRELOAD");
        let output = command.output().context("run unshare, of util-linux")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!(
                "make a Debian system to boot: {}\n{}",
                output.status,
                last_lines(&String::from_utf8_lossy(&said), 9)
            );
        }
        Ok(())
    }
}

/// The end of a text.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let skipped = text.lines().count().saturating_sub(count);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
