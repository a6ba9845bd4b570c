//! `rmcp explain`: what would become of a call.

mod callers;
mod outcome;
mod pages;
mod save_area;

use super::doctor;
use crate::effective_policy::{self, EffectivePolicy, OptionValue};
use crate::flag_names::FlagNames;
use crate::output::{self, FAINT, GOOD, OutputArguments, Report, STRONG, styled};
use crate::preparation;
use anyhow::{Result, anyhow, bail};
use callers::CallerGroup;
use outcome::{Outcome, PolicyQuery, call_text};
use pages::Reference;
use rmcp_abi::{HOOKS, Hook, HookInfo, Policy};
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::options::{self, Row};
use rmcp_domain::topology::{Gpu, PciAddress, TopologyError};
pub use save_area::SaveAreas;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

/// Shows what RMCP would make of a call on each card, and why.
///
/// Asks the same rules as librmcp.so, under the options that a program started here would have.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  rmcp explain hipHostMalloc 'Mapped|Portable'\n  rmcp explain hipMallocManaged \
                        --card gfx1030\n  rmcp explain hipHostRegister --set register=coarse\n  rmcp explain save_area --card gfx1012\n  \
                        rmcp explain problem override.unreadable")]
pub struct Arguments {
    /// The function, such as hipHostMalloc; the option save_area; or problem, with names of problems behind it.
    #[arg(required_unless_present = "list")]
    call: Option<String>,

    /// Its flags: names with or without hipHostMalloc and the like, numbers, joined by | or blanks.
    flags: Vec<String>,

    /// A card of this gfx target instead of the machine's own; repeatable.
    #[arg(long, value_name = "GFX")]
    card: Vec<GfxTarget>,

