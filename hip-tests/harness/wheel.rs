//! A Python package as a wheel installs it: an extension beside the HIP runtime that it bundles.

use crate::native::{client_dir, compile, sources};
use anyhow::{Context, Result};
use rmcp_stacks::Stack;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// What lets an extension of the wheel find the bundled runtime. Wheels are built with RPATH: it goes before the library
/// path, and covers what the runtime itself needs.
pub(crate) const RPATH: &str = "-Wl,-rpath,$ORIGIN/lib,--disable-new-dtags";

/// The command that runs `wheel/client.py`.
pub(crate) fn command(stack: &Stack) -> Result<Command> {
    let site = client_dir(stack)?.join("site");
    install(stack, &site)?;
    let mut command = python(stack, "wheel/client.py")?;
    command.arg(site);
    Ok(command)
}

/// A command that runs `clients/<script>` by the suite's own Python. The host's Python would need a libc as old as the
/// stack's.
pub(crate) fn python(stack: &Stack, script: &str) -> Result<Command> {
    let stack = stack.clone().with_packages(&["python3"])?;
    let python = stack.find_program("python3".as_ref())?;
    let home = python.ancestors().nth(2).context("Python outside a prefix")?;
    let mut command = stack.command(&python)?;
    command.arg(sources().join(script));
    command.env("PYTHONHOME", home).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Lays the wheel out in `site`: `pkg/__init__.py`, `pkg/_C.so` with RPATH `$ORIGIN/lib`, and copies of the runtime in `pkg/lib`.
pub(crate) fn install(stack: &Stack, site: &Path) -> Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|broken| broken.into_inner());

    let package = site.join("pkg");
    fs::create_dir_all(package.join("lib")).with_context(|| format!("create {}", package.display()))?;
    for name in ["libamdhip64", "libhsa-runtime64"] {
        let library = stack.find_library(name)?;
        let copy = package.join("lib").join(soname(&library)?);
        let size = |path: &Path| fs::metadata(path).map(|file| file.len()).ok();
        if size(&copy) != size(&library) {
            fs::copy(&library, &copy).with_context(|| format!("copy {}", library.display()))?;
        }
    }
    let module = sources().join("wheel/pkg/__init__.py");
    fs::copy(&module, package.join("__init__.py")).with_context(|| format!("copy {}", module.display()))?;
    compile(stack, "wheel/extension.cpp", &package.join("_C.so"), &["-shared", "-fPIC", RPATH])
}

/// `libamdhip64.so.6.4.43484` is loaded as `libamdhip64.so.6`.
pub(crate) fn soname(library: &Path) -> Result<String> {
    let file = library.file_name().and_then(|name| name.to_str()).context("a library without a name")?;
    let (name, version) = file.split_once(".so.").context("a library without a version")?;
    let major = version.split('.').next().unwrap_or(version);
    Ok(format!("{name}.so.{major}"))
}
