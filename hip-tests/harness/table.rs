//! Programs that link no runtime, whose calls from ROCm 6 on RMCP meets in the runtime's own table: `clients/table*`.

use crate::native::{client_dir, compile, program};
use crate::ways::{copy_of_runtime, soname};
use anyhow::{Context, Result};
use rmcp_stacks::Stack;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What `table.cpp` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableProgram {
    /// It uses two copies of libamdhip64 in turn.
    Copies,
    /// A child calls after its parent.
    Fork,
    /// It unloads the runtime and loads it again.
    Reload,
    /// It asks by each way what was allocated by each.
    Answers,
    /// A library calls.
    Caller {
        /// The name of its file, up to `.so.1`.
        library: &'static str,
        /// Whether it calls by imports of its own, too.
        linked: bool,
    },
    /// Another wraps functions in the table. ROCm 6.0 and later.
    Profiler {
        /// Whether it is preloaded before RMCP, and not loaded when the runtime is up.
        preloaded: bool,
    },
}

/// The command that runs it.
pub(crate) fn command(stack: &Stack, what: TableProgram) -> Result<Command> {
    let folder = client_dir(stack)?;
    let library = |source: &str, name: &str, defines: &[&str]| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().context("a file lies in a folder")?).context("make a folder")?;
        compile(stack, source, &path, &[&["-shared", "-fPIC"], defines].concat())?;
        Ok(path)
    };
    let linked = || library("table.cpp", "table_linked.so", &["-DLINKED"]);
    let mut command = stack.command(program(stack, "table.cpp", &[])?)?;
    let (mode, libraries) = match what {
        TableProgram::Copies => ("copies", vec![copy_of_runtime(stack)?]),
        TableProgram::Fork => ("fork", vec![]),
        TableProgram::Reload => ("reload", vec![]),
        TableProgram::Answers => ("answers", vec![linked()?]),
        TableProgram::Caller { library: name, linked } => {
            let soname = format!("-Wl,-soname,{name}.so.1");
            let (folder, define) = if linked { ("linked", "-DLINKED") } else { ("looked-up", "-DLOOKED_UP") };
            ("caller", vec![library("table_caller.cpp", &format!("{folder}/{name}.so.1"), &[&soname, define])?])
        }
        TableProgram::Profiler { preloaded } => {
            let profiler = match preloaded {
                true => library("table_profiler.cpp", "table_profiler_preloaded.so", &["-DPRELOADED"])?,
                false => library("table_profiler.cpp", "table_profiler.so", &[])?,
            };
            if preloaded {
                command.env("LD_PRELOAD", &profiler);
            }
            ("profiler", vec![linked()?, profiler])
        }
    };
    command.arg(mode).arg(soname(stack)?).args(libraries);
    Ok(command)
}
