//! Device files, and whether this process may use them.

use super::account::group_name;
use super::display_path;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFile {
    /// Its path on the machine.
    pub path: PathBuf,
    /// Whether this process may read and write it.
    pub access: Access,
    /// Number of its group; None where there is no such file.
    pub gid: Option<u32>,
    /// Name of its group.
    pub group: Option<String>,
    /// Its permission bits.
    pub mode: Option<u32>,
}

/// Whether a device file can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading and writing.
    Granted,
    /// There is no such file.
    Missing,
    /// Permissions say no: EACCES those of the file, EPERM those of a container.
    Denied(Errno),
    /// The driver behind it says no.
    Refused(Errno),
}

impl Access {
    /// "ok", or the system's name of the error, such as EACCES.
    pub fn word(&self) -> String {
        match self {
            Self::Granted => "ok".into(),
            Self::Missing => format!("{:?}", Errno::ENOENT),
            Self::Denied(error) | Self::Refused(error) => format!("{error:?}"),
        }
    }

    /// Whether permissions say no.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

impl DeviceFile {
    /// /dev/kfd, by opening it as ROCr does.
    pub fn kfd(root: &Path) -> Self {
        Self::probe(root, &root.join("dev/kfd"), |path| OpenOptions::new().read(true).write(true).open(path).map(drop))
    }

    /// /dev/dri/renderD128 and the like. Not opened: that would wake a sleeping card, which takes its time.
    pub fn render(root: &Path, minor: u32) -> Self {
        let permitted = |path: &Path| access(path, AccessFlags::R_OK | AccessFlags::W_OK).map_err(io::Error::from);
        Self::probe(root, &root.join(format!("dev/dri/renderD{minor}")), permitted)
    }

    fn probe(root: &Path, path: &Path, try_it: impl Fn(&Path) -> io::Result<()>) -> Self {
        let access = match try_it(path) {
            Ok(()) => Access::Granted,
            Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                Errno::ENOENT | Errno::ENOTDIR => Access::Missing,
                denied @ (Errno::EACCES | Errno::EPERM) => Access::Denied(denied),
                error => Access::Refused(error),
            },
        };
        let metadata = fs::metadata(path).ok();
        let gid = metadata.as_ref().map(|metadata| metadata.gid());
        Self {
            path: display_path(root, path),
            access,
            gid,
            group: gid.and_then(|gid| group_name(root, gid)),
            mode: metadata.map(|metadata| metadata.mode() & 0o7777),
        }
    }
}
