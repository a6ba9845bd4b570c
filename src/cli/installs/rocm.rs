//! ROCm installations and copies of the runtime.

use super::distributions::distributions;
use super::{Machine, Release, file_name, folder_entries};
use rmcp_domain::bounded_read::read_text;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A copy of the HIP runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// The real file of libamdhip64.
    pub hip: PathBuf,
    /// The release of ROCm that it belongs to: what [files around it](Runtime::new) say, else its name.
    pub release: Option<Release>,
    /// libhsa-runtime64 in the same folder.
    pub hsa: Option<PathBuf>,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rocm {
    /// Where it is: /opt/rocm-6.4.3, or the folder of a distribution's libraries.
    pub prefix: PathBuf,
    /// Its release, as `.info/version`, `share/hip/version` or the name of the runtime's file says.
    pub release: Option<Release>,
    /// The file that says so.
    pub release_file: Option<PathBuf>,
    /// Its runtime. None where only other parts are installed.
    pub runtime: Option<Runtime>,
}

/// The folders where distributions put the runtime, without the version.
const DISTRIBUTION: [&str; 5] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/rocm/lib", "/usr/lib64/rocm/lib", "/usr/lib"];
/// A version file has one line.
const VERSION_LIMIT: u64 = 4096;

/// Every installation, each once however many links lead to it: ROCM_PATH first, then /opt/rocm, its versions and their
/// cores (/opt/rocm/core-10.1), then the distribution's.
pub fn installations(machine: &Machine) -> Vec<Rocm> {
    let chosen = ["ROCM_PATH", "HIP_PATH"].into_iter().filter_map(|name| machine.variable(name)).map(PathBuf::from);
    let beginning = |folder: &Path, name: &'static str| {
        folder_entries(folder).into_iter().filter(move |path| file_name(path).starts_with(name))
    };
    let versions = beginning(&machine.resolve("/opt"), "rocm").flat_map(|version| {
        let cores = beginning(&version, "core-");
        [version].into_iter().chain(cores)
    });
    let prefixes = chosen.map(|path| machine.resolve(path)).chain([machine.resolve("/opt/rocm")]).chain(versions);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for prefix in prefixes.map(|prefix| linked_core(&prefix).unwrap_or(prefix)) {
        if seen.insert(prefix.canonicalize().unwrap_or_else(|_| prefix.clone())) {
            found.extend(Rocm::at_prefix(&prefix, &["lib", "lib64", "hip/lib"]));
        }
    }
    for folder in DISTRIBUTION.map(|folder| machine.resolve(folder)) {
        if seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())) {
            found.extend(Rocm::at_prefix(&folder, &["."]));
        }
    }
    found
}

/// The core that update-alternatives' links in /opt/rocm lead to.
fn linked_core(prefix: &Path) -> Option<PathBuf> {
    let core = prefix.join("lib").canonicalize().ok()?.parent()?.to_owned();
    file_name(&core).starts_with("core-").then_some(core)
}

impl Rocm {
    fn at_prefix(prefix: &Path, libraries: &[&str]) -> Option<Self> {
        let mut runtime = libraries.iter().find_map(|folder| Runtime::in_folder(&prefix.join(folder)));
        let written = [".info/version", ".info/version-hip-libraries", "share/hip/version", "bin/.hipVersion"];
        let read =
            written.iter().map(|file| prefix.join(file)).find_map(|file| Some((read_release_file(&file)?, file)));
        let (release, said_by) = match (read, &mut runtime) {
            (Some((release, file)), runtime) => {
                if let Some(runtime) = runtime {
                    runtime.release = Some(release);
                }
                (Some(release), Some(file))
            }
            (None, Some(runtime)) => (runtime.release, Some(runtime.hip.clone())),
            (None, None) => return None,
        };
        Some(Self { prefix: prefix.into(), release, release_file: said_by, runtime })
    }
}

impl Runtime {
    /// The runtime in a folder. Of several the newest counts.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let mut found: [Option<PathBuf>; 2] = [None, None];
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let file = entry.file_name();
            let libraries = ["libamdhip64", "libhsa-runtime64"].into_iter().zip(&mut found);
            let Some((_, place)) = libraries.into_iter().find(|(library, _)| is_library_file(library, file.to_str()))
            else {
                continue;
            };
            let Some(real) = entry.path().canonicalize().ok().filter(|path| path.is_file()) else { continue };
            if place.as_ref().is_none_or(|known| file_version(known) < file_version(&real)) {
                *place = Some(real);
            }
        }
        let [hip, hsa] = found;
        Some(Self::new(hip?, hsa))
    }

    /// A copy by its real files. Its release is in the `.info/version` of its prefix, as AMD's packages and tarballs have it;
    /// in the version of the wheel that brings it, rocm-sdk-core; in the name of the file.
    pub fn new(hip: PathBuf, hsa: Option<PathBuf>) -> Self {
        let prefix = hip.parent().and_then(Path::parent);
        let written = prefix.and_then(|prefix| read_release_file(&prefix.join(".info/version")));
        let release = written.or_else(|| wheel_release(prefix?)).or_else(|| Release::from_runtime(&hip));
        Self { release, hip, hsa }
    }

    /// The number of its ABI, 7 in libamdhip64.so.7, which ROCm 10 has too.
    pub fn abi(&self) -> Option<u32> {
        let named = file_version(&self.hip)?.first().copied();
        named.or(self.release.map(|release| release.major.min(7)))
    }
}

/// The numbers behind `.so.` in a file's name.
fn file_version(file: &Path) -> Option<Vec<u32>> {
    let (_, numbers) = file_name(file).split_once(".so")?;
    Some(numbers.trim_start_matches('.').split('.').map_while(|number| number.parse().ok()).collect())
}

/// The version of the wheel that put a folder such as `_rocm_sdk_core` among the packages. A build may have added a mark
/// of its own to the folder's name.
fn wheel_release(prefix: &Path) -> Option<Release> {
    let part = ["_rocm_sdk_core", "_rocm_sdk_devel"].into_iter().find(|part| file_name(prefix).starts_with(part))?;
    let wheels = distributions(prefix.parent()?);
    wheels.into_iter().find(|wheel| wheel.name == part[1..])?.version.parse().ok()
}

/// Whether a file is `libNAME.so*` or, as in some wheels, `libNAME-HASH.so*`.
fn is_library_file(library: &str, file: Option<&str>) -> bool {
    let rest = file.and_then(|file| file.strip_prefix(library));
    rest.is_some_and(|rest| rest.starts_with(".so") || (rest.starts_with('-') && rest.contains(".so")))
}

/// The release in a version file: `.info/version` has "6.4.3-127", the others lines of HIP_VERSION_MAJOR=6 and so on.
fn read_release_file(file: &Path) -> Option<Release> {
    let text = read_text(file, VERSION_LIMIT).ok()?;
    if let Ok(release) = text.parse() {
        return Some(release);
    }
    let number = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.and_then(|value| value.trim().parse::<u32>().ok())
    };
    Release::from_hip(&format!("{}.{}", number("HIP_VERSION_MAJOR")?, number("HIP_VERSION_MINOR")?))
}
