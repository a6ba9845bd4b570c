//! SELinux's label of the list.
//!
//! A new file gets a label that fits its folder, and keeps it when it is renamed. The policies want the loader's cache and
//! the list to have another, the same for both: ld_so_cache_t, which every program may read. (refpolicy,
//! policy/modules/system/libraries.fc)

use super::{LIST, System};
use rustix::buffer::spare_capacity;
use rustix::fs::{XattrFlags, fsetxattr, getxattr};
use std::fs::File;
use std::io;
use std::path::Path;

const LABEL: &str = "security.selinux";

/// What ldconfig writes, with the label that the policy wants.
const CACHE: &str = "/etc/ld.so.cache";

/// More than a label has.
const LONGEST: usize = 4096;

/// Creates the file that is to be the list, empty, with the label of the old one, or of the loader's cache where there is
/// none.
///
/// Where the label is refused the file has its folder's: nearly all may read that.
pub(super) fn create(system: &System, path: &Path) -> io::Result<()> {
    let file = File::create(path)?;
    let label = [LIST, CACHE].iter().find_map(|path| {
        let mut label = Vec::with_capacity(LONGEST);
        getxattr(system.path(path), LABEL, spare_capacity(&mut label)).ok().map(|_| label)
    });
    if let Some(label) = label {
        let _ = fsetxattr(&file, LABEL, &label, XattrFlags::empty());
    }
    Ok(())
}
