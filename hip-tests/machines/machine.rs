//! One machine.

use crate::debian::{Debian, is_root};
use anyhow::{Context, Result, ensure};
use rmcp_hip_tests::target_dir;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A Debian system of its own, gone when dropped.
#[derive(Debug)]
pub struct Machine {
    debian: Debian,
    layer: TempDir,
    shares: Vec<OsString>,
}

/// Becomes a program on the machine. Its arguments: the system, the layer, NAME=FOLDER for each folder of this machine
/// that is /mnt/NAME there, --, then the program.
///
/// The devices are those that every program may use, and /sys tells of processors and memory alone: a card of this machine
/// is none of that one's. /tmp and /run are empty at every start, as after a boot.
const ENTER: &str = r#"
set -e
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/files,workdir=$2/work" "$2/root"
cd "$2/root"
shift 2
mount -t tmpfs -o mode=755 tmpfs mnt
while [ "$1" != -- ]; do
    mkdir "mnt/${1%%=*}"
    mount --bind "${1#*=}" "mnt/${1%%=*}"
    mount -o remount,bind,ro "mnt/${1%%=*}"
    shift
done
shift
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs sys
mkdir -p sys/devices/system
mount --rbind /sys/devices/system sys/devices/system
mount -t tmpfs -o mode=755 tmpfs dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
for name in null zero full random urandom tty; do
    : > dev/$name
    mount --bind /dev/$name dev/$name
done
mkdir dev/shm
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s /proc/self/fd dev/fd
exec chroot . "$@"
"#;

impl Machine {
    /// A machine with Debian and nothing else.
    ///
    /// # Errors
    /// Without root, or when its folders cannot be made.
    pub fn new(debian: &Debian) -> Result<Self> {
        ensure!(is_root(), "only root can run programs in a root folder of their own");
        // Not in the system's folder for temporary files: a layer cannot lie on another one.
        let layer = tempfile::tempdir_in(target_dir()?).context("make a folder for the machine")?;
        for folder in ["files", "work", "root"] {
            fs::create_dir(layer.path().join(folder))?;
        }
        set_searchable(layer.path())?;
        set_searchable(&layer.path().join("files"))?;
        Ok(Self { debian: debian.clone(), layer, shares: Vec::new() })
    }

    /// The same with a folder of this machine to read as /mnt/`name`.
    pub fn share(mut self, name: &str, folder: &Path) -> Self {
        let mut share = OsString::from(format!("{name}="));
        share.push(folder);
        self.shares.push(share);
        self
    }

    /// A program on the machine, by its path there. No network reaches it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--net",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
            "--",
            "sh",
            "-c",
            ENTER,
            "enter",
        ]);
        command.arg(self.debian.root()).arg(self.layer.path()).args(&self.shares).arg("--").arg(program);
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        command.env_clear().envs([("PATH", path), ("LC_ALL", "C"), ("HOME", "/root")]).stdin(Stdio::null());
        command
    }

    /// What a shell script does there.
    ///
    /// # Panics
    /// When no program can be started.
    pub fn run(&self, script: &str) -> Output {
        self.command("/bin/bash").args(["-c", script]).output().expect("unshare, of util-linux")
    }

    /// What a shell script prints there.
    ///
    /// # Panics
    /// When it fails, or says anything on standard error.
    pub fn bash(&self, script: &str) -> String {
        let output = self.run(script);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{script}: {}\n{error}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The text of a file there; None where there is none or it was not changed.
    pub fn changed_file(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.layer.path().join("files").join(path.trim_start_matches('/'))).ok()
    }

    /// Every file and folder that the machine has beside Debian's, and every file that is there instead of Debian's or is
    /// gone, in order.
    pub fn changed_files(&self) -> Vec<PathBuf> {
        let top = self.layer.path().join("files");
        let mut changed = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(top.join(&folder)).into_iter().flatten().flatten() {
                let path = folder.join(entry.file_name());
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if !is_folder || !self.debian.root().join(&path).is_dir() {
                    changed.push(Path::new("/").join(&path));
                }
                if is_folder {
                    folders.push(path);
                }
            }
        }
        changed.sort();
        changed
    }
}

fn set_searchable(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("set the permissions of {}", folder.display()))
}
