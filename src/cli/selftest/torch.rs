//! PyTorch, where it is installed: the program that this is all for.

use super::Line;
use crate::cli::stage::{Stage, Way, lines};
use anyhow::Result;
use std::path::Path;
use std::process::Stdio;

/// What PyTorch has to do: allocate, copy, multiply, convolve, train ten steps, and compare with the CPU.
const PROGRAM: &str = include_str!("torch.py");

/// The exit status by which the program says that there is no PyTorch with ROCm.
const NO_TORCH: i32 = 77;

/// PyTorch was not tried.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Absent(String);

/// Has PyTorch do it, on the stage's card.
pub fn run(python: &Path, stage: &Stage, way: Way) -> Result<Vec<Line>> {
    if stage.source().emulated {
        return Err(Absent("PyTorch is tried on a card only".into()).into());
    }
    let mut command = stage.own_command(python, way);
    let output = command.args(["-c", PROGRAM]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Absent(format!("{}: {error}", python.display())))?;
    if output.status.code() == Some(NO_TORCH) {
        return Err(Absent(String::from_utf8_lossy(&output.stderr).trim().into()).into());
    }
    Ok(lines(&output)?.0)
}
