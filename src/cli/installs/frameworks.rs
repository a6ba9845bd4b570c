//! Python packages that use a GPU, known by their files.

use super::applications::files_matching;
use super::distributions::{Distribution, distributions};
use super::known::{KNOWN, Known, name_matches};
use super::program::{Program, rocblas_kernels};
use super::{Machine, Python, Release, Runtime, file_name, folder_entries};
use rmcp_domain::bounded_read::read_text;
use std::fmt;
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
    /// Its row of the table.
    pub fn known(&self) -> Option<&'static Known> {
        KNOWN.iter().find(|row| name_matches(row.package, &self.name))
    }

    /// The release of ROCm that it computes with: what it says, else that of its runtime.
    pub fn rocm_release(&self) -> Option<Release> {
        let said = match self.backend {
            Backend::Rocm(release) => release,
            Backend::Other(_) | Backend::Direct => None,
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
    /// The kernel driver itself, without ROCm.
    Direct,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rocm(Some(release)) => write!(f, "ROCm {release}"),
            Self::Rocm(None) => f.write_str("ROCm"),
            Self::Other(other) => f.write_str(other),
            Self::Direct => f.write_str("the kernel driver itself, without ROCm"),
        }
    }
}

/// A Python source of versions is short.
const TEXT_LIMIT: u64 = 64 * 1024;

/// Reads what the files of a package tell. None where they are not as expected.
pub(super) type PackageReader = fn(&PackageFolder<'_>) -> Option<PackageFiles>;

/// A package that a row of the table names, as it is installed.
pub(super) struct PackageFolder<'a> {
    row: &'a Known,
    path: PathBuf,
    distributions: Vec<Distribution>,
    python: &'a Python,
    machine: &'a Machine,
}

/// What a package's files tell.
pub(super) struct PackageFiles {
    backend: Backend,
    /// Where its libraries lie.
    libraries: PathBuf,
    /// Those with the code.
    code: Vec<PathBuf>,
}

pub(super) fn find_frameworks(python: &Python, machine: &Machine) -> Vec<Framework> {
    let found = KNOWN.iter().flat_map(|row| {
        let mut folders: Vec<PathBuf> = if row.package.contains('#') {
            let all = python.folders.iter().flat_map(|folder| folder_entries(folder));
            all.filter(|path| name_matches(row.package, file_name(path)) && path.is_dir()).collect()
        } else {
            python.package_folder(row.package).into_iter().collect()
        };
        if row.package.starts_with(SDK) && folders.is_empty() {
            // A build may have added a mark of its own to the folder's name.
            let marked = format!("{}_", row.package);
            folders.extend(sdk_folders(python).into_iter().filter_map(|folder| {
                let package = folder.parent()?;
                file_name(package).starts_with(&marked).then(|| package.to_owned())
            }));
        }
        folders.into_iter().filter_map(|path| {
            let distributions = path.parent().map(distributions).unwrap_or_default();
            read_framework(&PackageFolder { row, path, distributions, python, machine })
        })
    });
    found.collect()
}

fn read_framework(package: &PackageFolder<'_>) -> Option<Framework> {
    let PackageFolder { path: folder, python, machine, .. } = package;
    let name = file_name(folder).to_owned();
    let PackageFiles { mut backend, libraries, mut code } = (package.row.read)(package)?;
    let own = package.distribution();
    let version = own
        .map(|own| own.version.clone())
        .or_else(|| assigned_string(&read_text(&folder.join("version.py"), TEXT_LIMIT).ok()?, "__version__"));
    if !matches!(backend, Backend::Rocm(_)) {
        return Some(Framework { name, version, folder: folder.clone(), backend, runtime: None, code: Vec::new() });
    }
    if backend == Backend::Rocm(None) {
        backend = Backend::Rocm(own.and_then(rocm_of_distribution));
    }
    // The interpreter loads the library of the package that links to HIP; Debian has it in the system's folder. Packages for
    // TheRock's wheels load what they need from those before.
    let sdk = sdk_folders(python);
    let read = |file: &PathBuf| Program::read_with(file, machine, &sdk).ok();
    let programs: Vec<Program> = code.iter().filter_map(read).collect();
    if !programs.iter().any(|program| program.calls_hip) {
        let reached: Vec<PathBuf> = programs.iter().flat_map(|program| program.code_files(machine)).collect();
        if !reached.is_empty() {
            code = reached;
        }
    }
    let wheels: Vec<PathBuf> = sdk.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let needed = programs.iter().flat_map(|program| program.code_files(machine));
    code.extend(needed.filter(|file| wheels.iter().any(|folder| file.starts_with(folder))));
    let folders: Vec<PathBuf> = [libraries].into_iter().chain(sdk).collect();
    let bundled = folders.iter().find_map(|folder| Runtime::in_folder(folder));
    let runtime = bundled.or_else(|| programs.iter().find_map(Program::runtime));
    let kernels = folders.iter().find_map(|folder| rocblas_kernels(&folder.join("librocblas.so"), machine));
    let loaded = || programs.iter().flat_map(|program| program.code_files(machine)).find(|path| path.is_dir());
    code.extend(kernels.or_else(loaded));
    code.sort();
    code.dedup();
    Some(Framework { name, version, folder: folder.clone(), backend, runtime, code })
}