    /// Sets an option, as rmcp-run does; repeatable.
    #[arg(short, long, value_name = "OPTION=VALUE", value_parser = options::assignment)]
    set: Vec<(&'static Row, String)>,

    /// The options for this program: its sections in the files count.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<OsString>,

    /// The call as this library makes it, such as librccl.so.1 or its path.
    #[arg(long, value_name = "FILE")]
    caller: Option<String>,

    /// Lists every function that RMCP hooks.
    #[arg(long, conflicts_with_all = ["call", "card", "set", "program", "caller"])]
    list: bool,

    #[command(flatten)]
    output: OutputArguments,
}

/// What becomes of a call.
#[derive(Serialize, JsonSchema)]
pub struct Explanation {
    /// The call, with its flags by name.
    call: String,
    /// Its flags as a number; null where it has none.
    flags: Option<u32>,
    /// What it takes, in Rust's spelling of C.
    signature: String,
    /// The library it belongs to.
    library: &'static str,
    /// The row of docs/reference/hooks.md.
    hooks_page: &'static str,
    /// The row of docs/understand/coherence.md that is about this call; null where there is none.
    coherence_page: Option<Reference>,
    /// The options that say something about this call.
    options: Vec<OptionValue>,
    /// What is wrong in the configuration.
    complaints: Vec<String>,
    /// Each card, in HIP's order.
    cards: Vec<Card>,
}

/// What becomes of the call on one card.
#[derive(Serialize, JsonSchema)]
struct Card {
    /// HIP's number of it; null for one that --card names.
    ordinal: Option<usize>,
    /// Its real gfx target.
    target: String,
    /// Its PCI address; null for one that --card names.
    pci: Option<String>,
    /// What becomes of the call, by circumstances.
    outcomes: Vec<Outcome>,
}

/// Every hooked function.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Hooked")]
pub struct HookList {
    /// In the order of docs/reference/hooks.md.
    functions: Vec<Function>,
}

/// A hooked function.
#[derive(Serialize, JsonSchema)]
struct Function {
    /// Its name.
    name: &'static str,
    /// The library it belongs to.
    library: &'static str,
    /// What it takes, in Rust's spelling of C.
    signature: String,
    /// What RMCP does.
    what: &'static str,
}

/// The subcommand.
pub fn main(arguments: &Arguments) -> Result<()> {
    let Some(name) = &arguments.call else { return arguments.output.print(&HookList::new()) };
    if name == "problem" {
        return doctor::explain(&arguments.flags, arguments.output);
    }
    let mut sources = effective_policy::policy_sources(Path::new("/"));
    effective_policy::apply_settings(&mut sources, &arguments.set);
    sources.program = arguments.program.as_ref().map(|program| preparation::resolve_program(program));
    let machine = EffectivePolicy::read(&sources, Path::new("/"));
    if name == "save_area" {
        return arguments.output.print(&SaveAreas::new(&machine, &arguments.card)?);
    }
    let hook = find_hook(name)?;
    let flags = requested_flags(hook, &arguments.flags)?;
    let cards = requested_cards(&machine, &arguments.card, name)?;
    let callers = callers::caller_groups(&machine.loaded, arguments.caller.as_deref());
    arguments.output.print(&Explanation::new(&machine, hook, flags, cards, &callers))
}

/// The hook of that name.
fn find_hook(name: &str) -> Result<Hook> {
    let names = || HOOKS.iter().map(|hook| hook.name);
    Hook::ALL.iter().find(|hook| hook.info().name == name).copied().ok_or_else(|| {
        let hint = options::did_you_mean(name, names());
        if name.starts_with("hip") || name.starts_with("hsa_") {
            anyhow!(
                "RMCP does not hook {name}{hint}: a call of it goes to the runtime as if RMCP were not there. \
                 `rmcp explain --list` names what is hooked"
            )
        } else {
            anyhow!("{name} is no function of HIP or HSA{hint}; `rmcp explain --list` names those that RMCP hooks")
        }
    })
}

fn requested_flags(hook: Hook, words: &[String]) -> Result<Option<u32>> {
    let name = hook.info().name;
    match FlagNames::for_hook(hook) {
        None if words.is_empty() => Ok(None),
        None => bail!("{name} takes no flags, so {:?} means nothing; its arguments are {}", words.join(" "), {
            signature(hook.info())
        }),
        Some(vocabulary) => match vocabulary.parse(words).map_err(|why| anyhow!("{name}: {why}"))? {
            None => bail!("{name}: say which, as in `rmcp explain {name} {}`", vocabulary.example()),
            flags => Ok(flags),
        },
    }
}

/// A card to answer for.
struct RequestedCard {
    target: GfxTarget,
    apu: bool,
    /// HIP's number and the place; None for one that is only named.
    visible: Option<(usize, PciAddress)>,
}

/// The cards to answer for.
fn requested_cards(machine: &EffectivePolicy, named: &[GfxTarget], call: &str) -> Result<Vec<RequestedCard>> {
    if !named.is_empty() {
        let named =
            named.iter().map(|target| RequestedCard { target: *target, apu: target.integrated(), visible: None });
        return Ok(named.collect());
    }
    let visible = machine.visible();
    let name_one = format!("name one: rmcp explain {call} --card gfx1010");
    match &machine.topology {
        Err(why @ TopologyError::Unreadable { .. }) => bail!("there is no card here ({why}); {name_one}"),
        Err(why) => bail!("{why}; {name_one}"),
        Ok(_) if visible.is_empty() => bail!("HIP sees no card here, `rmcp detect` says why; {name_one}"),
        Ok(_) => {
            let asked = |(number, gpu): (usize, &Gpu)| RequestedCard {
                target: gpu.target,
                apu: gpu.apu,
                visible: Some((number, gpu.pci)),
            };
            Ok(visible.into_iter().enumerate().map(asked).collect())
        }
    }
}

impl Explanation {
    fn new(
        machine: &EffectivePolicy,
        hook: Hook,
        asked: Option<u32>,
        cards: Vec<RequestedCard>,
        callers: &[CallerGroup],
    ) -> Self {
        let info = hook.info();
        let noncoherent = machine.makes_noncoherent(cards.iter().map(|card| (card.target, card.apu)));
        let card = |card: RequestedCard| {
            let idle = machine.idle_reason(card.target, card.apu);
            let answer = |callers: &CallerGroup| {
                let options = &callers.options;
                let rules = machine.rules_with(options, card.target, card.apu);
                let why = idle.as_deref().or(callers.exception.as_deref());
                PolicyQuery { hook, requested: asked, rules: &rules, idle_reason: why, options, noncoherent }.outcomes()
            };
            let outcomes = callers::outcomes_by_caller(callers, answer);
            let (ordinal, pci) = card.visible.map(|(ordinal, pci)| (ordinal, pci.to_string())).unzip();
            Card { ordinal, target: card.target.to_string(), pci, outcomes }
        };
        Self {
            call: call_text(hook, asked),
            flags: asked.filter(|_| FlagNames::for_hook(hook).is_some_and(|vocabulary| vocabulary.is_flags)),
            signature: signature(info),
            library: info.library.file_prefix(),
            hooks_page: info.policy.text(),
            coherence_page: pages::coherence_row(hook, asked.unwrap_or(0)),
            options: governing_options(hook).into_iter().map(|name| machine.option(name)).collect(),
            complaints: machine.loaded.complaints.iter().map(ToString::to_string).collect(),
            cards: cards.into_iter().map(card).collect(),
        }
    }
}

/// As people write it: the compiler puts blanks between the words of the table.
fn signature(hook: &HookInfo) -> String {
    hook.signature.replace(" : ", ": ").replace("* ", "*")
}

/// The options that the hook's row of docs/reference/hooks.md names.
fn governing_options(hook: Hook) -> Vec<&'static str> {
    let text = match hook {
        // Decided where libamdhip64 locks the memory.
        Hook::hipHostRegister => Policy::lock_to_pool.text(),
        _ => hook.policy().text(),
    };
    text.split('`').filter_map(|word| options::row(word).map(|row| row.name)).collect()
}

