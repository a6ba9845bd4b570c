//! PyTorch, where it is installed: the program that this is all for.

use super::Line;
use crate::commands::stage::{Interposition, Stage, lines};
use anyhow::Result;
use std::path::Path;
use std::process::Stdio;

/// What PyTorch has to do: allocate, copy, multiply, convolve, train ten steps, and compare with the CPU.
const PROGRAM: &str = include_str!("torch.py");

/// Isolated: nothing is imported from the current folder or from what the environment names.
const ARGUMENTS: [&str; 3] = ["-I", "-c", PROGRAM];

/// The exit status by which the program says that there is no PyTorch with ROCm.
const NO_TORCH: i32 = 77;

/// PyTorch was not tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Absent(String);

/// Has PyTorch do it, on the stage's card.
pub fn run(python: &Path, stage: &Stage, interposition: Interposition) -> Result<Vec<Line>> {
    if stage.source().emulated {
        return Err(Absent("PyTorch is tried on a card only".into()).into());
    }
    let mut command = stage.own_command(python, interposition);
    let output = command.args(ARGUMENTS).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Absent(format!("{}: {error}", python.display())))?;
    if output.status.code() == Some(NO_TORCH) {
        return Err(Absent(String::from_utf8_lossy(&output.stderr).trim().into()).into());
    }
    Ok(lines(&output)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::{Command, Output};

    /// The program with a module `torch` of this text.
    fn with_torch(text: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("torch.py"), text).unwrap();
        Command::new("python3").args(["-c", PROGRAM]).env("PYTHONPATH", folder.path()).output().unwrap()
    }

    #[test]
    fn a_pytorch_without_rocm_is_said_and_not_tried() {
        for (module, error) in [
            ("raise ImportError('broken')", "has no PyTorch: broken"),
            ("class version:\n  hip = None\n__version__ = '2.9'", "PyTorch 2.9 is built without ROCm"),
        ] {
            let output = with_torch(module);
            assert_eq!(output.status.code(), Some(NO_TORCH), "{output:?}");
            assert!(String::from_utf8_lossy(&output.stderr).contains(error), "{output:?}");
        }
    }

    #[test]
    fn nothing_is_imported_from_the_current_folder() {
        let folder = tempfile::tempdir().unwrap();
        for module in ["torch", "json", "site", "sitecustomize", "usercustomize"] {
            fs::write(folder.path().join(module).with_extension("py"), "print('imported')").unwrap();
        }
        for path in ["", ":", "."] {
            let mut python = Command::new("python3");
            python.args(ARGUMENTS).current_dir(folder.path()).env("PYTHONPATH", path);
            let output = python.output().unwrap();
            assert!(!String::from_utf8_lossy(&output.stdout).contains("imported"), "{output:?}");
        }
    }

    #[test]
    fn packages_that_the_user_has_installed_are_imported_and_those_of_another_user_are_not() {
        let base = tempfile::tempdir().unwrap();
        let user_site = |base: &Path| {
            let mut python = Command::new("python3");
            let output = python.args(["-m", "site", "--user-site"]).env("PYTHONUSERBASE", base).output().unwrap();
            Path::new(String::from_utf8_lossy(&output.stdout).trim()).to_owned()
        };
        let folder = user_site(base.path());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("torch.py"), "raise ImportError('this one')").unwrap();
        let run = || Command::new("python3").args(ARGUMENTS).env("PYTHONUSERBASE", base.path()).output().unwrap();
        let says = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("this one");
        assert!(says(&run()));
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(65534), None).unwrap();
            assert!(!says(&run()));
        }
    }

    #[test]
    fn a_pytorch_that_sees_no_gpu_fails_its_check() {
        let module = "class version:\n  hip = '6.4'\n__version__ = '2.9'\nclass cuda:\n  is_available = lambda: False";
        let output = with_torch(module);
        let (lines, _) = lines::<Line>(&output).unwrap();
        assert!(matches!(&lines[..], [Line::Check { passed: false, .. }]), "{output:?}");
    }
}
