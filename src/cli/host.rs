//! What the kernel and the user's account say of this machine, beyond the KFD's topology.
//!
//! Everything is read below a root folder, usually `/`, so that a made-up machine can be described by files. What is
//! missing or unreadable is None; nothing here fails.

mod account;
mod device;
mod pci;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use device::{Access, DeviceFile};
pub use pci::{PciCard, PciDetails};

use rmcp_domain::bounded_read::read_text;
use std::path::{Path, PathBuf};

/// Larger than any file that is read here.
const FILE_LIMIT: u64 = 4 << 20;

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The kernel's release, as by `uname -r`.
    pub kernel: Option<String>,
    /// The distribution's name for itself.
    pub system: Option<String>,
    /// The processor's name.
    pub cpu: Option<String>,
    /// Bytes of main memory.
    pub memory_bytes: Option<u64>,
    /// The kernel driver amdgpu.
    pub driver: Driver,
    /// Whether the kernel is that of the Windows Subsystem for Linux.
    pub wsl: bool,
    /// What kind of container this is; None: none, as far as one can tell.
    pub container: Option<String>,
    /// AMD's display devices on the PCI bus.
    pub cards: Vec<PciCard>,
}

/// The kernel driver amdgpu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// Whether it is in the kernel.
    pub loaded: bool,
    /// Its own version. Only AMD's out-of-tree (DKMS) module has one; that of the kernel goes by the kernel's release.
    pub version: Option<String>,
}

impl Host {
    /// Reads the machine whose `/` is `root`.
    pub fn read(root: &Path) -> Self {
        let version = read_trimmed(root, "proc/version").unwrap_or_default();
        Self {
            kernel: read_trimmed(root, "proc/sys/kernel/osrelease"),
            system: read_field(root, "etc/os-release", "PRETTY_NAME", '=').map(|name| name.trim_matches('"').into()),
            cpu: read_field(root, "proc/cpuinfo", "model name", ':'),
            memory_bytes: read_field(root, "proc/meminfo", "MemTotal", ':').as_deref().and_then(kibibytes),
            driver: Driver {
                loaded: root.join("sys/module/amdgpu").is_dir(),
                version: read_trimmed(root, "sys/module/amdgpu/version"),
            },
            wsl: version.to_ascii_lowercase().contains("microsoft"),
            container: container_kind(root),
            cards: pci::cards(root),
        }
    }
}

/// The marks that container engines leave.
fn container_kind(root: &Path) -> Option<String> {
    if root.join(".dockerenv").exists() {
        return Some("Docker".into());
    }
    if root.join("run/.containerenv").exists() {
        return Some("Podman".into());
    }
    read_trimmed(root, "run/systemd/container")
}

/// A file's text without blanks around it; None for an empty one.
fn read_trimmed(root: &Path, path: &str) -> Option<String> {
    let text = read_text(&root.join(path), FILE_LIMIT).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The value in the first line of that name.
pub fn read_field(root: &Path, path: &str, name: &str, separator: char) -> Option<String> {
    let text = read_trimmed(root, path)?;
    let named = |line: &str| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().find_map(named)
}

/// Bytes from "32768000 kB".
fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The path as it is called on the machine whose `/` is `root`.
pub fn display_path(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).map_or_else(|_| path.into(), |rest| Path::new("/").join(rest))
}
