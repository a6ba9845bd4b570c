//! `rmcp enable`, `rmcp disable` and `rmcp status`: RMCP for every process of the machine.

use crate::effective_policy::{self, OptionValue};
use crate::exit_status;
use crate::output::{self, OutputArguments, Report};
use crate::preload;
use crate::scratch::Scratch;
use anyhow::{Context, Result, bail, ensure};
use rmcp_system::confirm::{self, Watch};
use rmcp_system::{Disabled, Enabled, LIST, System, list, loaders, tree, variables};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Makes every process of this machine load RMCP, through /etc/ld.so.preload.
///
/// Installs the libraries, tries programs with them in a mount namespace of their own, and only then changes the list.
/// `rmcp disable --system` takes it back; where nothing starts any more, rmcp-rescue does.
#[derive(clap::Args)]
pub struct Enable {
    /// The whole machine. For one program use rmcp-run.
    #[arg(long, required = true)]
    system: bool,

    /// Takes RMCP back after this time, such as 5m or 300s, unless `rmcp enable --system --confirm` comes first.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    confirm_within: Option<Duration>,

    /// Keeps what was enabled with --confirm-within.
    #[arg(long, conflicts_with = "confirm_within")]
    confirm: bool,

    /// Goes on although a library defines variables under the names of HIP's functions: programs that load it then end
    /// with a segmentation fault.
    #[arg(long, conflicts_with = "confirm")]
    accept_variables: bool,
}

/// Takes RMCP out of /etc/ld.so.preload, and removes its libraries once no process has them.
#[derive(clap::Args)]
pub struct Disable {
    /// The whole machine.
    #[arg(long, required = true)]
    system: bool,

    /// Removes the libraries although processes have them mapped; those keep their mapping.
    #[arg(long)]
    purge: bool,
}

/// Shows whether every process of this machine loads RMCP.
///
/// Exit status 0 if so, 3 if not, 1 if it should and something is wrong.
#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    output: OutputArguments,
}

/// `rmcp enable`.
pub fn enable(arguments: &Enable) -> Result<()> {
    let system = System::host();
    let lock = system.lock()?;
    let mut out = output::stdout();
    if arguments.confirm {
        ensure!(confirm::clear(&system)?, "nothing waits to be confirmed");
        return Ok(writeln!(out, "Confirmed: {LIST} stays as it is.")?);
    }
    let gate = preload::find_gate()?;
    let rescue = gate.with_file_name(RESCUE);
    let confirm = match arguments.confirm_within {
        Some(_) if !rescue.is_file() => {
            bail!("{} is missing; without it nothing could be taken back", rescue.display())
        }
        within => within.map(|within| (rescue.as_path(), within)),
    };
    check_variables(&system, arguments.accept_variables, &mut out)?;
    let scratch = Scratch::new("trial")?;
    // The trial runs programs of other users on what is in there.
    set_searchable(scratch.path())?;
    match system.enable(&gate, confirm, scratch.path(), &lock)? {
        Enabled::AlreadyListed { entry } => writeln!(out, "{LIST} names {entry} already.")?,
        Enabled::Added { entry, watch } => {
            writeln!(out, "{LIST} now names {entry}.")?;
            if let (Some(watch), Some(within)) = (watch, arguments.confirm_within) {
                let who = match watch {
                    Watch::Systemd => "a timer of systemd",
                    Watch::Process => "a process of rmcp-rescue",
                };
                let seconds = within.as_secs();
                let boot = if confirm::at_boot(&system) { ", and so does the next boot" } else { "" };
                writeln!(out, "In {seconds} s {who} takes it back{boot}, unless you run:")?;
                writeln!(out, "    rmcp enable --system --confirm")?;
            }
        }
    }
    tree::clean(&system, false)?;
    Ok(())
}

/// Names the libraries that no preload can serve, and refuses unless that is accepted.
fn check_variables(system: &System, accepted: bool, out: &mut dyn Write) -> Result<()> {
    let search = variables::search(system);
    if let Some(folder) = &search.ended_at {
        writeln!(out, "The time did not suffice to look through all libraries; {folder:?} and more were left out.")?;
    }
    let named = |(library, name): &(PathBuf, String)| format!("    {library:?} has {name}\n");
    let list: String = search.libraries.iter().map(named).collect();
    if list.is_empty() {
        return Ok(());
    }
    let what = "define variables under the names of HIP's functions. With RMCP in every process they would store into its \
                code, and each program that loads one would end with a segmentation fault";
    ensure!(
        accepted,
        "these libraries {what}:\n{list}The list was left alone. Remove them, use rmcp-run for the programs that shall have \
         RMCP, or accept it with --accept-variables"
    );
    Ok(write!(out, "These libraries {what}:\n{list}")?)
}

