//! The wheels that bring the code for one target to a package whose own wheel has none.
//! (ROCm/rocm-systems shared/kpack/python/rocm_kpack/wheel_splitter.py)

use super::{CodeInventory, Kind};
use rmcp_domain::gfx::GfxTarget;
use std::fs;
use std::path::Path;

/// A wheel that would have code for a card.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceWheel {
    /// Its name, as in amd-torch-device-gfx1010.
    pub name: String,
    /// The version that fits: that of the host's.
    pub version: String,
    /// The wheel whose libraries look for its code.
    pub host: String,
    /// The version that is installed, and does not fit.
    pub installed: Option<String>,
}

/// How the folder of a package begins, its wheel, and what the device wheels' names begin with.
const HOSTS: [(&str, &str, &str); 4] = [
    ("torch", "torch", "amd-torch-device"),
    ("torchvision", "torchvision", "amd-torchvision-device"),
    ("_rocm_sdk_core", "rocm-sdk-core", "rocm-sdk-device"),
    ("_rocm_sdk_libraries", "rocm-sdk-libraries", "rocm-sdk-device"),
];

/// The wheels that are missing for a card, of what was found.
pub fn missing_device_wheels(found: &CodeInventory, card: GfxTarget) -> Vec<DeviceWheel> {
    let without = found.required().filter(|code| code.kind == Kind::KpackHost && !code.targets.runs_on(card));
    let mut wheels: Vec<DeviceWheel> = without.filter_map(|code| missing_device_wheel(&code.path, card)).collect();
    wheels.sort();
    wheels.dedup();
    wheels
}

/// The wheel that is missing for a card beside a library that looks for code. None where the library is of no package
/// that is known to have such wheels, or the wheel is installed.
pub fn missing_device_wheel(library: &Path, card: GfxTarget) -> Option<DeviceWheel> {
    let library = library.canonicalize().ok()?;
    library.ancestors().skip(1).find_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        // TheRock may append a word to the names of its own folders.
        let is_host = |start: &str| name == start || (start.starts_with('_') && name.starts_with(&format!("{start}_")));
        let (_, host, prefix) = HOSTS.into_iter().find(|(start, ..)| is_host(start))?;
        let packages = folder.parent()?;
        let version = installed_version(packages, host)?;
        let name = format!("{prefix}-{card}");
        let installed = installed_version(packages, &name);
        let fits = installed.as_ref() == Some(&version);
        (!fits).then(|| DeviceWheel { name, version, host: host.into(), installed })
    })
}

/// The version of an installed wheel, as the name of its .dist-info folder has it.
fn installed_version(packages: &Path, wheel: &str) -> Option<String> {
    let start = format!("{}-", wheel.replace('-', "_"));
    let names = fs::read_dir(packages).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| Some(name.strip_suffix(".dist-info")?.strip_prefix(&start)?.to_owned())).min()
}
