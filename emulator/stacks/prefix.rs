//! A directory of unpacked packages, and the stamp that says it is whole.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Unpacks what `download` puts into the directory it is given, as `unpack` does, and lets the result appear at
/// `prefix` in one step. The caller holds the lock.
pub(crate) fn build(
    prefix: &Path,
    stamp: &Stamp,
    targets: &[&str],
    download: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
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
        unpack(&deb, &tree, targets)?;
    }
    let path = tree.join(STAMP);
    std::fs::write(&path, serde_json::to_vec_pretty(stamp)?).with_context(|| format!("write {}", path.display()))?;
    remove(prefix)?;
    std::fs::rename(&tree, prefix).with_context(|| format!("rename {} to {}", tree.display(), prefix.display()))?;
    remove(&partial)
}

/// Unpacks a package without what serves none of `targets`; where there are none, all of it.
fn unpack(deb: &Path, tree: &Path, targets: &[&str]) -> Result<()> {
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--fsys-tarfile").arg(deb).env_remove("LD_PRELOAD").current_dir("/");
    let mut child = dpkg.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("run dpkg-deb")?;
    let files = child.stdout.take().context("dpkg-deb without stdout")?;
    let unpacked = unpack_files(files, tree, targets);
    let output = child.wait_with_output().context("wait for dpkg-deb")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("unpack {}: {}", deb.display(), errors.trim());
    }
    unpacked.with_context(|| format!("unpack {}", deb.display()))
}

fn unpack_files(files: impl Read, tree: &Path, targets: &[&str]) -> Result<()> {
    let mut archive = tar::Archive::new(files);
    archive.set_preserve_permissions(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if targets.is_empty() || serves(&entry.path()?, targets) {
            entry.unpack_in(tree)?;
        }
    }
    // dpkg-deb writes on after the archive's end.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;
    Ok(())
}

/// Whether no part of a path is the name of another card than `targets`: `gfx1030` in `Kernels.so-000-gfx1030.hsaco`.
fn serves(path: &Path, targets: &[&str]) -> bool {
    let path = path.to_string_lossy();
    path.match_indices("gfx").all(|(start, prefix)| {
        let number = &path[start + prefix.len()..];
        let number = number.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or(number);
        let is_card = (3..=4).contains(&number.len()) && number.chars().all(|digit| digit.is_ascii_hexdigit());
        !is_card || targets.iter().any(|target| target.strip_prefix(prefix) == Some(number))
    })
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
        assert!(build(&prefix, &stamp, &[], |_| bail!("cable pulled")).is_err());
        assert!(!prefix.exists());
        build(&prefix, &stamp, &[], |_| Ok(())).unwrap();
        assert_eq!(Stamp::fresh(&prefix, &["a"]), Some(stamp));
        assert!(!cache.path().join("6.4.3.partial").exists());
    }

    #[test]
    fn a_failed_rebuild_keeps_the_prefix_that_was_there() {
        let cache = tempfile::tempdir().unwrap();
        let prefix = cache.path().join("6.4.3");
        let stamp = Stamp { requested: Vec::new(), packages: Vec::new() };
        build(&prefix, &stamp, &[], |_| Ok(())).unwrap();
        assert!(build(&prefix, &stamp, &[], |_| bail!("mirror gone")).is_err());
        assert!(Stamp::fresh(&prefix, &[]).is_some());
    }

    #[test]
    fn only_files_that_are_named_after_another_card_are_left_out() {
        for (file, kept) in [
            ("Kernels.so-000-gfx1010.hsaco", true),
            ("Kernels.so-000-gfx1030.hsaco", false),
            ("library/gfx90a/TensileLibrary.dat", false),
            ("Kernels.so-000-gfx90a-xnack+.hsaco", false),
            ("TensileLibrary_Type_SS_CU104_gfx1010.dat", true),
            // No card's name: a family's, and words.
            ("kernels-gfx10-1-generic.hsaco", true),
            ("gfxstream/gfx_decode.h", true),
            ("librocblas.so.5", true),
        ] {
            assert_eq!(serves(Path::new(file), &["gfx1010"]), kept, "{file}");
        }
    }

    #[test]
    fn a_package_is_unpacked_for_some_cards() {
        let folder = tempfile::tempdir().unwrap();
        let [source, all, one] = ["source", "all", "one"].map(|name| folder.path().join(name));
        let library = source.join("usr/lib/library");
        std::fs::create_dir_all(&library).unwrap();
        std::fs::create_dir_all(source.join("DEBIAN")).unwrap();
        let control = "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n";
        std::fs::write(source.join("DEBIAN/control"), control).unwrap();
        for name in ["k-gfx1010.co", "k-gfx1030.co"] {
            std::fs::write(library.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("library/k-gfx1010.co", source.join("usr/lib/k.co")).unwrap();
        let deb = folder.path().join("a.deb");
        let output = Command::new("dpkg-deb").arg("--build").args([&source, &deb]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let there = |tree: &Path, name| tree.join("usr/lib").join(name).exists();
        for (tree, targets, kept) in [(&all, &[][..], [true, true, true]), (&one, &["gfx1010"], [true, true, false])] {
            std::fs::create_dir(tree).unwrap();
            unpack(&deb, tree, targets).unwrap();
            assert_eq!(["k.co", "library/k-gfx1010.co", "library/k-gfx1030.co"].map(|name| there(tree, name)), kept);
        }
        std::fs::write(&deb, "no package").unwrap();
        assert!(unpack(&deb, &all, &[]).unwrap_err().to_string().contains("a.deb"));
    }
}
