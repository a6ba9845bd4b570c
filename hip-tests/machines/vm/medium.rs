//! What a test brings to a virtual machine: a disk to read.

use crate::packages;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes the disk in a folder: RMCP's Debian package, and libraries made of C by their names.
///
/// # Errors
/// Without the package, a C compiler or mke2fs.
pub(super) fn make(folder: &Path, libraries: &[(&str, &str)]) -> Result<PathBuf> {
    let files = folder.join("medium");
    fs::create_dir(&files).with_context(|| format!("create {}", files.display()))?;
    for entry in fs::read_dir(packages::folder()?)?.flatten() {
        if entry.path().extension().is_some_and(|end| end == "deb") {
            fs::copy(entry.path(), files.join(entry.file_name())).context("copy the package")?;
        }
    }
    for (name, code) in libraries {
        let source = folder.join("source.c");
        fs::write(&source, code).context("write a library's source")?;
        run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(files.join(name)).arg(&source))?;
    }
    let image = folder.join("medium.img");
    run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([&files, &image]).arg("64M"))?;
    Ok(image)
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_os_string();
    let output = command.output().with_context(|| format!("run {}", program.display()))?;
    ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
