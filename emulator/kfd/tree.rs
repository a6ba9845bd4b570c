//! The machine's files on disk, and the rewriting of paths into them.
//!
//! Real files under a private directory serve every way of reading them (descriptors relative to a
//! directory, `readdir`, `statx`), so only absolute paths need a hook.

use std::collections::hash_map::DefaultHasher;
use std::ffi::{CStr, c_char};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::topology::{self, Entry, FIRST_RENDER_MINOR};
use rmcp_machine::Machine;

/// Longest path that is rewritten.
const PATH_MAX: usize = 4096;

/// A device node of the emulated machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// `/dev/kfd`.
    Kfd,
    /// A node of card `gpu`: its render node, or with `primary` its card node.
    Drm {
        /// Index into [`Machine::gpu`].
        gpu: usize,
        /// `cardN` instead of `renderDN`.
        primary: bool,
    },
}

impl Device {
    /// Major and minor number.
    pub fn numbers(self) -> (u32, u32) {
        match self {
            Self::Kfd => (topology::KFD_MAJOR, 0),
            Self::Drm { gpu, primary: false } => (topology::DRM_MAJOR, FIRST_RENDER_MINOR + gpu as u32),
            Self::Drm { gpu, primary: true } => (topology::DRM_MAJOR, gpu as u32),
        }
    }
}

/// An emulated machine and where its files are.
#[derive(Debug)]
pub struct Tree {
    /// What is emulated; no GPU at all when the description could not be read.
    pub machine: Machine,
    root: Vec<u8>,
    mounts: Vec<String>,
}

impl Tree {
    /// Writes the machine's files, or takes those an earlier process has written.
    pub fn create(machine: Machine) -> io::Result<Self> {
        let entries = topology::entries(&machine);
        let root = materialise(&entries)?;
        let mounts = topology::mounts(&machine);
        Ok(Self { machine, root: root.into_os_string().into_encoded_bytes(), mounts })
    }

    /// A machine without a card: every path of it leads nowhere.
    pub fn without_card() -> Self {
        let machine = Machine { kernel: Default::default(), cpu: Default::default(), gpu: Vec::new() };
        let mounts = topology::mounts(&machine);
        Self { machine, root: b"/proc/self/no-card".to_vec(), mounts }
    }

    /// The place of `path` in the tree, when it belongs to the emulated machine.
    pub fn rewrite(&self, path: &CStr, out: &mut Rewritten) -> bool {
        let Some(clean) = Clean::of(path) else { return false };
        if !self.owns(clean.text()) || self.root.len() + clean.text().len() >= PATH_MAX {
            return false;
        }
        out.fill(&self.root, clean.text());
        true
    }

    /// The device node that `path` names.
    pub fn device(&self, path: &CStr) -> Option<Device> {
        let clean = Clean::of(path)?;
        let name = std::str::from_utf8(clean.text()).ok()?;
        if self.machine.gpu.is_empty() {
            return None;
        }
        if name == "/dev/kfd" {
            return Some(Device::Kfd);
        }
        let node = name.strip_prefix("/dev/dri/")?;
        let (primary, number) = match node.strip_prefix("renderD") {
            Some(minor) => (false, minor.parse::<u32>().ok()?.checked_sub(FIRST_RENDER_MINOR)?),
            None => (true, node.strip_prefix("card")?.parse().ok()?),
        };
        let gpu = number as usize;
        (gpu < self.machine.gpu.len()).then_some(Device::Drm { gpu, primary })
    }

    /// A path as the program knows it: without the tree's root.
    pub fn visible<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        match path.strip_prefix(self.root.as_slice()) {
            Some([]) => b"/",
            Some(rest) if rest[0] == b'/' => rest,
            _ => path,
        }
    }

    fn owns(&self, path: &[u8]) -> bool {
        self.mounts.iter().any(|mount| match path.strip_prefix(mount.as_bytes()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/',
            None => false,
        })
    }
}

/// Whether `path` could belong to an emulated machine at all: a cheap test for hot calls.
pub fn may_be_emulated(path: &CStr) -> bool {
    let path = path.to_bytes();
    [&b"/dev/"[..], b"/sys/", b"/proc/m", b"/proc/sys/"].iter().any(|prefix| path.starts_with(prefix))
        || path.starts_with(b"//")
}

/// An absolute path without doubled slashes, `.` components and a trailing slash.
struct Clean {
    bytes: [u8; PATH_MAX],
    len: usize,
}

impl Clean {
    fn of(path: &CStr) -> Option<Self> {
        let path = path.to_bytes();
        if path.first() != Some(&b'/') || path.len() >= PATH_MAX {
            return None;
        }
        let mut clean = Self { bytes: [0; PATH_MAX], len: 0 };
        for part in path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".") {
            clean.bytes[clean.len] = b'/';
            clean.bytes[clean.len + 1..clean.len + 1 + part.len()].copy_from_slice(part);
            clean.len += 1 + part.len();
        }
        Some(clean)
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Room for a rewritten path: on the stack, since a hook must not allocate.
pub struct Rewritten([u8; PATH_MAX]);

impl Rewritten {
    /// Empty room.
    pub fn new() -> Self {
        Self([0; PATH_MAX])
    }

