//! Changes of the machine and their way back: RMCP for every process, through /etc/ld.so.preload, and other files.
//!
//! `rmcp enable --system` and `rmcp disable --system` call it, and so does `rmcp-rescue`, which is built here: static and
//! small, for a machine on which nothing else starts.
//!
//! A library in that list which cannot be loaded stops the machine, `cp` and `sudo` included. So nothing in use is ever
//! overwritten, the list changes by one rename, and only after every program that the [`trial`] knows behaved with the
//! new list as it does with the old one.
//!
//! | module | what it knows |
//! |---|---|
//! | [`list`] | the text of /etc/ld.so.preload |
//! | [`tree`] | the libraries: one folder a generation, never changed once it is there |
//! | [`loaders`] | the loaders of this machine, and what $LIB means to each |
//! | [`stub`] | the empty library for loaders that RMCP has nothing for |
//! | [`trial`] | programs run with a list that only they see |
//! | [`variables`] | libraries that no preload can serve |
//! | [`confirm`] | the way back when nobody confirms |
//! | `label` | SELinux's label of the list |
//! | [`replace`] | a file replaced in one step, with its owner, permissions and attributes |
//! | [`journal`] | changes of other files, and how they are taken back |
//! | [`rescue`] | what rmcp-rescue says of itself |

pub mod confirm;
#[cfg(test)]
mod crash;
pub mod journal;
mod label;
pub mod list;
pub mod loaders;
pub mod replace;
pub mod rescue;
pub mod stub;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod trial;
pub mod variables;

use replace::{Attributes, Content};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every loader of glibc reads before a program starts. (ld.so(8))
pub const LIST: &str = "/etc/ld.so.preload";
/// The permissions of RMCP's folders and files: every process goes through them, whoever runs it.
const FOLDER: u32 = 0o755;
const FILE: u32 = 0o644;

/// Why the machine was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The system refused.
    #[error("cannot {what} {}: {why}{}", path.display(), advice(why))]
    Io {
        /// What was tried, as in "cannot read".
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// The list is managed by something else.
    #[error("{} is a symbolic link; whatever made it has to add the line {entry:?}", path.display())]
    Linked {
        /// The list.
        path: PathBuf,
        /// What is to be in it.
        entry: String,
    },
    /// Another rmcp is at it.
    #[error("another rmcp is changing something; wait for it to end")]
    Busy,
    /// A file is not what it was when the change was made up.
    #[error("{} was changed meanwhile, so nothing was; try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Whose a file is.
    #[error("{} lies in a folder of user {owner}; run it as that user", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number of the folder's owner.
        owner: u32,
    },
    /// A command of a change failed.
    #[error("`{command}` failed: {why}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        why: String,
    },
    /// No loader reads the list.
    #[error(
        "there is no {} here, so no program reads {LIST}; with musl use LD_PRELOAD for the programs that have glibc",
        loaders::NATIVE
    )]
    NoLoader,
    /// $LIB means nothing that was tried.
    #[error("{} does not say what $LIB means: {output}", loader.display())]
    NoLib {
        /// The loader.
        loader: PathBuf,
        /// What it printed.
        output: String,
    },
    /// Programs behave otherwise with the new list.
    #[error("with RMCP in {LIST} these would behave otherwise, so the list was left alone:\n{}", .0.join("\n"))]
    Trial(Vec<String>),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied if nix::unistd::geteuid().is_root() => {
            "; even root may not do that here, as in a container without CAP_SYS_ADMIN"
        }
        ErrorKind::PermissionDenied => "; run it as root",
        ErrorKind::ReadOnlyFilesystem => "; make the file system writable first",
        _ => "",
    }
}

/// Turns an error of the system into one that says what and where.
fn io_error<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> SystemError + 'a {
    move |why| SystemError::Io { what, path: path.into(), why }
}

/// A machine: the folder where its / is.
#[derive(Clone, Debug)]
pub struct System {
    root: PathBuf,
}

/// Holds off every other rmcp until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _folder: File,
}

impl Lock {
    /// The lock of a folder, which leaves no file behind.
    fn of(path: &Path) -> Result<Self, SystemError> {
        let folder = File::open(path).map_err(io_error("open", path))?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(fs::TryLockError::WouldBlock) => Err(SystemError::Busy),
            Err(fs::TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
        }
    }
}

/// What [`System::enable`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// The list names RMCP from now on.
    Added {
        /// By this entry.
        entry: String,
        /// Who takes it back unless it is confirmed.
        watch: Option<confirm::Watch>,
    },
    /// It did so before, and these very files.
    AlreadyListed {
        /// By this entry.
        entry: String,
    },
}

/// What [`System::disable`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// The list names RMCP no more.
    Removed,
    /// It did not before.
    NotListed,
}

impl System {
    /// The machine this runs on.
    pub fn host() -> Self {
        Self::with_root("/")
    }

