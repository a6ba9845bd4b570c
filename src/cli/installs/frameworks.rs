//! Python packages that use a GPU, known by their files.

use super::program::{Program, rocblas_kernels};
use super::{Machine, Python, Release, Runtime, file_name, folder_entries};
use rmcp_domain::bounded_read::read_text;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A package that uses a GPU, or would if it were built for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framework {
    /// Its name, as in `import`.
    pub name: String,
    /// Its own version.
    pub version: Option<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// What it was built for.
    pub backend: Backend,
    /// The runtime that it loads: its own, that of a package that it needs, or the installed one. None where it loads
    /// none, or none is found.
    pub runtime: Option<Runtime>,
    /// What to read to learn for which cards it has code: few files, so that this takes milliseconds. Empty for a package
    /// that has none of its own.
    pub code: Vec<PathBuf>,
}

impl Framework {
    /// The release of ROCm that it computes with: what it says, else that of its runtime.
    pub fn rocm_release(&self) -> Option<Release> {
        let said = match self.backend {
            Backend::Rocm(release) => release,
            Backend::Other(_) => None,
        };
        said.or_else(|| self.runtime.as_ref()?.release)
    }
}

/// What a framework was built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// ROCm, and which release where that is known.
    Rocm(Option<Release>),
    /// Something else: "CUDA 12.4", "the CPU alone".
    Other(String),
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rocm(Some(release)) => write!(f, "ROCm {release}"),
            Self::Rocm(None) => f.write_str("ROCm"),
            Self::Other(other) => f.write_str(other),
        }
    }
}

/// A Python source of versions is short.
const TEXT_LIMIT: u64 = 64 * 1024;

/// Which packages are looked for, by the name of their folder, and how each is told.
const FRAMEWORKS: [(&str, PackageReader); 5] = [
    ("torch", torch),
    ("tensorflow", tensorflow),
    ("jax_rocm7_plugin", jax),
    ("jax_rocm60_plugin", jax),
    ("onnxruntime", onnxruntime),
];

/// Reads what the files of a package tell. None where they are not as expected.
type PackageReader = fn(&Path) -> Option<PackageFiles>;

/// What a package's files tell.
struct PackageFiles {
    backend: Backend,
    /// Where its libraries lie.
    libraries: PathBuf,
    /// Those with the code.
    code: Vec<PathBuf>,
}

pub(super) fn find_frameworks(python: &Python, machine: &Machine) -> Vec<Framework> {
    FRAMEWORKS.iter().filter_map(|(name, read)| read_framework(name, *read, python, machine)).collect()
}

fn read_framework(name: &str, read: PackageReader, python: &Python, machine: &Machine) -> Option<Framework> {
    let folder = python.package_folder(name)?;
    let PackageFiles { backend, libraries, mut code } = read(&folder)?;
    let version = package_version(&folder, name);
    if !matches!(backend, Backend::Rocm(_)) {
        return Some(Framework { name: name.into(), version, folder, backend, runtime: None, code: Vec::new() });
    }
    // The interpreter loads the library of the package that links to HIP; Debian has it in the system's folder.
    let programs: Vec<Program> = code.iter().filter_map(|file| Program::read(file, machine).ok()).collect();
    if !programs.iter().any(|program| program.calls_hip) {
        code = programs.iter().flat_map(|program| program.code_files(machine)).collect();
    }
    let folders: Vec<PathBuf> = [libraries].into_iter().chain(sdk_folders(python)).collect();
    let bundled = folders.iter().find_map(|folder| Runtime::in_folder(folder));
    let runtime = bundled.or_else(|| programs.iter().find_map(Program::runtime));
    let kernels = folders.iter().find_map(|folder| rocblas_kernels(&folder.join("librocblas.so"), machine));
    let loaded = || programs.iter().flat_map(|program| program.code_files(machine)).find(|path| path.is_dir());
    code.extend(kernels.or_else(loaded));
    code.sort();
    code.dedup();
    Some(Framework { name: name.into(), version, folder, backend, runtime, code })
}

/// The folders of libraries of TheRock's wheels: `_rocm_sdk_core`, and `_rocm_sdk_libraries_*` with the kernels for one
/// family.
fn sdk_folders(python: &Python) -> Vec<PathBuf> {
    let folders = python.folders.iter().flat_map(|folder| folder_entries(folder));
    folders.filter(|path| file_name(path).starts_with("_rocm_sdk_")).map(|path| path.join("lib")).collect()
}

