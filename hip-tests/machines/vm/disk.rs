//! What a virtual machine writes, kept apart from the image that all of them share.

use super::base::Base;
use super::medium;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A machine's disk: Debian's, with what was changed on top; and one to read, with what a test brings. Gone when dropped.
#[derive(Debug)]
pub struct Disk {
    pub(super) base: Base,
    pub(super) medium: PathBuf,
    folder: TempDir,
}

impl Disk {
    /// The other disk's name on the machine.
    pub const MEDIUM: &str = "/dev/vdb";

    /// Debian as it was made; on the other disk RMCP's package, and libraries made of C by their names.
    ///
    /// # Errors
    /// Without the package, a C compiler or mke2fs, or when files cannot be written.
    pub fn new(base: &Base, libraries: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for a disk")?;
        let medium = medium::make(folder.path(), libraries)?;
        let disk = Self { base: base.clone(), medium, folder };
        let image = base.image();
        let size = fs::metadata(&image).with_context(|| format!("look at {}", image.display()))?.len();
        fs::write(disk.image(), overlay(&image, size)).context("write a disk")?;
        Ok(disk)
    }

    /// What was changed, as qcow2 over the image.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.path().join("disk.qcow2")
    }

    /// Where the machine's agent can be reached.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("agent")
    }
}

/// A qcow2 image without a change over a raw one of `size` bytes. (QEMU, docs/interop/qcow2.txt, version 3)
fn overlay(backing: &Path, size: u64) -> Vec<u8> {
    const CLUSTER_BITS: u32 = 16;
    const CLUSTER: u64 = 1 << CLUSTER_BITS;
    const HEADER: u32 = 104;
    // One cluster each: the header, the table of reference counts, its one block, and the table of tables of clusters.
    let [counts, block, tables, end] = [1, 2, 3, 4].map(|number| number * CLUSTER);
    let table_entries = u32::try_from(size.div_ceil(CLUSTER * CLUSTER / 8)).expect("a disk of less than 4 TiB");
    let name = backing.as_os_str().as_encoded_bytes();
    // The backing image's format, filled up to eight bytes, and the end of such extensions.
    let format = *b"\xe2\x79\x2a\xca\0\0\0\x03raw\0\0\0\0\0\0\0\0\0\0\0\0\0";

    let mut image = Vec::new();
    image.extend(b"QFI\xfb\0\0\0\x03");
    image.extend((u64::from(HEADER) + format.len() as u64).to_be_bytes());
    image.extend(u32::try_from(name.len()).expect("a path").to_be_bytes());
    image.extend(CLUSTER_BITS.to_be_bytes());
    image.extend(size.to_be_bytes());
    image.extend([0; 4]); // no encryption
    image.extend(table_entries.to_be_bytes());
    image.extend(tables.to_be_bytes());
    image.extend(counts.to_be_bytes());
    image.extend(1_u32.to_be_bytes()); // clusters of counts
    image.extend([0; 4 + 8]); // no snapshots
    image.extend([0; 3 * 8]); // no features
    image.extend(4_u32.to_be_bytes()); // counts of 1 << 4 bits
    image.extend(HEADER.to_be_bytes());
    image.extend(format);
    image.extend(name);
    image.resize(counts as usize, 0);
    image.extend(block.to_be_bytes());
    image.resize(block as usize, 0);
    image.extend([0, 1].repeat(4)); // these four clusters are in use
    image.resize(end as usize, 0);
    image
}