impl PackageFolder<'_> {
    /// The distribution that brought it. It may have more of a name than the package, as tensorflow_rocm has.
    fn distribution(&self) -> Option<&Distribution> {
        let package = file_name(&self.path).to_ascii_lowercase();
        let place = |distribution: &Distribution| {
            let flavour = distribution.name.strip_prefix(&package);
            let flavoured = flavour.is_some_and(|rest| rest.starts_with("_rocm") || rest == "_migraphx");
            let known = self.row.distributions.contains(&distribution.name.as_str());
            [flavour == Some(""), known, flavoured].into_iter().position(|matches| matches)
        };
        let placed = self.distributions.iter().filter_map(|each| Some((place(each)?, each)));
        placed.min_by_key(|(place, _)| *place).map(|(_, each)| each)
    }

    /// Its files that a row's patterns name, and the libraries that its distribution put beside it, as auditwheel does.
    fn code_files(&self) -> Vec<PathBuf> {
        let named = self.row.code.iter().flat_map(|pattern| files_matching(&self.path, pattern));
        let beside = self.distribution().map(|own| own.libraries_beside(&self.path)).unwrap_or_default();
        let files = named.chain(beside).filter_map(|file| file.canonicalize().ok());
        files.filter(|file| file.is_file()).collect()
    }

    /// The version of HIP that PyTorch beside it was built with.
    fn torch_hip(&self) -> Option<String> {
        let text = read_text(&self.python.package_folder("torch")?.join("version.py"), TEXT_LIMIT).ok()?;
        assigned_string(&text, "hip")
    }
}

/// The release of ROCm that a wheel names: in its summary (JAX), its version (+rocm6.3) or its name (cupy-rocm-7-0).
fn rocm_of_distribution(own: &Distribution) -> Option<Release> {
    let summary = || own.field("Summary")?.split_once("ROCm:")?.1.parse().ok();
    let local = || own.version.split_once("+rocm")?.1.parse().ok();
    let name = || own.name.split_once("_rocm_")?.1.replace('_', ".").parse().ok();
    summary().or_else(local).or_else(name)
}

/// What the libraries say that a package's files need.
pub(super) fn linked(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let code = package.code_files();
    let programs: Vec<Program> = code.iter().filter_map(|file| Program::read(file, package.machine).ok()).collect();
    let needs = |prefixes: &[&str]| {
        let mut libraries = programs.iter().flat_map(|program| &program.libraries);
        libraries.any(|library| prefixes.iter().any(|prefix| library.name.starts_with(prefix)))
    };
    let rocm = needs(&["libamdhip64", "librocblas", "libhipblas"]) || programs.iter().any(|it| !it.plugins.is_empty());
    let backend = match (rocm, needs(&["libcuda.so", "libcudart", "libcublas"])) {
        (true, _) => Backend::Rocm(None),
        (false, true) => Backend::Other("CUDA".into()),
        (false, false) => Backend::Other("the CPU alone".into()),
    };
    Some(PackageFiles { backend, libraries: package.path.clone(), code })
}

