//! Python interpreters, their packages and the frameworks among them.

use crate::machine::Files;
use rmcp_cli::installs::{Backend, Framework, Python};
use std::path::Path;

fn folders(files: &Files, python: &Python) -> Vec<String> {
    python.folders.iter().map(|folder| files.shown(folder)).collect()
}

pub fn python(files: &Files, program: &str) -> Python {
    Python::find(Path::new(program), &files.machine()).unwrap_or_else(|| panic!("{program}"))
}

/// A virtual environment on the distribution's Python 3.12.
pub fn environment(files: &Files) {
    files.write("/usr/bin/python3.12", "");
    files.link("/venv/bin/python", "/usr/bin/python3.12");
    files.write("/venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.12.3\n");
    files.write("/venv/lib/python3.12/site-packages/pip/__init__.py", "");
}

#[test]
fn a_virtual_environment_has_its_own_packages_alone() {
    let mut files = Files::new();
    environment(&files);
    files.write("/usr/lib/python3/dist-packages/torch/__init__.py", "");
    files.set("HOME", "/home/me");
    files.write("/home/me/.local/lib/python3.12/site-packages/torch/__init__.py", "");
    let python = python(&files, "/venv/bin/python");
    assert_eq!(folders(&files, &python), ["/venv/lib/python3.12/site-packages"]);
    assert_eq!(python.version, Some((3, 12)));
}

#[test]
fn one_that_includes_the_systems_packages_has_these_after_its_own() {
    let files = Files::new();
    environment(&files);
    files.write("/venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = true\nversion_info = 3.12.3\n");
    files.write("/usr/lib/python3/dist-packages/torch/__init__.py", "");
    let python = python(&files, "/venv/bin/python");
    assert_eq!(folders(&files, &python), ["/venv/lib/python3.12/site-packages", "/usr/lib/python3/dist-packages"]);
}

#[test]
fn the_distributions_python_looks_where_site_py_says() {
    let mut files = Files::new();
    files.write("/usr/bin/python3.11", "");
    files.link("/usr/bin/python3", "/usr/bin/python3.11");
    for folder in [
        "/home/me/.local/lib/python3.11/site-packages",
        "/usr/local/lib/python3.11/dist-packages",
        "/usr/lib/python3/dist-packages",
        "/src",
    ] {
        files.write(&format!("{folder}/x/__init__.py"), "");
    }
    files.set("HOME", "/home/me");
    files.set("PATH", "/usr/sbin:/usr/bin");
    files.set("PYTHONPATH", "/src:/missing");
    let found = python(&files, "python3");
    assert_eq!(
        folders(&files, &found),
        [
            "/src",
            "/home/me/.local/lib/python3.11/site-packages",
            "/usr/local/lib/python3.11/dist-packages",
            "/usr/lib/python3/dist-packages"
        ]
    );
    files.set("PYTHONNOUSERSITE", "1");
    assert!(!folders(&files, &python(&files, "python3")).iter().any(|folder| folder.contains(".local")));
}

#[test]
fn a_conda_environment_is_known_by_its_only_library_folder() {
    let mut files = Files::new();
    files.write("/home/me/conda/envs/ml/bin/python", "");
    files.write("/home/me/conda/envs/ml/lib/python3.10/site-packages/torch/__init__.py", "");
    files.set("CONDA_PREFIX", "/home/me/conda/envs/ml");
    let python = Python::default_interpreter(&files.machine()).unwrap();
    assert_eq!(folders(&files, &python), ["/home/me/conda/envs/ml/lib/python3.10/site-packages"]);
}

#[test]
fn pyenvs_shim_stands_for_the_version_that_is_chosen() {
    let mut files = Files::new();
    files.write("/home/me/.pyenv/shims/python3", "#!/usr/bin/env bash\n");
    files.write("/home/me/.pyenv/version", "3.11.7\n3.12.1\n");
    for version in ["3.11.7", "3.12.1"] {
        files.write(&format!("/home/me/.pyenv/versions/{version}/bin/python3"), "");
        let minor = &version[..4];
        files.write(&format!("/home/me/.pyenv/versions/{version}/lib/python{minor}/site-packages/pip/__init__.py"), "");
    }
    files.set("PATH", "/home/me/.pyenv/shims");
    assert_eq!(python(&files, "python3").version, Some((3, 11)));
    files.write("/home/me/project/.python-version", "3.12.1\n");
    files.set("PWD", "/home/me/project/src");
    assert_eq!(python(&files, "python3").version, Some((3, 12)));
    files.set("PYENV_VERSION", "3.11.7");
    assert_eq!(python(&files, "python3").version, Some((3, 11)));
}

