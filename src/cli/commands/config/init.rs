//! `rmcp config init`.

use crate::output::{OutputArguments, Report};
use anyhow::{Context, Result, bail};
use rmcp_domain::options::{self, SYSTEM_FILE};
use schemars::JsonSchema;
use serde::Serialize;
use std::env;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Writes a file with every option at its default, commented out.
///
/// Without a path: ~/.config/rmcp/config.toml.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to.
    #[arg(conflicts_with = "system")]
    path: Option<PathBuf>,

    /// The machine's file, /etc/rmcp.toml.
    #[arg(long)]
    system: bool,

    /// Replaces a file that is there, and keeps it beside the new one.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    output: OutputArguments,
}

/// What was written.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Written")]
pub struct InitReport {
    /// The new file.
    path: String,
    /// What was there before; null where nothing was.
    backup: Option<String>,
}

impl Arguments {
    /// The subcommand.
    pub fn run(&self) -> Result<()> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None if self.system => SYSTEM_FILE.into(),
            None => options::user_file(env::var_os)
                .context("neither HOME nor XDG_CONFIG_HOME is set; name a path: rmcp config init PATH")?,
        };
        // A link to a file elsewhere stays one.
        let path = path.canonicalize().unwrap_or(path);
        let backup = match (path.exists(), self.force) {
            (false, _) => None,
            (true, false) => bail!("{} is there already; --force replaces it and keeps a backup", path.display()),
            (true, true) if !path.is_file() => bail!("{} is no file, and nothing is put in its place", path.display()),
            (true, true) => Some(back_up(&path)?),
        };
        write_file(&path, &options::config_file())?;
        let text = |path: &Path| path.display().to_string();
        self.output.print(&InitReport { path: text(&path), backup: backup.as_deref().map(text) })
    }
}

/// Copies a file to the first name that is free, from `config.toml.bak` on.
fn back_up(path: &Path) -> Result<PathBuf> {
    let named = |number: u32| {
        let suffix = if number == 1 { String::new() } else { number.to_string() };
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".bak{suffix}"));
        PathBuf::from(name)
    };
    let backup = (1..).map(named).find(|backup| !backup.exists()).context("no name is left for a backup")?;
    fs::copy(path, &backup).with_context(|| format!("cannot keep {} as {}", path.display(), backup.display()))?;
    Ok(backup)
}

/// Writes beside and renames, so that a program never reads half of it.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    let failed = || {
        let root = if path.starts_with("/etc") || path.starts_with("/var") { "; run it as root" } else { "" };
        format!("cannot write {}{root}", path.display())
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    // Every program reads it, whoever runs that.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

impl Report for InitReport {
    const SCHEMA: &'static str = "rmcp.config-init/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "wrote {}; remove the # before an option to change it", self.path)?;
        match &self.backup {
            Some(backup) => writeln!(out, "what was there is now {backup}"),
            None => Ok(()),
        }
    }
}
