//! `rmcp inspect`: for which cards files have code.

mod report;
pub mod verdict;

use crate::exit_status;
use crate::inspect;
use crate::installs::{Backend, Framework, Machine, Program, Python};
use crate::output::{self, OutputArguments};
use anyhow::{Result, bail};
pub use report::Inspection;
use report::Package;
use rmcp_domain::gfx::GfxTarget;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Lists the gfx targets that files have code for, and whether this machine's cards are among them.
///
/// Reads ELF programs with the libraries that they load, libraries, archives, offload bundles, code objects, and the
/// folders of rocBLAS, hipBLASLt and MIOpen. Nothing is run.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rmcp inspect torch\n  rmcp inspect /opt/rocm/lib/librocblas.so \
                        /opt/rocm/lib/rocblas/library\n  rmcp inspect ./libggml-hip.so --card gfx1031")]
pub struct Arguments {
    /// Files, folders, or names of Python packages such as torch.
    #[arg(required = true, value_name = "FILE|FOLDER|PACKAGE")]
    what: Vec<PathBuf>,

    /// A card of this gfx target instead of the machine's own; repeatable.
    #[arg(long, value_name = "GFX")]
    card: Vec<GfxTarget>,

    /// The Python interpreter whose packages are meant; else that of the shell.
    #[arg(long, value_name = "INTERPRETER")]
    python: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArguments,
}

/// The subcommand. Its status is [`exit_status::NOT_COVERED`] when a card has no code.
pub fn main(arguments: &Arguments) -> Result<ExitCode> {
    let machine = Machine::local();
    let mut packages = Vec::new();
    let (mut asked, mut brings) = (Vec::new(), Vec::new());
    for what in &arguments.what {
        if what.exists() || what.components().count() != 1 {
            asked.push(what.clone());
            // What a program loads is as good as its own.
            if let Ok(program) = Program::read(what, &machine)
                && program.dynamic
            {
                brings.extend(program.code_files(&machine));
            }
        } else {
            let (package, code) = read_package(what, arguments.python.as_deref(), &machine)?;
            packages.push(package);
            brings.extend(code);
        }
    }
    let found = inspect::inspect_paths(&asked, &brings);
    if found.code.is_empty() {
        match found.problems.first() {
            Some(problem) => bail!("{}: {}", output::escape_line(problem.path.display()), problem.reason),
            None => bail!("there is no GPU code in {}", path_list(&arguments.what)),
        }
    }
    let unread = found.problems.iter().any(|problem| asked.contains(&problem.path) || brings.contains(&problem.path));
    let inspection = Inspection::new(found, packages, &arguments.card);
    arguments.output.print(&inspection)?;
    Ok(match (unread, inspection.covers_every_card()) {
        (true, _) => ExitCode::from(exit_status::FAILURE),
        (false, false) => ExitCode::from(exit_status::NOT_COVERED),
        (false, true) => ExitCode::SUCCESS,
    })
}

fn path_list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| output::escape_line(path.display())).collect::<Vec<_>>().join(", ")
}

/// A package by name, and what to read of it.
fn read_package(name: &Path, interpreter: Option<&Path>, machine: &Machine) -> Result<(Package, Vec<PathBuf>)> {
    let shown = name.display();
    let python = match interpreter {
        Some(path) => Python::find(path, machine),
        None => Python::default_interpreter(machine),
    };
    let Some(python) = python else {
        match interpreter {
            Some(path) => bail!("{} is no Python interpreter", path.display()),
            None => {
                bail!("there is no file {shown}, and no Python interpreter whose package it could be; set --python")
            }
        }
    };
    let name = name.to_str().unwrap_or_default();
    let folder = python.find_package(name).map_err(|error| anyhow::anyhow!("there is no file {shown}, and {error}"))?;
    let framework = python.frameworks(machine).into_iter().find(|framework| framework.name == name);
    if let Some(Framework { backend: Backend::Other(backend), folder, .. }) = &framework {
        bail!(
            "{name} in {} was built for {backend}, not for ROCm; install it anew from an index of ROCm wheels",
            folder.display()
        );
    }
    let backend = framework.as_ref().map(|framework| framework.backend.to_string());
    let rocm = framework.as_ref().and_then(Framework::rocm_release);
    let alternatives = framework.as_ref().and_then(Framework::known).is_some_and(|row| row.alternatives);
    let (version, runtime, mut code) = match framework {
        Some(Framework { version, runtime, code, .. }) => (version, runtime, code),
        None => (None, None, Vec::new()),
    };
    if !alternatives || code.is_empty() {
        code.push(folder.clone());
    }
    let runtime = runtime.map(|runtime| runtime.hip);
    Ok((Package { name: name.into(), folder, version, backend, runtime, rocm }, code))
}
