//! rmcp-run in a folder, as installed, with empty libraries in place of RMCP's; and programs for it to start.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub const TOOL: &str = "ROCPROFILER_REGISTER_LIBRARY";

/// rmcp-run in bin/ and two empty libraries in lib/rmcp/, as installed.
pub struct Installed(pub TempDir);

impl Installed {
    pub fn new() -> Self {
        let installed = Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let library = installed.library();
        fs::create_dir_all(library.parent().unwrap()).unwrap();
        fs::create_dir(installed.root().join("bin")).unwrap();
        // A copy could be "busy": another test's child holds the descriptor that wrote it until it executes.
        fs::hard_link(env!("CARGO_BIN_EXE_rmcp-run"), installed.bin()).unwrap();
        let cc = ["-shared", "-nostdlib", "-x", "c", "/dev/null", "-o"];
        assert!(Command::new("cc").args(cc).arg(&library).status().unwrap().success());
        fs::copy(&library, library.with_file_name("librmcp_core.so")).unwrap();
        installed
    }

    pub fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    pub fn bin(&self) -> PathBuf {
        self.root().join("bin/rmcp-run")
    }

    pub fn library(&self) -> PathBuf {
        self.root().join("lib/rmcp/librmcp.so")
    }

    /// rmcp-run with these arguments, no variable of RMCP and no file.
    pub fn command(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(self.bin());
        command.args(args).env_remove("LD_PRELOAD").env_remove("AMD_OPT_FLUSH");
        command.env_remove("HSA_OVERRIDE_GFX_VERSION").env_remove(TOOL);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"RMCP_")) {
            command.env_remove(name);
        }
        command.env("RMCP_CONFIG", "");
        command
    }

    /// The same on a machine with these GPUs, the first at node 1. Those of odd nodes have a unique id.
    pub fn on(&self, gpus: &[u32], args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let topology = self.root().join("topology");
        let node = |number: usize, gpu_id: usize, properties: String| {
            let folder = topology.join(format!("nodes/{number}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("gpu_id"), format!("{gpu_id}\n")).unwrap();
            fs::write(folder.join("properties"), properties).unwrap();
        };
        node(0, 0, "cpu_cores_count 12\nsimd_count 0\n".into());
        for (index, version) in gpus.iter().enumerate() {
            let (number, place) = (index + 1, (index + 1) << 8);
            let unique_id = if number % 2 == 1 { 0xabc0 + number } else { 0 };
            node(
                number,
                number,
                format!("simd_count 72\ngfx_target_version {version}\nlocation_id {place}\nunique_id {unique_id}\n"),
            );
        }
        let mut command = self.command(args);
        command.env("RMCP_TOPOLOGY", topology);
        command
    }

    pub fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.command(args).output().unwrap()
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line of a failure that ends with this status.
pub fn failure(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert_eq!(output.stdout, b"");
    let line = stderr(output);
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

pub fn script(folder: &Path, name: &str, first_line: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("{first_line}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A program of this C code.
pub fn compiled(folder: &Path, name: &str, code: &str, options: &[&str]) -> PathBuf {
    let (source, program) = (folder.join("source.c"), folder.join(name));
    fs::write(&source, code).unwrap();
    let status = Command::new("cc").arg("-o").arg(&program).args(options).arg(&source).status().unwrap();
    assert!(status.success());
    program
}
