//! Which table is in use: the command's own, or a newer one that `rmcp update-problems` has put beside it.

use super::{Table, parse};
use rmcp_domain::options::user_folder;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The table of all users, which root installs.
pub const SYSTEM_FILE: &str = "/var/lib/rmcp/problems.toml";

/// What a table begins with that was taken although it is older: it stays in use whatever its version.
pub const FORCED: &str = "# Taken with --force: in use whatever its version is.\n";

/// More than a table may have, in bytes.
const LARGEST: u64 = 16 << 20;

/// The table of one user. None: neither XDG_DATA_HOME nor HOME is set.
pub fn user_file() -> Option<PathBuf> {
    user_folder(env::var_os, "XDG_DATA_HOME", ".local/share").map(|folder| folder.join("rmcp/problems.toml"))
}

/// The table in use.
pub struct InUse {
    /// It.
    pub table: Table,
    /// Its text.
    pub text: String,
    /// Where it lies; None: the command was built with it.
    pub file: Option<PathBuf>,
    /// Installed tables that cannot be used, and why.
    pub refused: Vec<String>,
}

impl InUse {
    /// Of the one that the command was built with, and files that are there: the newest, of equals the last.
    pub(super) fn choose(text: &str, table: Table, files: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut chosen = Self { table, text: text.into(), file: None, refused: Vec::new() };
        for path in files {
            match installed(&path) {
                Ok((text, table)) if text.starts_with(FORCED) || table.version >= chosen.table.version => {
                    chosen = Self { table, text, file: Some(path), ..chosen };
                }
                Ok(_) => {}
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(why) => chosen.refused.push(format!("{} is not used: {why}", path.display())),
            }
        }
        chosen
    }
}

/// An installed table. One that somebody else could have written is none: it says what to type.
fn installed(path: &Path) -> io::Result<(String, Table)> {
    let file = File::open(path)?;
    let owner = file.metadata()?.uid();
    if owner != 0 && owner != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::other(format!("it belongs to user {owner}")));
    }
    let text = read(file)?;
    let table = parse(&text).map_err(io::Error::other)?;
    Ok((text, table))
}

/// The text of a table.
pub fn read(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    if from.take(LARGEST + 1).read_to_string(&mut text)? as u64 > LARGEST {
        return Err(io::Error::other(format!("it has more than {} MiB", LARGEST >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn table(version: &str) -> String {
        format!("version = \"{version}\"\n")
    }

    #[test]
    fn the_newest_table_is_used_and_of_equals_the_installed_one() {
        let folder = tempfile::tempdir().unwrap();
        let [system, user] = ["system", "user"].map(|name| folder.path().join(name));
        let chosen = |texts: [Option<String>; 2]| {
            for (path, text) in [&system, &user].into_iter().zip(texts) {
                let _ = fs::remove_file(path);
                text.into_iter().for_each(|text| fs::write(path, text).unwrap());
            }
            let own = table("2026-05-05");
            let chosen = InUse::choose(&own, parse(&own).unwrap(), [system.clone(), user.clone()]);
            let file = chosen.file.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
            (file.unwrap_or("own".into()), chosen.table.version, chosen.refused.len())
        };
        for (texts, expected) in [
            ([None, None], ("own", "2026-05-05", 0)),
            ([Some("2026-05-04"), None], ("own", "2026-05-05", 0)),
            ([Some("2026-05-05"), None], ("system", "2026-05-05", 0)),
            ([Some("2026-06-01"), Some("2026-05-31")], ("system", "2026-06-01", 0)),
            ([Some("2026-06-01"), Some("2026-06-02")], ("user", "2026-06-02", 0)),
            ([Some("yesterday"), Some("2026-06-02")], ("user", "2026-06-02", 1)),
        ] {
            let (file, version, refused) = expected;
            assert_eq!(chosen(texts.map(|text| text.map(table))), (file.into(), version.into(), refused), "{texts:?}");
        }
        let forced = Some(format!("{FORCED}{}", table("2020-01-01")));
        assert_eq!(chosen([Some(table("2026-06-01")), forced]), ("user".into(), "2020-01-01".into(), 0));
    }
}
