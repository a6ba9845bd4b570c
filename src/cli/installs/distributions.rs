//! What is installed among Python's packages: the `.dist-info` folders and what they tell.
//! (packaging.python.org: Recording installed projects)

use super::{file_name, folder_entries};
use rmcp_domain::bounded_read::read_text;
use std::path::{Component, Path, PathBuf};

/// An installed distribution: a wheel, mostly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distribution {
    /// Its name as pip compares it, in small letters with underscores: rocm_sdk_core.
    pub name: String,
    /// Its version.
    pub version: String,
    folder: PathBuf,
}

/// PyTorch's RECORD has a line for each of 13,000 headers and more.
const RECORD_LIMIT: u64 = 16 << 20;
/// METADATA holds the project's description.
const METADATA_LIMIT: u64 = 1 << 20;

/// Those in a folder of packages.
pub(super) fn distributions(site: &Path) -> Vec<Distribution> {
    let parse = |folder: PathBuf| {
        let (name, version) = file_name(&folder).strip_suffix(".dist-info")?.split_once('-')?;
        let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
        Some(Distribution { name, version: version.into(), folder: folder.clone() })
    };
    folder_entries(site).into_iter().filter_map(parse).collect()
}

impl Distribution {
    /// A field of METADATA, such as Summary.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let text = read_text(&self.folder.join("METADATA"), METADATA_LIMIT).ok()?;
        let fields = text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
        fields.into_iter().find(|(field, _)| *field == name).map(|(_, value)| value.trim().to_owned())
    }

    /// The libraries that it installed outside its package, as auditwheel does into a folder such as `cupy.libs`. Never a
    /// file outside the folder of packages; of a broken RECORD none.
    pub fn libraries_beside(&self, package: &Path) -> Vec<PathBuf> {
        let text = read_text(&self.folder.join("RECORD"), RECORD_LIMIT).unwrap_or_default();
        let site = self.folder.parent().unwrap_or(&self.folder);
        // A name with a comma is quoted; no library has one.
        let names = text.lines().filter_map(|line| line.split(',').next()).map(Path::new);
        let libs = |path: &&Path| {
            path.components().all(|part| matches!(part, Component::Normal(_)))
                && path.iter().next().and_then(|first| first.to_str()).is_some_and(|first| first.ends_with(".libs"))
        };
        names.filter(libs).map(|name| site.join(name)).filter(|path| !path.starts_with(package)).collect()
    }
}
