//! What is installed among Python's packages: the `.dist-info` folders and what they tell.
//! (packaging.python.org: Recording installed projects)

use super::{file_name, folder_entries};
use std::path::{Path, PathBuf};

/// An installed distribution: a wheel, mostly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Its name as pip compares it, in small letters with underscores: rocm_sdk_core.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Those in a folder of packages.
pub(super) fn distributions(site: &Path) -> Vec<Distribution> {
    let parse = |folder: PathBuf| {
        let (name, version) = file_name(&folder).strip_suffix(".dist-info")?.split_once('-')?;
        let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
        Some(Distribution { name, version: version.into() })
    };
    folder_entries(site).into_iter().filter_map(parse).collect()
}
