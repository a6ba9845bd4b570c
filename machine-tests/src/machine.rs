//! One machine.

use crate::debian::{Debian, is_root};
use anyhow::{Context, Result, ensure};
use rmcp_hip_tests::Build;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A Debian system of its own, gone when dropped.
#[derive(Debug)]
pub struct Machine {
    debian: Debian,
    layer: TempDir,
}

/// Becomes a program on the machine. Its arguments: the system, the layer, then the program.
///
/// The devices are those that every program may use; /tmp and /run are empty at every start, as after a boot.
const ENTER: &str = r#"
set -e
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/files,workdir=$2/work" "$2/root"
cd "$2/root"
shift 2
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
mount -t tmpfs -o mode=755 tmpfs run
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
    /// A machine with RMCP's files where its packages put them, and nothing enabled.
    ///
    /// # Errors
    /// Without root, or when files cannot be copied.
    pub fn new(debian: &Debian, build: &Build) -> Result<Self> {
        ensure!(is_root(), "only root can run programs in a root folder of their own");
        // Not in the system's folder for temporary files: a layer cannot lie on another one.
        let layer = tempfile::tempdir_in(build.root().parent().unwrap_or(build.root()))
            .context("make a folder for the machine")?;
        for folder in ["files", "work", "root"] {
            fs::create_dir(layer.path().join(folder))?;
        }
        set_searchable(&layer.path().join("files"))?;
        let machine = Self { debian: debian.clone(), layer };
        for name in ["rmcp", "rmcp-run"] {
            machine.install(&build.root().join("bin").join(name), &format!("/usr/bin/{name}"))?;
        }
        for name in ["librmcp.so", "librmcp_core.so", "rmcp-rescue"] {
            machine.install(&build.root().join("lib/rmcp").join(name), &format!("/usr/lib/rmcp/{name}"))?;
        }
        Ok(machine)
    }

    /// Copies a file of this machine onto that one.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn install(&self, from: &Path, to: &str) -> Result<()> {
        let to = self.layer.path().join("files").join(to.trim_start_matches('/'));
        for folder in to.ancestors().skip(1).take_while(|folder| *folder != self.layer.path()) {
            if folder.is_dir() {
                break;
            }
            fs::create_dir_all(folder)?;
            set_searchable(folder)?;
        }
        fs::copy(from, &to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
        Ok(())
    }

    /// A program on the machine, by its path there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
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
        command.arg(self.debian.root()).arg(self.layer.path()).arg(program);
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
    pub fn says(&self, script: &str) -> String {
        let output = self.run(script);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{script}: {}\n{error}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The text of a file there; None where there is none or it was not changed.
    pub fn changed_file(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.layer.path().join("files").join(path.trim_start_matches('/'))).ok()
    }

    /// Every file that the machine has beside Debian's, or instead of it, in order.
    pub fn changed_files(&self) -> Vec<PathBuf> {
        let top = self.layer.path().join("files");
        let mut files = Vec::new();
        let mut folders = vec![top.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => files.extend(entry.path().strip_prefix(&top).map(|path| Path::new("/").join(path))),
                }
            }
        }
        files.sort();
        files
    }
}

fn set_searchable(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("set the permissions of {}", folder.display()))
}
