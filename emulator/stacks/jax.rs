//! JAX from PyPI on Debian's ROCm 6.4.3.

use crate::python::{Python, Wheel};
use crate::release::Release;
use crate::stack::{Stack, cache_dir};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// JAX with the libraries and tools that XLA loads.
#[derive(Clone, Debug)]
pub struct Jax {
    stack: Stack,
    python: Python,
    /// Folders of modules.
    packages: Vec<PathBuf>,
}

const WHEELS: [Wheel; 7] = [
    wheel("jax", "0.5.0", "b3907aa87ae2c340b39cdbf80c07a74550369cafcaf7398fb60ba58d167345ab"),
    wheel("jaxlib", "0.5.0", "09113ef1582ba34d7cbc440fedb318f4855b59b776711a8aba2473c9727d3025"),
    wheel("jax-rocm60-plugin", "0.5.0", "05414df017d473b77cae3b04e69d199cbdaa2ddb7cff0801edbae84f37a74308"),
    wheel("jax-rocm60-pjrt", "0.5.0", "e8097aa9dde2b759604e7b3f163e50dc83380968002e32fc770a8f91126d1b55"),
    wheel("numpy", "2.1.3", "bc6f24b3d1ecc1eebfbf5d6051faa49af40b03be1aaa781ebdadcbc090b4539b"),
    wheel("ml_dtypes", "0.5.1", "c09526488c3a9e8b7a23a388d4974b670a9a3dd40c5c8a61db5593ce9b725bab"),
    wheel("opt_einsum", "3.4.0", "69bb92469f86a1565195ece4ac0323943e83477171b91d24c35afe028a90d7cd"),
];

const fn wheel(name: &'static str, version: &'static str, sha256: &'static str) -> Wheel {
    Wheel { name, version, python: "3.11", sha256 }
}

/// What XLA is linked with or loads at its start and Debian does not have in that form; a stand-in is found under each.
const STAND_INS: [&str; 9] = [
    "libMIOpen.so.1",
    "libamd_comgr.so.2",
    "libhipblaslt.so.0",
    "libhipfft.so.0",
    "libhipsolver.so.0",
    "librccl.so.1",
    "librocm_smi64.so.7",
    "librocprofiler-register.so.0",
    "librocsolver.so.0",
];

impl Jax {
    /// The version of JAX.
    pub const VERSION: &str = "0.5.0";

    /// Downloaded unless the cache has it: wheels are checked by their hashes, and what was fetched before an interruption
    /// is not fetched again. Of rocBLAS there are the files for gfx1030 alone. `stand_in` is a library with the functions
    /// that XLA wants of RCCL, hipBLASLt and MIOpen.
    ///
    /// # Errors
    /// As [`Stack::fetch`] and [`Wheel::fetch`].
    pub fn fetch(stand_in: &Path) -> Result<Jax> {
        let stack = Stack::fetch(Release::Rocm643)?;
        let mut llvms = stack.packages().iter().filter_map(|package| package.name.strip_prefix("libllvm"));
        let llvm = llvms.next().context("the ROCm 6.4.3 stack has no LLVM")?.to_owned();
        let (lld, bitcode) = (format!("lld-{llvm}"), format!("rocm-device-libs-{llvm}"));
        let stack = stack.with_packages_for(&["libhipblas2", &lld, &bitcode], &["gfx1030"])?;
        let python = Python::fetch()?;
        let mut packages = WHEELS.iter().map(Wheel::fetch).collect::<Result<Vec<_>>>()?;
        packages.push(rocm_package(&stack, &llvm, stand_in)?);
        Ok(Jax { stack, python, packages })
    }

    /// A command that runs Python with JAX.
    ///
    /// # Errors
    /// As [`Python::command`].
    pub fn command(&self) -> Result<Command> {
        let rocm = self.packages.last().context("the package of ROCm")?;
        let mut command = self.python.command(&self.stack, &[rocm.join("rocm/lib")], &self.packages)?;
        // Autotuning runs each kernel many times: for minutes on an emulated card.
        command.env("XLA_FLAGS", "--xla_gpu_autotune_level=0").env("JAX_PLATFORMS", "rocm,cpu");
        Ok(command)
    }
}

/// The Python package `rocm`, in whose `lib` JAX's plugin looks for the linker and the bitcode.
fn rocm_package(stack: &Stack, llvm: &str, stand_in: &Path) -> Result<PathBuf> {
    let root = cache_dir()?.join("jax-rocm");
    let lib = root.join("rocm/lib");
    let tools = lib.join("llvm/bin");
    fs::create_dir_all(&tools).with_context(|| format!("create {}", tools.display()))?;
    let lock = File::create(root.join("lock")).context("create a lock")?;
    lock.lock().context("lock the cache")?;
    let new = root.join("new");
    // In one step: another process may be loading it. One that was ended in between has left `new`.
    let replace = |path: &Path, write: &dyn Fn() -> io::Result<()>| -> Result<()> {
        let _ = fs::remove_file(&new);
        write().and_then(|()| fs::rename(&new, path)).with_context(|| format!("create {}", path.display()))
    };
    let link = |path: PathBuf, to: &Path| -> Result<()> {
        if fs::read_link(&path).is_ok_and(|old| old == to) {
            return Ok(());
        }
        replace(&path, &|| symlink(to, &new))
    };
    for name in STAND_INS {
        link(lib.join(name), stand_in)?;
    }
    let folder = format!("usr/lib/llvm-{llvm}");
    let bitcode = stack.file(&format!("{folder}/lib/clang/{llvm}/amdgcn/bitcode"))?;
    for file in bitcode.read_dir().with_context(|| format!("list {}", bitcode.display()))? {
        let file = file?.path();
        link(tools.join(file.file_name().context("a file without a name")?), &file)?;
    }
    // XLA starts it with the machine's libraries.
    let linker = stack.command(stack.file(&format!("{folder}/bin/lld"))?)?;
    let arguments: Vec<_> = linker.get_args().map(OsStr::to_string_lossy).collect();
    let line = arguments.iter().map(|argument| format!(" '{argument}'")).collect::<String>();
    let loader = linker.get_program().to_string_lossy();
    let text = format!("#!/bin/sh\nexec '{loader}' --argv0 ld.lld{line} \"$@\"\n");
    let path = tools.join("ld.lld");
    if !fs::read_to_string(&path).is_ok_and(|old| old == text) {
        replace(&path, &|| {
            fs::write(&new, &text)?;
            fs::set_permissions(&new, Permissions::from_mode(0o755))
        })?;
    }
    Ok(root)
}