impl HookList {
    fn new() -> Self {
        let function = |hook: &HookInfo| Function {
            name: hook.name,
            library: hook.library.file_prefix(),
            signature: signature(hook),
            what: hook.policy.text(),
        };
        Self { functions: HOOKS.iter().map(function).collect() }
    }
}

impl Report for Explanation {
    const SCHEMA: &'static str = "rmcp.explain/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let number = self.flags.map(|flags| format!(", flags {flags:#x}")).unwrap_or_default();
        writeln!(out, "{} {}", styled(STRONG, &self.call), styled(FAINT, format!("({}{number})", self.library)))?;
        for card in &self.cards {
            match (&card.pci, card.ordinal) {
                (Some(pci), Some(ordinal)) => writeln!(out, "\nGPU {ordinal}, {} at {pci}", card.target)?,
                _ => writeln!(out, "\n{}", card.target)?,
            }
            for outcome in &card.outcomes {
                outcome.text(out)?;
            }
        }
        let option = |option: &OptionValue| format!("{} = {} ({})", option.name, option.value, option.origin);
        let row = |row: &Reference| format!("{}; without RMCP: {}; with RMCP: {}", row.call, row.without, row.with);
        let mut facts: Vec<(&str, String)> = self.options.iter().map(|each| ("option", option(each))).collect();
        facts.push(("docs/reference/hooks.md", self.hooks_page.into()));
        facts.extend(self.coherence_page.iter().map(|page| ("docs/understand/coherence.md", row(page))));
        facts.extend(self.complaints.iter().map(|complaint| ("wrong", complaint.clone())));
        writeln!(out, "\n{}", output::fact_table("", facts))
    }
}

impl Outcome {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(when) = &self.when {
            writeln!(out, "  {when}:")?;
        }
        let (style, verb) = if self.changed { (GOOD, "becomes") } else { (FAINT, "stays") };
        let indent = if self.when.is_some() { "    " } else { "  " };
        writeln!(
            out,
            "{}",
            output::fact_table(indent, [(&*styled(style, verb), &self.becomes), ("because", &self.why)])
        )
    }
}

impl Report for HookList {
    const SCHEMA: &'static str = "rmcp.explain-list/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = output::table(["function", "library", "what RMCP does"]);
        for function in &self.functions {
            table.add_row([function.name, function.library, function.what]);
        }
        writeln!(out, "{table}")
    }
}