#[test]
fn folders_that_editable_installs_name_are_looked_into() {
    let files = Files::new();
    environment(&files);
    files.write(
        "/venv/lib/python3.12/site-packages/__editable__.torch.pth",
        &format!("import something\n# a remark\n{}\n\n/missing\n", files.path("/home/me/pytorch").display()),
    );
    files.write("/home/me/pytorch/torch/__init__.py", "");
    let python = python(&files, "/venv/bin/python");
    assert_eq!(files.shown(&python.find_package("torch").unwrap()), "/home/me/pytorch/torch");
}

#[test]
fn what_is_no_python_is_none() {
    let mut files = Files::new();
    files.write("/usr/bin/perl", "");
    files.write("/usr/bin/python-config", "");
    files.set("PATH", "/usr/bin");
    for program in ["perl", "python-config", "python3", "/usr/bin/perl", "/missing/python3", ""] {
        assert_eq!(Python::find(Path::new(program), &files.machine()), None, "{program}");
    }
    assert_eq!(Python::default_interpreter(&files.machine()), None);
}

#[test]
fn a_missing_package_is_answered_with_the_nearest() {
    let files = Files::new();
    environment(&files);
    files.write("/venv/lib/python3.12/site-packages/torch/__init__.py", "");
    let error = python(&files, "/venv/bin/python").find_package("troch").unwrap_err().to_string();
    assert!(error.ends_with("finds no package \"troch\" (did you mean torch?)"), "{error}");
    for name in ["", "../torch", "..", "."] {
        assert!(python(&files, "/venv/bin/python").find_package(name).is_err(), "{name}");
    }
}