/// The one library of several that the PyTorch beside it makes it load: that of its release of HIP, else the newest before
/// it, else the oldest after it, of the same major number. BNB_ROCM_VERSION chooses. (bitsandbytes 0.50.2, cextension.py;
/// before 0.50 that of the release alone, by ten times the major number and the minor one)
pub(super) fn bitsandbytes(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let libraries = package.path.clone();
    let Some(hip) = package.torch_hip() else {
        let backend = Backend::Other("what the PyTorch beside it is for, which is not ROCm".into());
        return Some(PackageFiles { backend, libraries, code: Vec::new() });
    };
    let number = |file: &Path| file_name(file).strip_prefix("libbitsandbytes_rocm")?.strip_suffix(".so")?.parse().ok();
    let mut files: Vec<(u32, PathBuf)> =
        folder_entries(&package.path).into_iter().filter_map(|file| Some((number(&file)?, file))).collect();
    // 64 is 6.4 and 714 is 7.14.
    let version = |number: u32| if number < 100 { (number / 10, number % 10) } else { (number / 100, number % 100) };
    files.sort_by_key(|(number, _)| version(*number));
    let mut numbers = hip.split('.').map_while(|number| number.parse::<u32>().ok());
    let wanted = (numbers.next()?, numbers.next()?);
    let chosen = package.machine.variable("BNB_ROCM_VERSION").and_then(|value| value.to_str()?.parse().ok());
    let release = package.distribution().and_then(|own| own.version.parse::<Release>().ok());
    let chosen = chosen.or_else(|| {
        let old = release.is_some_and(|release| (release.major, release.minor) < (0, 50));
        old.then_some(wanted.0 * 10 + wanted.1)
    });
    let file = match chosen {
        Some(chosen) => files.iter().find(|(number, _)| *number == chosen),
        None => {
            let same = || files.iter().filter(|(number, _)| version(*number).0 == wanted.0);
            same().rfind(|(number, _)| version(*number) <= wanted).or_else(|| same().next())
        }
    };
    let code = file.map(|(_, file)| file.clone()).into_iter().collect();
    Some(PackageFiles { backend: Backend::Rocm(None), libraries, code })
}

/// A compiler, which has no code of its own: it is for ROCm where the PyTorch beside it is.
pub(super) fn triton(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    package.torch_hip()?;
    Some(PackageFiles { backend: Backend::Rocm(None), libraries: package.path.clone(), code: Vec::new() })
}

pub(super) fn direct(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    Some(PackageFiles { backend: Backend::Direct, libraries: package.path.clone(), code: Vec::new() })
}

/// The runtime that other packages load.
pub(super) fn sdk(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let libraries = package.path.join("lib");
    let release = Runtime::in_folder(&libraries)?.release;
    Some(PackageFiles { backend: Backend::Rocm(release), libraries, code: Vec::new() })
}

/// How the folders of TheRock's wheels begin.
const SDK: &str = "_rocm_sdk_";

/// The folders of libraries of TheRock's wheels: `_rocm_sdk_core`, and `_rocm_sdk_libraries_*` with the kernels for one
/// family.
fn sdk_folders(python: &Python) -> Vec<PathBuf> {
    let folders = python.folders.iter().flat_map(|folder| folder_entries(folder));
    folders.filter(|path| file_name(path).starts_with(SDK)).map(|path| path.join("lib")).collect()
}

/// PyTorch writes what it was built for into version.py.
pub(super) fn torch(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let folder = &package.path;
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

pub(super) fn tensorflow(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let folder = &package.path;
    let information = folder.join("python/platform/build_info.py");
    let text = read_text(&information, TEXT_LIMIT).ok()?;
    let (rocm, cuda) = (is_true_key(&text, "is_rocm_build"), is_true_key(&text, "is_cuda_build"));
    let backend = match (rocm, cuda) {
        (true, _) => Backend::Rocm(None),
        (false, true) => Backend::Other("CUDA".into()),
        (false, false) => Backend::Other("the CPU alone".into()),
    };
    let code = files_with_prefix(folder, &["libtensorflow_framework.so", "libtensorflow_cc.so"]);
    Some(PackageFiles { backend, libraries: folder.clone(), code })
}

/// Whether a dictionary in Python code, however it is written, has True under a key.
fn is_true_key(text: &str, key: &str) -> bool {
    let value = text.split_once(key).map(|(_, rest)| rest.trim_start_matches(['\'', '"', ':', ',', '=', ' ']));
    value.is_some_and(|value| value.starts_with("True"))
}

pub(super) fn jax(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let folder = &package.path;
    // The plugin proper lies in another package, beside this one: jax_plugins/xla_rocm7 for jax_rocm7_plugin.
    let plugin = file_name(folder).strip_prefix("jax_")?.strip_suffix("_plugin")?;
    let plugin = folder.parent()?.join("jax_plugins").join(format!("xla_{plugin}")).join("xla_rocm_plugin.so");
    let own = folder_entries(folder).into_iter().filter(|path| file_name(path).ends_with(".so"));
    let code = own.chain(plugin.is_file().then_some(plugin)).collect();
    Some(PackageFiles { backend: Backend::Rocm(None), libraries: folder.clone(), code })
}

pub(super) fn onnxruntime(package: &PackageFolder<'_>) -> Option<PackageFiles> {
    let folder = &package.path;
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