    /// One whose / is in a folder.
    pub fn with_root(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where an absolute path of the machine is.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The same of a path.
    pub fn path_of(&self, absolute: &Path) -> PathBuf {
        self.root.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// The kernel's name of this boot.
    pub fn boot(&self) -> Option<String> {
        let read = fs::read_to_string(self.path("/proc/sys/kernel/random/boot_id"));
        read.ok().map(|id| id.trim().to_owned())
    }

    /// The list; empty where there is none.
    pub fn list(&self) -> Result<Vec<u8>, SystemError> {
        let path = self.path(LIST);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(io_error("read", &path)),
        }
    }

    /// RMCP's entry of the list.
    pub fn entry(&self) -> Result<Option<String>, SystemError> {
        Ok(list::entries(&self.list()?).into_iter().find(|entry| list::is_rmcp(entry)))
    }

    /// Waits for nobody: [`SystemError::Busy`] while another rmcp holds it.
    ///
    /// The lock is on the folder itself, so it leaves no file behind.
    pub fn lock(&self) -> Result<Lock, SystemError> {
        Lock::of(&self.path("/etc"))
    }

    /// As [`lock`](Self::lock), but waits for the other one.
    pub fn lock_when_free(&self) -> Result<Lock, SystemError> {
        let path = self.path("/etc");
        let folder = File::open(&path).map_err(io_error("open", &path))?;
        folder.lock().map_err(io_error("lock", &path))?;
        Ok(Lock { _folder: folder })
    }

    /// Makes `new` the list, in one step: whoever reads it sees the old one or the new one. An empty list is no file.
    pub fn set_list(&self, new: &[u8], _lock: &Lock) -> Result<(), SystemError> {
        let path = self.path(LIST);
        if path.is_symlink() {
            let entry = list::entries(new).into_iter().find(|entry| list::is_rmcp(entry)).unwrap_or_default();
            return Err(SystemError::Linked { path, entry });
        }
        let xattrs = label::label(self).into_iter().collect();
        match new {
            [] => Content::Absent,
            _ => Content::File { bytes: new.into(), attributes: Attributes { xattrs, ..Attributes::new(FILE) } },
        }
        .put(&path)
    }

    /// Puts `gate` and what belongs to it into the list, after a trial. With a time, `rescue` takes it out again unless
    /// somebody confirms by then.
    ///
    /// Wherever this ends before its last step the list is as it was.
    pub fn enable(
        &self,
        gate: &Path,
        confirm: Option<(&Path, Duration)>,
        scratch: &Path,
        lock: &Lock,
    ) -> Result<Enabled, SystemError> {
        let loaders = loaders::find(self, gate, scratch)?;
        let entry = tree::install(self, &tree::Generation::new(gate, &loaders)?)?;
        let old = self.list()?;
        let new = list::with_entry(&old, &entry);
        if new == old {
            return Ok(Enabled::AlreadyListed { entry });
        }
        trial::run(self, &new, &loaders, scratch)?;
        let watch = confirm.map(|(rescue, within)| confirm::require(self, rescue, within)).transpose()?;
        self.set_list(&new, lock)?;
        Ok(Enabled::Added { entry, watch })
    }

    /// Takes RMCP out of the list. The libraries stay: [`tree::clean`] removes them.
    pub fn disable(&self, lock: &Lock) -> Result<Disabled, SystemError> {
        let old = self.list()?;
        let new = list::without_entries(&old);
        let mut disabled = Disabled::NotListed;
        if new != old {
            self.set_list(&new, lock)?;
            disabled = Disabled::Removed;
        }
        // There is a new one left where a change was ended just before its rename.
        replace::remove_staged(&self.path(LIST))?;
        Ok(disabled)
    }
}

/// Where tests end a change, as a crash would.
fn crash_point() {
    #[cfg(test)]
    crash::point();
}

/// Writes a file that is whole on the disk before this returns.
fn write_synced(path: &Path, content: &[u8], mode: u32) -> Result<(), SystemError> {
    let mut file = File::create(path).map_err(io_error("create", path))?;
    file.write_all(content).map_err(io_error("write", path))?;
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(io_error("set the permissions of", path))?;
    file.sync_all().map_err(io_error("write", path))
}

/// Makes a folder, and those above that are missing, so that every user may enter them, whatever the umask. Of the folders
/// that are there, those below `shared` are RMCP's own: what an earlier attempt has left closed is opened.
fn create_folder(path: &Path, shared: Option<&Path>) -> Result<(), SystemError> {
    let folders: Vec<&Path> = path.ancestors().collect();
    for folder in folders.into_iter().rev() {
        let ours = shared.is_some_and(|shared| folder != shared && folder.starts_with(shared));
        match fs::create_dir(folder) {
            Err(_) if folder.is_dir() && !ours => continue,
            Err(_) if folder.is_dir() => {}
            made => made.map_err(io_error("create", folder))?,
        }
        set_mode(folder, FOLDER)?;
    }
    Ok(())
}

/// Gives a file or folder these permissions, unless it has them.
fn set_mode(path: &Path, mode: u32) -> Result<(), SystemError> {
    let has = fs::metadata(path).map_err(io_error("read", path))?.permissions().mode();
    if has & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io_error("set the permissions of", path))
}

/// Brings the names in a file's folder to the disk.
fn sync_folder(file: &Path) -> Result<(), SystemError> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("write", folder))
}
