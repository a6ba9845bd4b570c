//! The .rpm, by cargo-generate-rpm.

use super::root::Root;
use super::{VERSION, manifest, texts, time};
use crate::run::program;
use crate::tools::CARGO_GENERATE_RPM;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Makes it in the folder `packages`.
pub fn make(dist: &Path, scratch: &Path, packages: &Path) -> Result<()> {
    let root = Root::of_distribution(scratch.join("root"), dist)?;
    // The loader finds a name without a folder by it: LD_PRELOAD=librmcp.so. cargo-generate-rpm knows no links.
    root.write("etc/ld.so.conf.d/rmcp.conf", b"/usr/lib/rmcp\n")?;

    let files = root.files()?;
    let assets = files.iter().map(|file| asset(&root, file)).collect::<Result<Vec<_>>>()?;
    let manifest = manifest(scratch, "generate-rpm", assets)?;
    program("cp").arg("--recursive").arg(texts().join("rpm")).arg(scratch).run()?;
    remove_folders(&scratch.join("rpm/postun.sh"), &files)?;
    program(CARGO_GENERATE_RPM.program()?)
        .args(["generate-rpm", "--arch", "x86_64", "--package"])
        .arg(manifest.parent().unwrap_or(scratch))
        .args(["--source-date", &time()?, "--output"])
        .arg(packages.join(format!("rmcp-{VERSION}-1.x86_64.rpm")))
        .run()
}

fn asset(root: &Root, file: &Path) -> Result<Value> {
    let source = root.path(file);
    let mut asset = Table::new();
    asset.insert("source".into(), source.to_str().context("the target folder has a name in UTF-8")?.into());
    asset.insert("dest".into(), format!("/{}", file.display()).into());
    asset.insert("mode".into(), root.mode(file)?.into());
    if file == Path::new("etc/rmcp.toml") {
        asset.insert("config".into(), "noreplace".into());
    }
    if file.starts_with("usr/share/doc") || file.starts_with("usr/share/man") {
        asset.insert("doc".into(), true.into());
    }
    Ok(asset.into())
}

/// Adds to a script what removes the folders that no other package need have, deepest first and where they are empty:
/// cargo-generate-rpm packs none, so rpm leaves them.
fn remove_folders(script: &Path, files: &[PathBuf]) -> Result<()> {
    let own = |folder: &&Path| {
        let shells = ["usr/share/fish", "usr/share/zsh"];
        folder.ends_with("rmcp") || shells.iter().any(|shell| folder.starts_with(shell))
    };
    let folders: BTreeSet<_> = files.iter().flat_map(|file| file.ancestors().skip(1)).filter(own).collect();
    let folders: Vec<_> = folders.into_iter().rev().map(|folder| format!("/{}", folder.display())).collect();
    let folders = folders.join(" ");
    let text = fs::read_to_string(script)?;
    Ok(fs::write(script, format!("{text}if [ \"$1\" = 0 ]; then\n    rmdir {folders} 2>/dev/null || :\nfi\n"))?)
}
