//! Files that may have GPU code inside and are not looked into.

use super::source::Source;
use std::path::Path;

/// How such files begin, and what to say of them.
const MAGICS: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b", COMPRESSED),
    (b"\xfd7zXZ\0", COMPRESSED),
    (b"\x28\xb5\x2f\xfd", COMPRESSED),
    (b"BZh", COMPRESSED),
    (b"MZ", "Windows programs and libraries are not looked into"),
    (b"AKS2", AOTRITON),
];
const ZIP: &str = "wheels and other zip archives are not looked into; unpack it and inspect the folder";
const COMPRESSED: &str = "compressed files are not looked into; unpack it and inspect what was in it";
const AOTRITON: &str = "AOTriton's archives are not looked into; the folder that it lies in names the targets";

/// Why a file without code that was found may have some all the same. None where it has none.
pub(super) fn closed_kind(path: &Path) -> Option<&'static str> {
    if path.extension().is_some_and(|extension| extension == "aks2") {
        return Some(AOTRITON);
    }
    let source = Source::open(path).ok()?;
    let mut start = [0; 8];
    let there = source.whole().fill(0, &mut start).ok()?;
    MAGICS.iter().find(|(magic, _)| start[..there].starts_with(magic)).map(|(_, reason)| *reason)
}
