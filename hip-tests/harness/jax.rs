//! JAX with a program of `clients/`.

use crate::native::{client_dir, compile, sources};
use anyhow::Result;
use rmcp_stacks::{Jax, Release, Stack};
use std::process::Command;

/// A command that runs `clients/<script>` on JAX, which is downloaded unless the cache has it.
///
/// # Errors
/// Without compiler, network or disk.
pub fn jax(script: &str) -> Result<Command> {
    let stack = Stack::fetch(Release::Rocm643)?;
    let stand_in = client_dir(&stack)?.join("jax_stand_in.so");
    compile(&stack, "jax_stand_in.cpp", &stand_in, &["-shared", "-fPIC"])?;
    let mut command = Jax::fetch(&stand_in)?.command()?;
    command.arg(sources().join(script));
    Ok(command)
}
