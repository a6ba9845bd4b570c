//! A machine of files: its root is a temporary folder.

use rmcp_cli::installs::Machine;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub struct Files {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Files {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Where an absolute path of the machine lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A link to a path of the machine.
    pub fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(self.path(target), path).unwrap();
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.into(), value.into()));
    }

    pub fn machine(&self) -> Machine {
        let root = self.folder.path().canonicalize().unwrap();
        let variables = self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Machine { root, variables }
    }

    /// The path that a file has on the machine.
    pub fn shown(&self, path: &Path) -> String {
        let root = self.folder.path().canonicalize().unwrap();
        path.strip_prefix(&root).map_or_else(|_| path.display().to_string(), |path| format!("/{}", path.display()))
    }

    /// A real ELF file that needs these libraries, with more arguments for the compiler.
    pub fn elf(&self, path: &str, needs: &[&str], arguments: &[&str]) -> PathBuf {
        let stubs = self.path("/stubs");
        fs::create_dir_all(&stubs).unwrap();
        let output = self.path(path);
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        let mut command = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
        command
            .args(["-x", "c", "/dev/null", "-x", "none", "-nostdlib", "-shared", "-Wl,--no-as-needed", "-o"])
            .arg(&output);
        for need in needs {
            let stub = stubs.join(need);
            if !stub.exists() {
                let mut stubbing = Command::new(command.get_program());
                stubbing.args(["-x", "c", "/dev/null", "-nostdlib", "-shared", "-o"]).arg(&stub);
                run(stubbing.arg(format!("-Wl,-soname,{need}")));
            }
            command.arg(stub);
        }
        run(command.args(arguments));
        output
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("a C++ compiler: install g++ or set CXX");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
