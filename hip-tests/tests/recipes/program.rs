//! Programs that hold code for chosen gfx targets: a wheel of PyTorch, or a program of their own.

use anyhow::{Context, Result};
use rmcp_hip_tests::{Compiler, require};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program to run.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// One without any GPU code.
    Plain,
    /// A Python whose environment has a wheel of PyTorch.
    Torch {
        /// PyTorch's version.
        version: &'static str,
        /// What torch.version.hip says; None: built without ROCm.
        hip: Option<&'static str>,
        /// The targets of libtorch_hip.so.
        code: &'static [&'static str],
        /// The targets of rocBLAS's kernels.
        kernels: &'static [&'static str],
    },
    /// A Python whose environment has these files below its folder of packages, and these packages with their versions.
    Python {
        /// Paths and contents.
        files: &'static [(&'static str, &'static [u8])],
        /// Names as in `.dist-info`, and versions.
        packages: &'static [(&'static str, &'static str)],
    },
    /// The same with bundles of code objects for these targets in place of files; a name without targets is an empty file.
    PythonCode {
        /// Paths and targets.
        files: &'static [(&'static str, &'static [&'static str])],
        /// As above.
        packages: &'static [(&'static str, &'static str)],
    },
    /// A Python whose environment has CuPy, beside an installed ROCm 7.0.
    Cupy {
        /// The targets of CuPy's own file.
        code: &'static [&'static str],
        /// The targets of rocBLAS's kernels.
        kernels: &'static [&'static str],
    },
    /// A program that is linked to the HIP runtime of that release, which lies in its own tree.
    Native {
        /// As in libamdhip64.so.6.4.43484.
        release: &'static str,
        /// The targets of the program.
        code: &'static [&'static str],
    },
}

impl Program {
    /// Builds it below a folder; its executable, which prints its environment. None without the compiler.
    pub fn build(self, root: &Path) -> Option<PathBuf> {
        match self {
            Self::Plain => Some("/usr/bin/env".into()),
            Self::Torch { version, hip, code, kernels } => {
                require("hipcc from Debian", torch(root, version, hip, code, kernels))
            }
            Self::Python { files, packages } => Some(python(root, files, packages).expect("a folder of this test")),
            Self::PythonCode { files, packages } => {
                let files: Vec<_> = files.iter().map(|(path, targets)| (*path, bundle(targets))).collect();
                let files: Vec<_> = files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
                Some(python(root, &files, packages).expect("a folder of this test"))
            }
            Self::Cupy { code, kernels } => require("hipcc from Debian", cupy(root, code, kernels)),
            Self::Native { release, code } => require("hipcc from Debian", native(root, release, code)),
        }
    }
}

/// A bundle as clang writes it, with a code object of some bytes for each target.
fn bundle(targets: &[&str]) -> Vec<u8> {
    const SIZE: u64 = 64;
    let mut bytes = b"__CLANG_OFFLOAD_BUNDLE__".to_vec();
    bytes.extend((targets.len() as u64).to_le_bytes());
    for (number, target) in targets.iter().enumerate() {
        let name = format!("hipv4-amdgcn-amd-amdhsa--{target}");
        for word in [4096 + number as u64 * SIZE, SIZE, name.len() as u64] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(name.as_bytes());
    }
    bytes.resize(4096 + targets.len() * SIZE as usize, 0xc0);
    if targets.is_empty() { Vec::new() } else { bytes }
}

