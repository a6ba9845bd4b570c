//! `rmcp explain save_area`: the numbers by which queues are refused.

use crate::effective_policy::{EffectivePolicy, OptionValue};
use crate::installs::{self, Runtime};
use crate::output::{self, BAD, FAINT, GOOD, Report, STRONG, styled};
use crate::save_area::MENDED;
use anyhow::{Result, anyhow};
use rmcp_domain::gfx::GfxTarget;
use rmcp_domain::release::Release;
use rmcp_domain::save_area::{self, KERNEL_WAVES, Sizes};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// How the runtime and the kernel size a queue's save area, and what RMCP does about it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SaveArea")]
pub struct SaveAreas {
    /// The option.
    option: OptionValue,
    /// The release of the kernel; null where it is not known.
    kernel: Option<String>,
    /// Each card, in HIP's order, or as --card names them.
    cards: Vec<Card>,
    /// Each runtime that is installed, for the cards of the machine; none where --card names others.
    runtimes: Vec<ShownRuntime>,
    /// What is wrong in the configuration.
    complaints: Vec<String>,
}

/// The numbers of one card.
#[derive(Serialize, JsonSchema)]
struct Card {
    /// HIP's number of it; null for one that --card names.
    ordinal: Option<usize>,
    /// Its gfx target.
    target: String,
    /// Its compute units.
    units: u32,
    /// The waves of a compute unit by its topology.
    waves: u32,
    /// By which number of waves Linux reckons, and to what it comes.
    linux: Numbers,
    /// By which number of waves a runtime reckons that goes by the topology, and to what it comes.
    runtime: Numbers,
}

/// Waves of a compute unit, and bytes.
#[derive(Serialize, JsonSchema)]
struct Numbers {
    /// The waves of a compute unit.
    waves: u32,
    /// Bytes of control stack.
    control_stack: u64,
    /// Bytes of the whole mapping: control stack, waves, and what debuggers have.
    mapping: u64,
}

/// What RMCP does for a runtime.
#[derive(Serialize, JsonSchema)]
struct ShownRuntime {
    /// The file of libhsa-runtime64.
    file: String,
    /// The release of ROCm that it says it is of; null where it does not say.
    release: Option<String>,
    /// Whether RMCP shows it the kernel's number of waves.
    shown: bool,
    /// Why, a clause.
    why: String,
}

impl Numbers {
    fn new(waves: u32, sizes: Sizes) -> Self {
        Self { waves, control_stack: sizes.control_stack, mapping: sizes.mapping }
    }
}

impl SaveAreas {
    /// For the machine's cards, or for those that are named.
    pub fn new(machine: &EffectivePolicy, named: &[GfxTarget]) -> Result<Self> {
        let assessment = machine.save_area(Path::new("/"), None);
        let visible = machine.visible();
        let card = |ordinal: Option<usize>, card: &save_area::Card| Card {
            ordinal,
            target: card.target.to_string(),
            units: card.units,
            waves: card.waves_per_unit(),
            linux: Numbers::new(KERNEL_WAVES, card.kernel_sizes()),
            runtime: Numbers::new(card.waves_per_unit(), card.runtime_sizes()),
        };
        let cards: Vec<Card> = if named.is_empty() {
            let of_machine = visible.iter().enumerate();
            of_machine.filter_map(|(number, gpu)| Some(card(Some(number), assessment.cards.get(&gpu.node)?))).collect()
        } else {
            named.iter().map(|target| Ok(card(None, &built_in(*target)?))).collect::<Result<_>>()?
        };
        if cards.is_empty() {
            return Err(anyhow!("no card here says its waves; name one: rmcp explain save_area --card gfx1010"));
        }
        let runtimes = if named.is_empty() { installed() } else { Vec::new() };
        let runtime = |runtime: &Runtime| {
            let file = runtime.hsa.as_deref()?;
            let verdict = match machine.inactive_reason() {
                Some(why) => Err(why),
                None => assessment.shows(&visible, Some(file)).map_err(|why| why.to_string()),
            };
            Some(ShownRuntime {
                file: file.display().to_string(),
                release: Release::of_hsa_runtime(file).map(|release| release.to_string()),
                shown: verdict.is_ok(),
                why: verdict.err().unwrap_or_else(|| MENDED.into()),
            })
        };
        Ok(Self {
            option: machine.option("save_area"),
            kernel: assessment.kernel.map(|kernel| kernel.to_string()),
            cards,
            runtimes: runtimes.iter().filter_map(runtime).collect(),
            complaints: machine.loaded.complaints.iter().map(ToString::to_string).collect(),
        })
    }
}

/// The runtimes of the installations.
fn installed() -> Vec<Runtime> {
    installs::installations(&installs::Machine::local()).into_iter().filter_map(|rocm| rocm.runtime).collect()
}

/// The card that `rmcp emulate` has for a target.
fn built_in(target: GfxTarget) -> Result<save_area::Card> {
    let unknown = || {
        let names = rmcp_machine::CARDS.map(|card| card.name).join(", ");
        anyhow!("the compute units of a {target} are not known here; known are those of {names}")
    };
    let machine = rmcp_machine::Machine::load(&target.to_string()).map_err(|_| unknown())?;
    let gpu = machine.gpu.first().ok_or_else(unknown)?;
    Ok(save_area::Card::new(target, gpu.compute_units, gpu.simd_per_cu, gpu.waves_per_simd))
}

impl Report for SaveAreas {
    const SCHEMA: &'static str = "rmcp.explain-save-area/1";

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", styled(STRONG, "The save area of a compute queue"))?;
        for card in &self.cards {
            let name = card.ordinal.map_or_else(String::new, |ordinal| format!("GPU {ordinal}, "));
            writeln!(out, "\n{name}{} with {} compute units", card.target, card.units)?;
            let mut table = output::table(["reckoned by", "waves a unit", "control stack", "mapping"]);
            for (who, numbers) in [("Linux", &card.linux), ("the topology, as ROCm 7.14 to 10.1", &card.runtime)] {
                let hex = |bytes: u64| format!("{bytes:#x}");
                let (stack, mapping) = (hex(numbers.control_stack), hex(numbers.mapping));
                table.add_row([who.into(), numbers.waves.to_string(), stack, mapping]);
            }
            writeln!(out, "{table}")?;
            let (linux, runtime) = (&card.linux, &card.runtime);
            let same = (linux.control_stack, linux.mapping) == (runtime.control_stack, runtime.mapping);
            let verdict = if same {
                styled(GOOD, "Both come to the same.")
            } else {
                styled(BAD, "Linux from 6.12 on refuses such a queue, so that no kernel starts.")
            };
            writeln!(out, "{verdict}")?;
        }
        let mut facts = vec![
            ("option", format!("{} = {} ({})", self.option.name, self.option.value, self.option.origin)),
            ("kernel", self.kernel.clone().unwrap_or_else(|| "unknown".into())),
        ];
        for runtime in &self.runtimes {
            let release = runtime.release.as_deref().unwrap_or("of unknown release");
            let verb = if runtime.shown { styled(GOOD, "is mended") } else { styled(FAINT, "stays as it is") };
            facts.push(("runtime", format!("{} ({release}) {verb}: {}", runtime.file, runtime.why)));
        }
        facts.extend(self.complaints.iter().map(|complaint| ("wrong", complaint.clone())));
        writeln!(out, "\n{}", output::fact_table("", facts))
    }
}
