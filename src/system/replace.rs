//! A file replaced in one step: whoever opens it reads the old one or the new one, also after a power cut.
//!
//! The new one is written beside it under a name that nothing reads, is whole on the disk, and is renamed then. It keeps the
//! old one's owner, permissions and extended attributes, of which SELinux's label and access control lists are some.

use super::{SystemError, crash_point, io_error, sync_folder};
use nix::unistd::{Gid, Uid};
use rustix::buffer::spare_capacity;
use rustix::fs::{XattrFlags, fsetxattr, lgetxattr, llistxattr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// More than the names or a value of a file's extended attributes may have. (Linux, XATTR_SIZE_MAX)
const LONGEST: usize = 64 << 10;
/// What the name of a new file ends with before its rename: no configuration has files with such names.
const STAGED: &str = ".rmcp-new";
/// The names of attributes that the kernel's security modules own: where one is refused, the folder's holds.
const SECURITY: &str = "security.";

/// What a file has beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// The permissions.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The extended attributes.
    #[serde(default)]
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

impl Attributes {
    /// Those of a file that this process makes.
    pub fn new(mode: u32) -> Self {
        Self {
            mode,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            xattrs: BTreeMap::new(),
        }
    }

    /// Those of a file that is there.
    fn read(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        let xattrs = match list_xattrs(path) {
            Err(error) if error.kind() == ErrorKind::Unsupported => BTreeMap::new(),
            read => read?,
        };
        Ok(Self { mode: metadata.mode() & 0o7777, uid: metadata.uid(), gid: metadata.gid(), xattrs })
    }

    /// Whether somebody would call them the same: a label is given anew whenever a policy changes.
    pub fn are_like(&self, other: &Self) -> bool {
        let own = |attributes: &Self| {
            let xattrs = attributes.xattrs.iter().filter(|(name, _)| !name.starts_with(SECURITY));
            xattrs.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        (self.mode, self.uid, self.gid, own(self)) == (other.mode, other.uid, other.gid, own(other))
    }

    fn give(&self, file: &File) -> io::Result<()> {
        let has = file.metadata()?;
        if (has.uid(), has.gid()) != (self.uid, self.gid) {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            fchown(file, Some(uid.as_raw()), Some(gid.as_raw()))?;
        }
        if file.metadata()?.mode() & 0o7777 != self.mode {
            file.set_permissions(Permissions::from_mode(self.mode))?;
        }
        for (name, value) in &self.xattrs {
            match fsetxattr(file, name.as_str(), value, XattrFlags::empty()) {
                Err(error) if !name.starts_with(SECURITY) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn list_xattrs(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut names = Vec::with_capacity(LONGEST);
    llistxattr(path, spare_capacity(&mut names))?;
    let mut xattrs = BTreeMap::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if let Some(value) = xattr(path, name) {
            xattrs.insert(name.to_owned(), value);
        }
    }
    Ok(xattrs)
}

/// An extended attribute; None where there is none, or it may not be read.
pub(super) fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(LONGEST);
    lgetxattr(path, name, spare_capacity(&mut value)).ok().map(|_| value)
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// What is in it.
        bytes: Vec<u8>,
        /// What else it has.
        attributes: Attributes,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: PathBuf,
    },
}

impl Content {
    /// Reads what is there; a link is not followed.
    pub fn read(path: &Path) -> Result<Self, SystemError> {
        let failed = io_error("read", path);
        let kind = match fs::symlink_metadata(path) {
            Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
                return Ok(Self::Absent);
            }
            Err(error) => return Err(failed(error)),
            Ok(metadata) => metadata.file_type(),
        };
        let read = || -> io::Result<Self> {
            match () {
                () if kind.is_symlink() => Ok(Self::Link { target: fs::read_link(path)? }),
                () if kind.is_file() => Ok(Self::File { bytes: fs::read(path)?, attributes: Attributes::read(path)? }),
                () => Err(io::Error::other("it is neither a file nor a link")),
            }
        };
        read().map_err(failed)
    }

    /// The bytes of a file.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The file with other bytes; a new one, which all may read, where there was none.
    pub fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        match self {
            Self::File { attributes, .. } => Self::File { bytes, attributes: attributes.clone() },
            _ => Self::File { bytes, attributes: Attributes::new(super::FILE) },
        }
    }

    /// Puts it at a path, in one step.
    pub fn put(&self, path: &Path) -> Result<(), SystemError> {
        let staged = staged(path);
        crash_point();
        match self {
            Self::Absent => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error("remove", path)(error)),
                _ => {}
            },
            Self::File { bytes, attributes } => {
                remove_staged(path)?;
                // A link in its place, which somebody else may have put there, is not followed.
                let create = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged);
                let mut file = create.map_err(io_error("create", &staged))?;
                crash_point();
                let write = file.write_all(bytes).and_then(|()| attributes.give(&file)).and_then(|()| file.sync_all());
                write.map_err(io_error("write", &staged))?;
                crash_point();
                fs::rename(&staged, path).map_err(io_error("replace", path))?;
            }
            Self::Link { target } => {
                remove_staged(path)?;
                std::os::unix::fs::symlink(target, &staged).map_err(io_error("create", &staged))?;
                crash_point();
                fs::rename(&staged, path).map_err(io_error("replace", path))?;
            }
        }
        crash_point();
        sync_folder(path)
    }
}

/// Where a new file stands before its rename.
pub(super) fn staged(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.extend_from_slice(STAGED.as_bytes());
    PathBuf::from(OsStr::from_bytes(&name))
}

/// Removes what a change that was ended left beside a path.
pub(super) fn remove_staged(path: &Path) -> Result<(), SystemError> {
    let staged = staged(path);
    match fs::remove_file(&staged) {
        Err(error) if ![ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            Err(io_error("remove", &staged)(error))
        }
        _ => Ok(()),
    }
}