fn python(root: &Path, files: &[(&str, &[u8])], packages: &[(&str, &str)]) -> Result<PathBuf> {
    let site = root.join("venv/lib/python3.11/site-packages");
    fs::create_dir_all(root.join("venv/bin"))?;
    fs::write(root.join("venv/pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")?;
    for (name, version) in packages {
        fs::create_dir_all(site.join(format!("{name}-{version}.dist-info")))?;
    }
    for (path, content) in files {
        let file = site.join(path);
        fs::create_dir_all(file.parent().unwrap_or(&site))?;
        fs::write(file, content)?;
    }
    let python = root.join("venv/bin/python");
    symlink("/usr/bin/env", &python)?;
    Ok(python)
}

/// An environment as `python -m venv` makes it, with `torch` laid out as its wheels are. Its Python prints its environment.
fn torch(root: &Path, version: &str, hip: Option<&str>, code: &[&str], kernels: &[&str]) -> Result<PathBuf> {
    let site = root.join("venv/lib/python3.11/site-packages");
    let library = site.join("torch/lib");
    let folders =
        [root.join("venv/bin"), site.join(format!("torch-{version}.dist-info")), library.join("rocblas/library")];
    folders.iter().try_for_each(fs::create_dir_all)?;
    fs::write(root.join("venv/pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")?;
    fs::write(site.join("torch/__init__.py"), "")?;
    let said = hip.map_or("None".into(), |hip| format!("{hip:?}"));
    fs::write(site.join("torch/version.py"), format!("__version__ = '{version}'\nhip: Optional[str] = {said}\n"))?;
    let python = root.join("venv/bin/python");
    symlink("/usr/bin/env", &python)?;
    let Some(hip) = hip else { return Ok(python) };

    runtime(&library, hip.split('-').next().unwrap_or(hip))?;
    let object = Compiler::fetch()?.object("targets.cpp", code, &FLAGS)?;
    let runtime = library.join(soname(hip));
    link(&library.join("libtorch_hip.so"), &[&object, &runtime], &["-shared", "-Wl,-rpath,$ORIGIN"])?;
    for target in kernels {
        fs::write(library.join(format!("rocblas/library/TensileLibrary_lazy_{target}.dat")), "")?;
    }
    Ok(python)
}

fn cupy(root: &Path, code: &[&str], kernels: &[&str]) -> Result<PathBuf> {
    let python = python(root, &[("cupy/__init__.py", b"")], &[("cupy_rocm_7_0", "14.2.0")])?;
    let site = root.join("venv/lib/python3.11/site-packages");
    let (own, covers) = (site.join("cupy/cuda"), site.join("cupy_backends/cuda/libs"));
    let rocm = root.join("rocm/lib");
    [&own, &covers, &rocm.join("rocblas/library")].into_iter().try_for_each(fs::create_dir_all)?;
    runtime(&rocm, "7.0.51831")?;
    let (hip, blas) = (rocm.join("libamdhip64.so.7"), rocm.join("librocblas.so.5"));
    let runpath = format!("-Wl,--no-as-needed,-rpath,{}", rocm.display());
    link(&blas, &[&hip], &["-shared", "-Wl,-soname,librocblas.so.5", &runpath])?;
    let object = Compiler::fetch()?.object("targets.cpp", code, &FLAGS)?;
    link(&own.join("thrust.cpython-311-x86_64-linux-gnu.so"), &[&object, &hip], &["-shared", &runpath])?;
    link(&covers.join("cublas.cpython-311-x86_64-linux-gnu.so"), &[&hip, &blas], &["-shared", &runpath])?;
    for target in kernels {
        fs::write(rocm.join(format!("rocblas/library/TensileLibrary_lazy_{target}.dat")), "")?;
    }
    Ok(python)
}

fn native(root: &Path, release: &str, code: &[&str]) -> Result<PathBuf> {
    let (bin, library) = (root.join("bin"), root.join("lib"));
    [&bin, &library].into_iter().try_for_each(fs::create_dir_all)?;
    runtime(&library, release)?;
    let object = Compiler::fetch()?.object("targets.cpp", code, &FLAGS)?;
    let program = bin.join("program");
    link(&program, &[&object, &library.join(soname(release))], &["-Wl,-rpath,$ORIGIN/../lib"])?;
    Ok(program)
}

/// Position-independent, so that the same object serves libraries and programs.
const FLAGS: [&str; 4] = ["-fPIC", "-O1", "-nogpuinc", "-nogpulib"];

/// A HIP runtime in name, with the functions that compiled code calls when it is loaded.
fn runtime(folder: &Path, release: &str) -> Result<()> {
    let source = folder.join("runtime.cpp");
    let functions = [
        "__hipRegisterFatBinary",
        "__hipUnregisterFatBinary",
        "__hipRegisterFunction",
        "__hipPushCallConfiguration",
        "__hipPopCallConfiguration",
        "hipLaunchKernel",
    ];
    fs::write(&source, functions.map(|name| format!("extern \"C\" void *{name}() {{ return nullptr; }}\n")).concat())?;
    let file = folder.join(format!("libamdhip64.so.{release}"));
    link(&file, &[&source], &["-shared", "-fPIC", &format!("-Wl,-soname,{}", soname(release))])?;
    let link = folder.join(soname(release));
    if link != file {
        symlink(&file, &link)?;
    }
    Ok(())
}

fn soname(release: &str) -> String {
    format!("libamdhip64.so.{}", release.split('.').next().unwrap_or(release))
}

fn link(to: &Path, inputs: &[&Path], options: &[&str]) -> Result<()> {
    let output = Command::new("c++").args(options).arg("-o").arg(to).args(inputs).output().context("run c++")?;
    assert!(output.status.success(), "c++ refuses {}:\n{}", to.display(), String::from_utf8_lossy(&output.stderr));
    Ok(())
}
