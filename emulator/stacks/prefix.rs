//! A directory of unpacked packages, and the stamp that says it is whole.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One Debian package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name, as in `libamdhip64-6`.
    pub name: String,
    /// Debian's version, with epoch and revision.
    pub version: String,
    /// Size of the `.deb` in bytes.
    pub bytes: u64,
}

/// What a prefix holds. It lies in the prefix, which gets its name by a rename once it is whole:
/// where the stamp is, everything is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The packages that were requested by name; another list makes the prefix stale.
    #[serde(rename = "wanted")]
    pub requested: Vec<String>,
    /// The packages unpacked here.
    pub packages: Vec<Package>,
}

const STAMP: &str = "rmcp-stack.json";

impl Stamp {
    /// The stamp of `prefix`; `None` if it has none that can be read.
    pub fn read(prefix: &Path) -> Option<Stamp> {
        let text = std::fs::read(prefix.join(STAMP)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The stamp of `prefix` if it holds what is `requested`.
    pub(crate) fn fresh(prefix: &Path, requested: &[&str]) -> Option<Stamp> {
        Stamp::read(prefix).filter(|stamp| stamp.requested == requested)
    }
}

/// Unpacks what `download` puts into the directory it is given, and lets the result appear at
/// `prefix` in one step. The caller holds the lock.
pub(crate) fn build(prefix: &Path, stamp: &Stamp, download: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut partial = prefix.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let (debs, tree) = (partial.join("debs"), partial.join("tree"));
    remove(&partial)?;
    for directory in [&debs, &tree] {
        std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    download(&debs)?;
    for deb in files(&debs)? {
        unpack(&deb, &tree)?;
    }
    let path = tree.join(STAMP);
    std::fs::write(&path, serde_json::to_vec_pretty(stamp)?).with_context(|| format!("write {}", path.display()))?;
    remove(prefix)?;
    std::fs::rename(&tree, prefix).with_context(|| format!("rename {} to {}", tree.display(), prefix.display()))?;
    remove(&partial)
}

fn unpack(deb: &Path, tree: &Path) -> Result<()> {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg("-x").args([deb, tree]).env_remove("LD_PRELOAD").current_dir("/");
    let output = dpkg.output().context("run dpkg")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("unpack {}: {}", deb.display(), errors.trim());
    }
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = directory.read_dir().with_context(|| format!("list {}", directory.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn remove(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_build_leaves_no_prefix() {
        let cache = tempfile::tempdir().unwrap();
        let prefix = cache.path().join("6.4.3");
        let stamp = Stamp { requested: vec!["a".into()], packages: Vec::new() };
        assert!(build(&prefix, &stamp, |_| bail!("cable pulled")).is_err());
        assert!(!prefix.exists());
        build(&prefix, &stamp, |_| Ok(())).unwrap();
        assert_eq!(Stamp::fresh(&prefix, &["a"]), Some(stamp));
        assert!(!cache.path().join("6.4.3.partial").exists());
    }

    #[test]
    fn a_failed_rebuild_keeps_the_prefix_that_was_there() {
        let cache = tempfile::tempdir().unwrap();
        let prefix = cache.path().join("6.4.3");
        let stamp = Stamp { requested: Vec::new(), packages: Vec::new() };
        build(&prefix, &stamp, |_| Ok(())).unwrap();
        assert!(build(&prefix, &stamp, |_| bail!("mirror gone")).is_err());
        assert!(Stamp::fresh(&prefix, &[]).is_some());
    }
}
