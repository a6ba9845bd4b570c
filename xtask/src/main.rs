//! The commands of this repository; `cargo xtask help` lists them. Each is a short list of other programs' runs.
//!
//! - [`check`]: what is held on every edit, and everything, in lanes; [`coverage`]: which lines the tests run.
//! - [`build`]: the folder that is laid out as installed, with [`zig`] in the linker's place for older systems, and
//!   [`symbols`], which holds what it may import.
//! - [`manual`]: man pages and completions; [`package`]: the packages; [`release`], with the sections of [`changelog`].
//! - [`docs`]: the book; [`generate`]: texts that come from code, which the tests in `pages` make and check; tests in `texts`
//!   look at the links and names of all the others.
//! - [`tools`]: programs of others, each of one version, in a cache; [`run`]: how programs are run.

mod build;
mod changelog;
mod check;
mod coverage;
mod docs;
mod generate;
mod manual;
mod package;
#[cfg(test)]
mod pages;
mod release;
mod run;
mod symbols;
#[cfg(test)]
mod texts;
mod tools;
mod zig;

use anyhow::Result;
use build::Build;
use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;

/// The commands of this repository
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", max_term_width = 120)]
enum Xtask {
    /// Build everything into target/rmcp, laid out as installed
    Build {
        /// For systems from glibc 2.28 on, into target/rmcp-portable
        #[arg(long)]
        portable: bool,
    },
    /// Format, clippy, docs, book, unit and loading tests: for every edit
    Check,
    /// Which lines of src and emulator the tests run
    Coverage {
        /// Only with the tests of `cargo xtask check`
        #[arg(long)]
        quick: bool,
    },
    /// Build, then run `rmcp demo`
    Demo {
        /// What `rmcp demo` takes
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build the documentation as a book in target/book, and look up every link in it
    Docs,
    /// Write the generated files anew: include/rmcp.h, docs/reference, config/rmcp.toml, ...
    Generate {
        /// Also those that tests write of what they see: docs/reference/coverage.md, benches/counts.toml, ...
        #[arg(long)]
        observed: bool,
    },
    /// Build for older systems too, then make the packages in target/packages
    Package {
        /// Of the build for this machine
        #[arg(long, conflicts_with = "folder")]
        native: bool,
        /// Of what is built in this folder
        folder: Option<PathBuf>,
    },
    Release(release::Release),
    /// Install what is missing (as root), build, and run every check and test
    Test {
        /// One lane of it
        #[arg(long, value_name = "LANE")]
        only: Option<check::Lane>,
    },
}

fn main() -> Result<()> {
    match Xtask::parse() {
        Xtask::Build { portable } => {
            let build = if portable { Build::Portable } else { Build::Native };
            println!("built {}", build::everything(build)?.display());
        }
        Xtask::Check => check::check()?,
        Xtask::Coverage { quick } => coverage::measure(quick)?,
        Xtask::Demo { arguments } => {
            run::program(build::everything(Build::Native)?.join("bin/rmcp")).arg("demo").args(arguments).run()?;
        }
        Xtask::Docs => println!("built {}", docs::build()?.display()),
        Xtask::Generate { observed } => generate::write(observed)?,
        Xtask::Package { native, folder } => {
            let dist = match folder {
                Some(folder) => folder,
                None => build::everything(if native { Build::Native } else { Build::Portable })?,
            };
            println!("made {}", package::everything(&dist)?.display());
        }
        Xtask::Release(release) => release.run()?,
        Xtask::Test { only: Some(lane) } => lane.test()?,
        Xtask::Test { only: None } => check::everything()?,
    }
    Ok(())
}
