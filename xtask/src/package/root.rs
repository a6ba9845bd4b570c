//! The files of a package as they will be on a machine.

use super::texts;
use crate::run::{program, root as repository};
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A folder that stands for the / of a machine which has nothing but the package.
pub struct Root {
    folder: PathBuf,
}

impl Root {
    /// One with all that is in `dist`, below `prefix`.
    pub fn new(folder: PathBuf, dist: &Path, prefix: &Path) -> Result<Self> {
        let root = Self { folder };
        for file in files_below(dist)? {
            root.add(&dist.join(&file), &prefix.join(&file))?;
        }
        Ok(root)
    }

    /// One with `dist` as its /usr and the machine's options, as the distributions want it.
    pub fn of_distribution(folder: PathBuf, dist: &Path) -> Result<Self> {
        let root = Self::new(folder, dist, Path::new("usr"))?;
        root.add(&repository().join("config/rmcp.toml"), Path::new("etc/rmcp.toml"))?;
        root.compress_man_pages()?;
        Ok(root)
    }

    /// A file that the packaging brings.
    pub fn text(&self, name: &str, to: &str) -> Result<()> {
        self.add(&texts().join(name), Path::new(to))
    }

    /// A file of this content.
    pub fn write(&self, to: &str, content: &[u8]) -> Result<()> {
        let file = self.place(Path::new(to))?;
        fs::write(&file, content)
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// A link.
    pub fn link(&self, to: &str, target: &str) -> Result<()> {
        let link = self.place(Path::new(to))?;
        symlink(target, &link).with_context(|| format!("cannot make {}", link.display()))
    }

    /// Gives a file or a folder another name.
    pub fn rename(&self, file: &str, to: &str) -> Result<()> {
        fs::rename(self.folder.join(file), self.folder.join(to)).with_context(|| format!("{file} is not in the build"))
    }

    fn compress_man_pages(&self) -> Result<()> {
        for page in files_below(&self.folder.join("usr/share/man"))? {
            let page = Path::new("usr/share/man").join(page);
            let path = self.path(&page);
            self.write(&format!("{}.gz", page.display()), &compressed(&fs::read(&path)?)?)?;
            fs::remove_file(&path)?;
        }
        Ok(())
    }

    /// The paths of its files and links, without the / before them, in order.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        files_below(&self.folder)
    }

    /// Where one of them is now.
    pub fn path(&self, file: &Path) -> PathBuf {
        self.folder.join(file)
    }

    /// The permissions of one of them, as text.
    pub fn mode(&self, file: &Path) -> Result<String> {
        Ok(format!("{:o}", fs::symlink_metadata(self.path(file))?.permissions().mode() & 0o7777))
    }

    fn place(&self, to: &Path) -> Result<PathBuf> {
        let file = self.folder.join(to);
        let folder = file.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(file)
    }

    /// Copies a file; programs and libraries without their symbols, and libraries not executable.
    fn add(&self, from: &Path, to: &Path) -> Result<()> {
        let file = self.place(to)?;
        fs::copy(from, &file).with_context(|| format!("cannot copy {} to {}", from.display(), file.display()))?;
        if fs::read(from)?.starts_with(b"\x7fELF") {
            program("strip").args(["--strip-unneeded", "--remove-section=.comment"]).arg(&file).run()?;
        }
        let library = to.extension().is_some_and(|name| name == "so");
        let executable = fs::metadata(from)?.permissions().mode() & 0o111 != 0;
        let mode = if executable && !library { 0o755 } else { 0o644 };
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(mode))?)
    }
}

/// As gzip does, without the time and the name of the file.
pub fn compressed(content: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content)?;
    Ok(gzip.finish()?)
}

/// The files and links below a folder, by their paths from there, in order.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        for entry in fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))? {
            let entry = entry?;
            let file = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(file) } else { files.push(file) }
        }
    }
    ensure!(!files.is_empty(), "{} is empty: `cargo xtask build` fills it", folder.display());
    files.sort();
    Ok(files)
}