    fn fill(&mut self, root: &[u8], path: &[u8]) {
        let len = root.len() + path.len();
        self.0[..root.len()].copy_from_slice(root);
        self.0[root.len()..len].copy_from_slice(path);
        self.0[len] = 0;
    }

    /// The path for a system call.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// Puts the entries below a directory named by their content, so that equal machines share it and a
/// stale one is never used.
fn materialise(entries: &[Entry]) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    entries.hash(&mut hasher);
    // SAFETY: geteuid has no precondition.
    let user = unsafe { libc::geteuid() };
    let root = std::env::temp_dir().join(format!("rmcp-kfd-{user}-{:016x}", hasher.finish()));
    if !usable(&root, user)? {
        let scratch = root.with_extension(std::process::id().to_string());
        let _ = fs::remove_dir_all(&scratch);
        fs::DirBuilder::new().mode(0o700).create(&scratch)?;
        for entry in entries {
            write(&scratch, entry)?;
        }
        // Another process may have been faster: its directory has the same content.
        if fs::rename(&scratch, &root).is_err() {
            fs::remove_dir_all(&scratch)?;
            if !usable(&root, user)? {
                return Err(io::Error::other(format!("{} could not be created", root.display())));
            }
        }
    }
    Ok(root)
}

fn usable(root: &Path, user: u32) -> io::Result<bool> {
    match fs::symlink_metadata(root) {
        Ok(found) if found.is_dir() && found.uid() == user => Ok(true),
        Ok(_) => Err(io::Error::other(format!("{} belongs to somebody else; remove it or set TMPDIR", root.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write(root: &Path, entry: &Entry) -> io::Result<()> {
    let (Entry::File(path, _) | Entry::Link(path, _)) = entry;
    let place = root.join(path.trim_start_matches('/'));
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    match entry {
        Entry::File(_, content) => fs::write(place, content),
        Entry::Link(_, target) => symlink(target, place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let machine = Machine::load("gfx1010").unwrap();
        let mounts = topology::mounts(&machine);
        Tree { machine, root: b"/fake".to_vec(), mounts }
    }

    fn rewritten(path: &CStr) -> Option<String> {
        let mut out = Rewritten::new();
        tree().rewrite(path, &mut out).then(|| {
            let end = out.0.iter().position(|&b| b == 0).unwrap();
            String::from_utf8(out.0[..end].to_vec()).unwrap()
        })
    }

    #[test]
    fn only_the_machine_s_own_paths_are_rewritten() {
        assert_eq!(rewritten(c"/sys/class/kfd/kfd/topology").as_deref(), Some("/fake/sys/class/kfd/kfd/topology"));
        assert_eq!(rewritten(c"//sys/./class//kfd/").as_deref(), Some("/fake/sys/class/kfd"));
        assert_eq!(rewritten(c"/sys/class/kfdx"), None);
        assert_eq!(rewritten(c"/proc/modules").as_deref(), Some("/fake/proc/modules"));
        assert_eq!(rewritten(c"/proc/sys/kernel/osrelease").as_deref(), Some("/fake/proc/sys/kernel/osrelease"));
        assert_eq!(rewritten(c"/proc/sys/kernel/hostname").as_deref(), None);
        assert_eq!(rewritten(c"/etc/passwd"), None);
        assert_eq!(rewritten(c"sys/class/kfd"), None);
    }

    #[test]
    fn the_cheap_test_admits_every_mount() {
        for mount in topology::mounts(&tree().machine) {
            assert!(may_be_emulated(&std::ffi::CString::new(mount.clone()).unwrap()), "{mount}");
        }
    }

    #[test]
    fn device_nodes_are_known_by_path() {
        assert_eq!(tree().device(c"/dev/kfd"), Some(Device::Kfd));
        assert_eq!(tree().device(c"/dev/dri/renderD128"), Some(Device::Drm { gpu: 0, primary: false }));
        assert_eq!(tree().device(c"/dev/dri/card0"), Some(Device::Drm { gpu: 0, primary: true }));
        assert_eq!(tree().device(c"/dev/dri/renderD129"), None);
        assert_eq!(tree().device(c"/dev/dri"), None);
    }

    #[test]
    fn resolved_paths_lose_the_tree_s_root() {
        assert_eq!(tree().visible(b"/fake/sys/class/kfd"), b"/sys/class/kfd");
        assert_eq!(tree().visible(b"/faked"), b"/faked");
    }

    #[test]
    fn without_a_card_the_paths_stay_ours_but_no_device_exists() {
        let tree = Tree::without_card();
        assert!(tree.rewrite(c"/dev/kfd", &mut Rewritten::new()));
        assert_eq!(tree.device(c"/dev/kfd"), None);
    }
}
