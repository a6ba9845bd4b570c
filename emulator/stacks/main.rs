//! `rocm-stack`: fetch ROCm user-mode stacks from Debian and run programs in them.
#![forbid(unsafe_code)]

use anyhow::{Result, anyhow, ensure};
use clap::{Parser, Subcommand};
use rmcp_stacks::{Release, Stack};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

/// ROCm user-mode stacks from Debian, without root, cached in ~/.cache/rmcp.
#[derive(Parser)]
#[command(name = "rocm-stack", version)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the releases, and which of them the cache has.
    List,
    /// Download releases into the cache.
    Fetch {
        /// Versions as `list` prints them, or `all`.
        #[arg(required = true)]
        releases: Vec<String>,
        /// More packages of the same suite, in an overlay.
        #[arg(long = "with", value_name = "PACKAGE")]
        packages: Vec<String>,
        /// Of these packages no files that are named after other cards than this.
        #[arg(long = "target", value_name = "GFX", requires = "packages")]
        targets: Vec<String>,
        /// What the suites have today, also where the cache has a release already.
        #[arg(long)]
        newest: bool,
    },
    /// Print the packages that the cache has in other versions than were last tested; fails where there are any.
    Moved,
    /// Print where a release is unpacked, downloading it first if need be.
    Path {
        /// The version.
        release: Release,
    },
    /// Run a program with a release's libraries, downloading them first if need be.
    Run {
        /// The version.
        release: Release,
        /// More packages of the same suite, in an overlay.
        #[arg(long = "with", value_name = "PACKAGE")]
        packages: Vec<String>,
        /// Of these packages no files that are named after other cards than this.
        #[arg(long = "target", value_name = "GFX", requires = "packages")]
        targets: Vec<String>,
        /// A program of the stack by name, or a path; and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

fn main() -> Result<()> {
    match Cli::parse().action {
        Action::List => list(),
        Action::Fetch { releases, packages, targets, newest } => {
            for release in parse(&releases)? {
                let stack = if newest { Stack::fetch_newest(release)? } else { Stack::fetch(release)? };
                let stack = with(stack, &packages, &targets)?;
                println!("{}", describe(&stack));
            }
            Ok(())
        }
        Action::Moved => moved(),
        Action::Path { release } => {
            println!("{}", Stack::fetch(release)?.prefix().display());
            Ok(())
        }
        Action::Run { release, packages, targets, command } => {
            let stack = with(Stack::fetch(release)?, &packages, &targets)?;
            let error = stack.command(&command[0])?.args(&command[1..]).exec();
            Err(anyhow!(error).context(format!("run {}", command[0].display())))
        }
    }
}

fn with(stack: Stack, packages: &[String], targets: &[String]) -> Result<Stack> {
    if packages.is_empty() {
        return Ok(stack);
    }
    let [names, targets] = [packages, targets].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
    stack.with_packages_for(&names, &targets)
}

fn parse(names: &[String]) -> Result<Vec<Release>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Release::ALL.to_vec());
    }
    let releases = names.iter().map(|name| name.parse().map_err(|e: String| anyhow!(e)));
    releases.collect()
}

fn moved() -> Result<()> {
    let mut count = 0;
    for release in Release::ALL {
        let Some(stack) = Stack::cached(release)? else { continue };
        let lines = rmcp_stacks::moved(release, stack.packages());
        count += lines.len();
        lines.iter().for_each(|line| println!("{release}, Debian {}: {line}", release.suite()));
    }
    ensure!(count == 0, "packages that moved: {count}");
    Ok(())
}

fn list() -> Result<()> {
    for release in Release::ALL {
        match Stack::cached(release)? {
            Some(stack) => println!("{}", describe(&stack)),
            None => println!("{release}  Debian {}, not fetched", release.suite()),
        }
    }
    Ok(())
}

fn describe(stack: &Stack) -> String {
    let versions: Vec<String> = stack
        .packages()
        .iter()
        .filter(|p| p.name.starts_with("libamdhip64-") || p.name.starts_with("libhsa-runtime64"))
        .filter(|p| p.name != "libamdhip64-dev")
        .map(|p| format!("{} {}", p.name, p.version))
        .collect();
    format!(
        "{}  Debian {}, {}, in {}",
        stack.release(),
        stack.release().suite(),
        versions.join(", "),
        stack.prefix().display()
    )
}
