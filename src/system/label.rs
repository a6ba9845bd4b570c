//! SELinux's label of the list.
//!
//! A new file gets a label that fits its folder, and keeps it when it is renamed. The policies want the loader's cache and
//! the list to have another, the same for both: ld_so_cache_t, which every program may read. (refpolicy,
//! policy/modules/system/libraries.fc)

use super::replace::xattr;
use super::{LIST, System};

const LABEL: &str = "security.selinux";

/// What ldconfig writes, with the label that the policy wants.
const CACHE: &str = "/etc/ld.so.cache";

/// The label that a new list gets: that of the old one, or of the loader's cache where there is none. Where it is refused
/// the file has its folder's: nearly all may read that.
pub(super) fn label(system: &System) -> Option<(String, Vec<u8>)> {
    [LIST, CACHE].iter().find_map(|path| xattr(&system.path(path), LABEL)).map(|label| (LABEL.into(), label))
}
