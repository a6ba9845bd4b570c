//! Programs and libraries compiled by this machine's C++ compiler against a stack's real headers.

use crate::build::target_dir;
use anyhow::{Context, Result};
use rmcp_stacks::Stack;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

/// The folder of the clients' sources.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Where what is made for a stack is kept between runs.
pub(crate) fn client_dir(stack: &Stack) -> Result<PathBuf> {
    let path = target_dir()?.join("hip-clients").join(stack.release().version());
    fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    Ok(path)
}

/// Tests run in parallel and want the same client.
pub(crate) fn compile_lock() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner())
}

/// Whether `output` is younger than its source, the clients' headers and the stack.
pub(crate) fn is_fresh(output: &Path, source: &Path, stack: &Stack) -> Result<bool> {
    let folder = sources().read_dir().with_context(|| format!("list {}", sources().display()))?;
    let headers = folder.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "h"));
    let mut inputs = headers.chain([source.to_owned(), stack.prefix().to_owned()]);
    let built = fs::metadata(output).and_then(|file| file.modified());
    Ok(built.is_ok_and(|built| {
        inputs.all(|input| fs::metadata(input).and_then(|input| input.modified()).is_ok_and(|time| time < built))
    }))
}

/// Compiles `clients/<source>` for `stack` with more arguments for the linker, unless that was done before.
pub(crate) fn compile(stack: &Stack, source: &str, output: &Path, linker: &[&str]) -> Result<()> {
    let _guard = compile_lock();
    let source = sources().join(source);
    if is_fresh(output, &source, stack)? {
        return Ok(());
    }
    let partial = output.with_extension("partial");
    let mut command = compiler(stack);
    command.arg("-O1").arg(&source).arg("-o").arg(&partial);
    // No libstdc++: a new host's would not do on an old stack. The runtime finds its own libraries at run time.
    command.args(["-nodefaultlibs", "-Wl,--as-needed,--allow-shlib-undefined"]);
    command.args(stack.library_dirs().iter().flat_map(|dir| ["-L".as_ref(), dir.as_os_str()]));
    command.args(linker).args(["-lamdhip64", "-lhsa-runtime64", "-lc"]);
    run_compiler(&mut command, &source)?;
    fs::rename(&partial, output).with_context(|| format!("rename {}", partial.display()))
}

/// `clients/<source>` as a program that is named after it.
pub(crate) fn program(stack: &Stack, source: &str, linker: &[&str]) -> Result<PathBuf> {
    let program = client_dir(stack)?.join(source.trim_end_matches(".cpp"));
    compile(stack, source, &program, linker)?;
    Ok(program)
}

/// `clients/<name>.cpp` as a program with its own ROCm: it names the stack's loader and the stack's libraries.
///
/// # Errors
/// Without a compiler.
pub fn self_contained(stack: &Stack, name: &str) -> Result<PathBuf> {
    let program = client_dir(stack)?.join(format!("{name}-own"));
    let folders: Vec<String> = stack.library_dirs().iter().map(|folder| folder.display().to_string()).collect();
    let loader = format!("-Wl,--dynamic-linker,{}", stack.loader()?.display());
    // An RPATH, which holds for the libraries of libraries too.
    let path = format!("-Wl,--disable-new-dtags,-rpath,{}", folders.join(":"));
    // The runtime and LLVM have a RUNPATH, by which they do not find these.
    let others = ["libamd_comgr", "libxml2"].into_iter().filter_map(|library| stack.find_library(library).ok());
    let others: Vec<String> = others.map(|library| library.display().to_string()).collect();
    let mut linker = vec![loader.as_str(), &path, "-Wl,--no-as-needed"];
    linker.extend(others.iter().map(String::as_str).chain(["-Wl,--as-needed"]));
    compile(stack, &format!("{name}.cpp"), &program, &linker)?;
    Ok(program)
}

/// Compiles `clients/<source>` for its static assertions alone, with these macros.
///
/// # Errors
/// Without a compiler.
///
/// # Panics
/// With the compiler's messages, when an assertion does not hold.
pub fn compile_only(stack: &Stack, source: &str, macros: &[(String, String)]) -> Result<()> {
    let source = sources().join(source);
    let mut command = compiler(stack);
    command.arg("-fsyntax-only").args(macros.iter().map(|(name, value)| format!("-D{name}={value}")));
    run_compiler(command.arg(&source), &source)
}

fn compiler(stack: &Stack) -> Command {
    let mut command = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    command.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-deprecated-declarations"]);
    command.arg("-D__HIP_PLATFORM_AMD__");
    command.args(stack.include_dirs().iter().flat_map(|dir| ["-isystem".as_ref(), dir.as_os_str()]));
    command
}

/// No compiler is a missing prerequisite; a program that it refuses is a failed test.
fn run_compiler(command: &mut Command, source: &Path) -> Result<()> {
    let output = command.output().context("run the C++ compiler (install g++ or set CXX)")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} does not compile:\n{messages}", source.display());
    Ok(())
}
