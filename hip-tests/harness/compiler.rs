//! Debian's hipcc: HIP programs compiled ahead of time, for several cards at once.

use crate::native::{client_dir, compile_lock, is_fresh, sources};
use anyhow::{Context, Result, ensure};
use rmcp_stacks::{Release, Stack};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// hipcc, clang and the device libraries that Debian has beside ROCm 6.4.3.
#[derive(Clone, Debug)]
pub struct Compiler {
    stack: Stack,
    /// LLVM's major version, which names clang's folders.
    llvm: String,
}

/// What hipcc starts.
const TOOLS: [&str; 4] = ["clang", "clang++", "clang-offload-bundler", "lld"];

impl Compiler {
    /// Flags that compile for wave64. HIP's headers refuse it on RDNA by a macro that here becomes a name; the program
    /// declares it before it includes them: `constexpr int wave64 = 64;`.
    pub const WAVE64: [&str; 5] = [
        "-mwavefrontsize64",
        "-Xarch_device",
        "-U__AMDGCN_WAVEFRONT_SIZE",
        "-Xarch_device",
        "-D__AMDGCN_WAVEFRONT_SIZE=wave64",
    ];

    /// The compiler, downloaded (25 MB) unless the cache has it.
    ///
    /// # Errors
    /// As [`Stack::fetch`].
    pub fn fetch() -> Result<Compiler> {
        let stack = Stack::fetch(Release::Rocm643)?;
        let mut llvms = stack.packages().iter().filter_map(|package| package.name.strip_prefix("libllvm"));
        let llvm = llvms.next().context("the ROCm 6.4.3 stack has no LLVM")?.to_owned();
        let packages = [
            "hipcc",
            &format!("clang-{llvm}"),
            &format!("clang-tools-{llvm}"),
            &format!("libclang-cpp{llvm}"),
            &format!("lld-{llvm}"),
            &format!("rocm-device-libs-{llvm}"),
        ];
        Ok(Compiler { stack: stack.with_only(&packages)?, llvm })
    }

    /// `source`, a path from `clients/`, as an object file with a fat binary for `targets`, such as gfx1010 and gfx1030.
    ///
    /// # Errors
    /// When hipcc cannot be run.
    ///
    /// # Panics
    /// With hipcc's messages, when it refuses the source.
    pub fn object(&self, source: &str, targets: &[&str], flags: &[&str]) -> Result<PathBuf> {
        self.compile(source, targets, flags, "-c", "o")
    }

    /// The kernels of `source` alone, as the bundle that hipModuleLoad takes.
    ///
    /// # Errors
    /// As [`Compiler::object`].
    ///
    /// # Panics
    /// As [`Compiler::object`].
    pub fn bundle(&self, source: &str, targets: &[&str], flags: &[&str]) -> Result<PathBuf> {
        self.compile(source, targets, flags, "--genco", "hsaco")
    }

    /// Compiles unless that was done before.
    fn compile(&self, source: &str, targets: &[&str], flags: &[&str], kind: &str, extension: &str) -> Result<PathBuf> {
        let _guard = compile_lock();
        let folder = client_dir(&self.stack)?.join("compiled");
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let stem = Path::new(source).with_extension("");
        let name = format!("{}-{}{}.{extension}", stem.display(), targets.join(","), flags.concat());
        // A feature of a target is off by - and on by +.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".+".contains(letter);
        let output = folder.join(name.replace(|letter| !plain(letter), "-"));
        let source = sources().join(source);
        if is_fresh(&output, &source, &self.stack)? {
            return Ok(output);
        }
        let partial = output.with_extension("partial");
        let mut command = self.hipcc()?;
        command.args(targets.iter().map(|target| format!("--offload-arch={target}")));
        command.args(flags).arg(kind).arg(&source).arg("-o").arg(&partial);
        let compiled = command.output().context("run hipcc")?;
        let messages = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "hipcc refuses {}:\n{messages}", source.display());
        ensure!(partial.is_file(), "hipcc made no {}:\n{messages}", partial.display());
        fs::rename(&partial, &output).with_context(|| format!("rename {}", partial.display()))?;
        Ok(output)
    }

    /// hipcc with what it is to compile missing. The C and C++ headers are this machine's.
    fn hipcc(&self) -> Result<Command> {
        let llvm = format!("usr/lib/llvm-{}", self.llvm);
        let resources = format!("{llvm}/lib/clang/{}", self.llvm);
        let hip = self.stack.prefix().join("usr");
        let clang = self.stack.file(&format!("{llvm}/bin/clang"))?;
        let links = client_dir(&self.stack)?.join("bin");
        let mut command =
            self.stack.command_with_tools("hipcc", clang.parent().context("clang has no folder")?, &TOOLS, &links)?;
        command.env_remove("HIPCC_COMPILE_FLAGS_APPEND").env("HIP_CLANG_PATH", &links).env("HIP_PATH", &hip);
        // The links are what clang is to start, not what they lead to.
        command.arg("-no-canonical-prefixes").arg(option("--hip-path=", &hip));
        let headers = self.stack.file(&format!("{resources}/include"))?;
        command.arg("-resource-dir").arg(headers.parent().context("the headers have no folder")?);
        command.arg(option("--rocm-device-lib-path=", &self.stack.file(&format!("{resources}/amdgcn/bitcode"))?));
        Ok(command)
    }
}

fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(name);
    option.push(path);
    option
}