/// The static command beside the libraries.
pub const RESCUE: &str = "rmcp-rescue";

fn set_searchable(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} searchable", folder.display()))
}

/// `rmcp disable`.
pub fn disable(arguments: &Disable) -> Result<()> {
    let system = System::host();
    let lock = system.lock()?;
    let mut out = output::stdout();
    let disabled = system.disable(&lock)?;
    confirm::clear(&system)?;
    match disabled {
        Disabled::Removed => writeln!(out, "{LIST} names RMCP no more; processes that run keep it until they end.")?,
        Disabled::NotListed => writeln!(out, "{LIST} does not name RMCP.")?,
    }
    for left in tree::clean(&system, arguments.purge)? {
        let folder = format!("{}/{left}", tree::TREE);
        writeln!(out, "{folder} is in use and stays; run `rmcp disable --system` again later, or with --purge.")?;
    }
    Ok(())
}

/// `rmcp status`.
pub fn status(arguments: &Status) -> Result<ExitCode> {
    let state = SystemState::read(&System::host())?;
    arguments.output.print(&state)?;
    Ok(match (&state.entry, state.trouble.is_empty()) {
        (None, _) => ExitCode::from(exit_status::DISABLED),
        (Some(_), true) => ExitCode::SUCCESS,
        (Some(_), false) => ExitCode::FAILURE,
    })
}

/// What the list says of RMCP, and whether it is so.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "State")]
pub struct SystemState {
    /// RMCP's entry in /etc/ld.so.preload.
    entry: Option<String>,
    /// The option that restricts RMCP to some programs; null: it is for all.
    only: Option<OptionValue>,
    /// Whose memory RMCP changes, and why; null: it is not in the list.
    memory: Option<String>,
    /// The other entries.
    foreign: Vec<String>,
    /// What the loaders of this machine say against it.
    trouble: Vec<String>,
    /// Whether it is taken back unless somebody confirms.
    unconfirmed: bool,
    /// Running processes that have mapped a library of RMCP's system folder, as far as this user may see.
    processes: usize,
}

impl SystemState {
    fn read(system: &System) -> Result<Self> {
        let entries = list::entries(&system.list()?);
        let (ours, foreign): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| list::is_rmcp(entry));
        let entry = ours.into_iter().next();
        let trouble = match &entry {
            Some(_) => loaders::complaints(system, Scratch::new("status")?.path())?,
            None => Vec::new(),
        };
        let processes = tree::users(system, &format!("{}/", tree::TREE));
        let only = entry.as_deref().and_then(effective_policy::only_option);
        let memory = entry.as_deref().map(effective_policy::rewritten_memory_of_entry);
        Ok(Self { entry, only, memory, foreign, trouble, unconfirmed: confirm::pending(system).is_some(), processes })
    }
}

impl Report for SystemState {
    const SCHEMA: &'static str = "rmcp.status/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.entry {
            None => writeln!(out, "RMCP is not in {LIST}. Programs started by rmcp-run have it.")?,
            Some(entry) => writeln!(out, "RMCP is in {LIST}, as {entry}.")?,
        }
        if let Some(only) = &self.only {
            writeln!(out, "It is active {}.", only.restriction())?;
        }
        if let Some(memory) = &self.memory {
            writeln!(out, "Memory that changes: {memory}.")?;
        }
        for line in &self.trouble {
            writeln!(out, "{}", output::styled(output::BAD, line))?;
        }
        if !self.trouble.is_empty() {
            writeln!(out, "Run `rmcp enable --system` again, or `rmcp disable --system`.")?;
        }
        if self.unconfirmed {
            writeln!(out, "It will be taken back unless you run `rmcp enable --system --confirm`.")?;
        }
        if self.processes > 0 {
            writeln!(out, "Running processes that have it: {}.", self.processes)?;
        }
        if !self.foreign.is_empty() {
            writeln!(out, "Also in the list: {}.", self.foreign.join(", "))?;
        }
        Ok(())
    }
}

/// Reads "5m", "300s" or "300".
fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write it as 90s, 5m or 1h".into()),
    };
    let number: u64 = number.parse().map_err(|_| "write it as 90s, 5m or 1h")?;
    match number.checked_mul(factor) {
        Some(seconds @ 1..=86400) => Ok(Duration::from_secs(seconds)),
        _ => Err("it takes between 1s and 24h".into()),
    }
}