/// The only framework of the virtual environment.
pub fn framework(files: &Files) -> Framework {
    let mut found = python(files, "/venv/bin/python").frameworks(&files.machine());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

pub fn code(files: &Files, framework: &Framework) -> Vec<String> {
    framework.code.iter().map(|path| files.shown(path)).collect()
}

pub const SITE: &str = "/venv/lib/python3.12/site-packages";

fn torch(files: &Files, version: &str) {
    environment(files);
    files.write(&format!("{SITE}/torch/version.py"), version);
    files.write(&format!("{SITE}/torch-2.7.1+rocm6.3.dist-info/METADATA"), "");
    files.write(&format!("{SITE}/torchvision-0.22.dist-info/METADATA"), "");
}

#[test]
fn a_wheel_of_pytorch_brings_its_own_runtime_and_kernels() {
    let files = Files::new();
    torch(
        &files,
        "__version__ = '2.7.1+rocm6.3'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.3.42131-fa1d09cbd'\n",
    );
    files.write(&format!("{SITE}/torch/lib/rocblas/library/TensileLibrary_lazy_gfx1030.dat"), "");
    files.elf(&format!("{SITE}/torch/lib/libamdhip64.so"), &[], &[]);
    files.elf(&format!("{SITE}/torch/lib/libtorch_hip.so"), &["libamdhip64.so"], &["-Wl,-rpath,$ORIGIN"]);
    let found = framework(&files);
    assert_eq!((found.name.as_str(), found.version.as_deref()), ("torch", Some("2.7.1+rocm6.3")));
    assert_eq!(found.backend, Backend::Rocm(Some("6.3".parse().unwrap())));
    assert_eq!(files.shown(&found.runtime.as_ref().unwrap().hip), format!("{SITE}/torch/lib/libamdhip64.so"));
    assert_eq!(
        code(&files, &found),
        [format!("{SITE}/torch/lib/libtorch_hip.so"), format!("{SITE}/torch/lib/rocblas/library")]
    );
}

#[test]
fn a_wheel_for_the_cpu_or_for_cuda_is_told_apart() {
    for (version, backend) in [
        ("cuda = None\nhip = None\n", "the CPU alone"),
        ("cuda: Optional[str] = '12.4'\nhip: Optional[str] = None\n", "CUDA 12.4"),
        ("cuda = None\nhip = None\nxpu: Optional[str] = '20250101'\n", "Intel's GPUs (20250101)"),
    ] {
        let files = Files::new();
        torch(&files, version);
        let found = framework(&files);
        assert_eq!((found.backend, found.runtime, found.code.len()), (Backend::Other(backend.into()), None, 0));
    }
}

#[test]
fn therocks_wheels_keep_the_runtime_and_the_kernels_in_packages_of_their_own() {
    let files = Files::new();
    torch(&files, "cuda = None\nhip = '7.1.25404'\nrocm = '7.10.0a20251006'\n");
    files.elf(&format!("{SITE}/torch/lib/libtorch_hip.so"), &["libamdhip64.so.7", "librocblas.so.5"], &[]);
    files.write(&format!("{SITE}/_rocm_sdk_core/lib/libamdhip64.so.7"), "");
    files.write(
        &format!("{SITE}/_rocm_sdk_libraries_gfx103X_dgpu/lib/rocblas/library/TensileLibrary_lazy_gfx1031.dat"),
        "",
    );
    let found = python(&files, "/venv/bin/python").frameworks(&files.machine()).remove(0);
    assert_eq!(found.backend, Backend::Rocm(Some("7.10.0".parse().unwrap())));
    assert_eq!(
        files.shown(&found.runtime.as_ref().unwrap().hip),
        format!("{SITE}/_rocm_sdk_core/lib/libamdhip64.so.7")
    );
    let kernels = format!("{SITE}/_rocm_sdk_libraries_gfx103X_dgpu/lib/rocblas/library");
    assert_eq!(code(&files, &found), [kernels, format!("{SITE}/torch/lib/libtorch_hip.so")]);
}

#[test]
fn debians_pytorch_uses_the_systems_libraries() {
    let files = Files::new();
    files.write("/usr/bin/python3.13", "");
    let torch = "/usr/lib/python3/dist-packages/torch";
    let system = "/usr/lib/x86_64-linux-gnu";
    files.write(&format!("{torch}/version.py"), "__version__ = '2.9.1'\ncuda = None\nhip = '6.4.43484'\n");
    files.elf(&format!("{torch}/_C.cpython-313-x86_64-linux-gnu.so"), &["libtorch_hip.so.2.9"], &[]);
    files.elf(&format!("{system}/libtorch_hip.so.2.9"), &["libamdhip64.so.6", "librocblas.so.4"], &[]);
    files.elf(&format!("{system}/libamdhip64.so.6"), &[], &[]);
    files.elf(&format!("{system}/librocblas.so.4"), &[], &[]);
    files.write(&format!("{system}/rocblas/4.4.1/library/TensileLibrary_lazy_gfx1010.dat"), "");
    let found = python(&files, "/usr/bin/python3.13").frameworks(&files.machine()).remove(0);
    assert_eq!(
        code(&files, &found),
        [format!("{system}/libtorch_hip.so.2.9"), format!("{system}/rocblas/4.4.1/library")]
    );
    assert_eq!(files.shown(&found.runtime.unwrap().hip), format!("{system}/libamdhip64.so.6"));
    assert_eq!(found.version.as_deref(), Some("2.9.1"));
}

#[test]
fn what_tensorflow_was_built_for_is_read_however_it_is_written() {
    for (text, backend) in [
        ("OrderedDict([('is_cuda_build', False), ('is_rocm_build', True)])", Backend::Rocm(None)),
        ("{\"is_rocm_build\": False, \"is_cuda_build\": True}", Backend::Other("CUDA".into())),
        ("dict(is_rocm_build=False, is_cuda_build=False)", Backend::Other("the CPU alone".into())),
    ] {
        let files = Files::new();
        environment(&files);
        files.write(&format!("{SITE}/tensorflow/python/platform/build_info.py"), text);
        assert_eq!(framework(&files).backend, backend, "{text}");
    }
}

#[test]
fn tensorflow_jax_and_onnxruntime_are_known_by_their_files() {
    let files = Files::new();
    environment(&files);
    files.write(
        &format!("{SITE}/tensorflow/python/platform/build_info.py"),
        "build_info = OrderedDict({'is_cuda_build': False, 'is_rocm_build': True})",
    );
    files.write(&format!("{SITE}/tensorflow_rocm-2.18.1.dist-info/METADATA"), "");
    files.write(&format!("{SITE}/jax_rocm7_plugin/__init__.py"), "");
    files.elf(&format!("{SITE}/jax_plugins/xla_rocm7/xla_rocm_plugin.so"), &["libamdhip64.so.7"], &[]);
    files.write(&format!("{SITE}/onnxruntime/__init__.py"), "");
    files.write(&format!("{SITE}/onnxruntime/capi/libonnxruntime_providers_cuda.so"), "");
    let found = python(&files, "/venv/bin/python").frameworks(&files.machine());
    let rows: Vec<_> =
        found.iter().map(|found| (found.name.as_str(), found.backend.clone(), found.version.as_deref())).collect();
    assert_eq!(
        rows,
        [
            ("tensorflow", Backend::Rocm(None), Some("2.18.1")),
            ("jax_rocm7_plugin", Backend::Rocm(None), None),
            ("onnxruntime", Backend::Other("CUDA".into()), None)
        ]
    );
    assert_eq!(code(&files, &found[1]), [format!("{SITE}/jax_plugins/xla_rocm7/xla_rocm_plugin.so")]);
}
