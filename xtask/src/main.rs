//! The commands of this repository: `cargo xtask help`.

mod build;
mod changelog;
mod check;
mod generate;
mod manual;
mod package;
mod release;
mod run;
mod symbols;
#[cfg(test)]
mod texts;
mod tools;
mod zig;

use anyhow::{Result, bail};
use build::Build;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  build      build everything into <target>/rmcp, laid out as installed; with --portable into <target>/rmcp-portable,
             for systems from glibc 2.28 on
  demo       build, then run `rmcp demo`
  generate   write the generated files anew: include/rmcp.h, docs/options.md, config/rmcp.toml, ...; with --observed
             also those that tests write of what they see: docs/coverage.md, emulator/gfx10/MUTATION.md
  lint       clippy, with warnings denied
  package    build for older systems too, then make the packages in <target>/packages; with --native of the build for
             this one, with a FOLDER of what is built there
  release    build the packages of this version, with checksums, a signature and notes
  test       install what is missing (as root), build, and run every check and test
";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match command.as_str() {
        "build" => println!("built {}", build::everything(Build::asked(&rest)?)?.display()),
        "demo" => run::program(build::everything(Build::Native)?.join("bin/rmcp")).arg("demo").args(rest).go()?,
        "generate" => {
            generate::write_all()?;
            if rest.iter().any(|word| word == "--observed") {
                generate::observe_all()?;
            }
        }
        "lint" => check::lint()?,
        "package" => {
            let dist = match rest.first().map(String::as_str) {
                None => build::everything(Build::Portable)?,
                Some("--native") => build::everything(Build::Native)?,
                Some(folder) => folder.into(),
            };
            println!("made {}", package::everything(&dist)?.display());
        }
        "release" => <release::Release as clap::Parser>::parse_from([command].into_iter().chain(rest)).go()?,
        "test" => check::everything()?,
        "help" | "--help" | "-h" | "" => print!("{USAGE}"),
        other => bail!("there is no command {other:?}\n{USAGE}"),
    }
    Ok(())
}
