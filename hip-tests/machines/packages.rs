//! Where RMCP's packages are.

use anyhow::{Context, Result, ensure};
use rmcp_hip_tests::target_dir;
use std::fs;
use std::path::PathBuf;

/// What users get, by the ends of the names.
const KINDS: [&str; 3] = ["_amd64.deb", ".x86_64.rpm", "-x86_64-linux.tar.gz"];

/// The folder that `cargo xtask package` filled: `$RMCP_PACKAGES`, else `packages` in the target directory of the running
/// test.
///
/// # Errors
/// When one is missing there.
pub fn folder() -> Result<PathBuf> {
    let folder = match std::env::var_os("RMCP_PACKAGES") {
        Some(folder) => std::path::absolute(folder)?,
        None => target_dir()?.join("packages"),
    };
    let advice = || format!("run `cargo xtask package` first, which fills {}", folder.display());
    let entries = fs::read_dir(&folder).with_context(advice)?;
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    for kind in KINDS {
        let found = names.iter().filter(|name| name.starts_with("rmcp") && name.ends_with(kind)).count();
        ensure!(found == 1, "{found} files end in {kind}; {}", advice());
    }
    Ok(folder)
}