/// PyTorch writes what it was built for into version.py.
fn torch(folder: &Path) -> Option<PackageFiles> {
    let libraries = folder.join("lib");
    let text = read_text(&folder.join("version.py"), TEXT_LIMIT).ok()?;
    let assigned = |name| assigned_string(&text, name);
    let backend = match (assigned("hip"), assigned("cuda"), assigned("xpu")) {
        (Some(hip), _, _) => {
            Backend::Rocm(assigned("rocm").and_then(|rocm| rocm.parse().ok()).or(Release::from_hip(&hip)))
        }
        (None, Some(cuda), _) => Backend::Other(format!("CUDA {cuda}")),
        (None, None, Some(xpu)) => Backend::Other(format!("Intel's GPUs ({xpu})")),
        (None, None, None) => Backend::Other("the CPU alone".into()),
    };
    let hip = files_with_prefix(&libraries, &["libtorch_hip.so"]);
    let code = if hip.is_empty() { files_with_prefix(folder, &["_C."]) } else { hip };
    Some(PackageFiles { backend, libraries, code })
}

fn tensorflow(folder: &Path) -> Option<PackageFiles> {
    let information = folder.join("python/platform/build_info.py");
    let text = read_text(&information, TEXT_LIMIT).ok()?;
    let (rocm, cuda) = (is_true_key(&text, "is_rocm_build"), is_true_key(&text, "is_cuda_build"));
    let backend = match (rocm, cuda) {
        (true, _) => Backend::Rocm(None),
        (false, true) => Backend::Other("CUDA".into()),
        (false, false) => Backend::Other("the CPU alone".into()),
    };
    let code = files_with_prefix(folder, &["libtensorflow_framework.so", "libtensorflow_cc.so"]);
    Some(PackageFiles { backend, libraries: folder.into(), code })
}

/// Whether a dictionary in Python code, however it is written, has True under a key.
fn is_true_key(text: &str, key: &str) -> bool {
    let value = text.split_once(key).map(|(_, rest)| rest.trim_start_matches(['\'', '"', ':', ',', '=', ' ']));
    value.is_some_and(|value| value.starts_with("True"))
}

fn jax(folder: &Path) -> Option<PackageFiles> {
    // The plugin proper lies in another package, beside this one.
    let plugins =
        folder_entries(&folder.parent()?.join("jax_plugins")).into_iter().flat_map(|folder| folder_entries(&folder));
    let plugins = plugins.filter(|path| file_name(path) == "xla_rocm_plugin.so");
    let code =
        folder_entries(folder).into_iter().filter(|path| file_name(path).ends_with(".so")).chain(plugins).collect();
    Some(PackageFiles { backend: Backend::Rocm(None), libraries: folder.into(), code })
}

fn onnxruntime(folder: &Path) -> Option<PackageFiles> {
    let libraries = folder.join("capi");
    let code =
        files_with_prefix(&libraries, &["libonnxruntime_providers_rocm.so", "libonnxruntime_providers_migraphx.so"]);
    let cuda = !files_with_prefix(&libraries, &["libonnxruntime_providers_cuda.so"]).is_empty();
    let backend = match (code.is_empty(), cuda) {
        (false, _) => Backend::Rocm(None),
        (true, true) => Backend::Other("CUDA".into()),
        (true, false) => Backend::Other("the CPU alone".into()),
    };
    Some(PackageFiles { backend, libraries, code })
}

fn files_with_prefix(folder: &Path, prefixes: &[&str]) -> Vec<PathBuf> {
    let has_prefix = |path: &PathBuf| prefixes.iter().any(|prefix| file_name(path).starts_with(prefix));
    folder_entries(folder).into_iter().filter(has_prefix).collect()
}

/// The text that Python code assigns to a name, as in `hip: Optional[str] = '6.4.43483'`. None for `None`.
fn assigned_string(text: &str, variable: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        (left.split(':').next()?.trim() == variable).then_some(right.trim())
    })?;
    let quote = value.chars().next().filter(|quote| ['\'', '"'].contains(quote))?;
    value[1..].split(quote).next().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The version in the name of the package's .dist-info folder, beside it, or in its version.py. The distribution may have
/// more of a name than the package, as tensorflow_rocm has.
fn package_version(folder: &Path, package: &str) -> Option<String> {
    let infos = fs::read_dir(folder.parent()?).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut versions: Vec<(usize, String)> = infos
        .filter_map(|info| {
            let (distribution, version) = info.strip_suffix(".dist-info")?.split_once('-')?;
            let flavour = distribution.to_ascii_lowercase().strip_prefix(package)?.to_owned();
            let place = ["", "_rocm", "_migraphx"].iter().position(|known| *known == flavour)?;
            Some((place, version.to_owned()))
        })
        .collect();
    versions.sort();
    let written = || assigned_string(&read_text(&folder.join("version.py"), TEXT_LIMIT).ok()?, "__version__");
    versions.into_iter().next().map(|(_, version)| version).or_else(written)
}
