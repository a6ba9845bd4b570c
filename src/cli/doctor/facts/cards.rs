//! What the topology tells of each card, and what the installed software has for it.

use super::bus;
use super::runtimes::Runtimes;
use super::software::{rocblas_folder, torch};
use super::{CARD, Fact, Facts};
use crate::commands::detect::Survey;
use crate::inspect::{CodeInventory, inspect_paths};
use crate::installs::{Distribution, Python};
use rmcp_domain::gfx::{Family, GfxTarget};
use rmcp_domain::save_area;
use rmcp_domain::topology::{DEFAULT_ROOT, Gpu, IoLink};
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Facts {
    /// The cards that the KFD lists.
    pub(super) fn add_cards(&mut self, survey: &Survey) {
        let readable = survey.policy.topology.as_ref().map_or_else(ToString::to_string, |_| "ok".into());
        self.add("kfd.topology", Fact::new(readable, DEFAULT_ROOT));
        let Ok(topology) = &survey.policy.topology else { return };
        let integrated = topology.gpus.iter().filter(|gpu| is_integrated(gpu)).count();
        self.add("kfd.skipped", Fact::new(topology.skipped.len(), DEFAULT_ROOT));
        let skipped = topology.skipped.iter().map(|skipped| format!("node {}: {}", skipped.node, skipped.reason));
        self.add("kfd.skipped_nodes", Fact { values: skipped.collect(), from: DEFAULT_ROOT.into() });
        self.add_masks(survey);
        self.add("cards.count", Fact::new(topology.gpus.len(), DEFAULT_ROOT));
        self.add("cards.integrated", Fact::new(integrated, DEFAULT_ROOT));
        self.add("cards.discrete", Fact::new(topology.gpus.len() - integrated, DEFAULT_ROOT));
        let visible = topology.visible(&survey.policy.masks).len();
        self.add("cards.visible", Fact::new(visible, "the environment"));
        let readable: Vec<bool> =
            topology.gpus.iter().filter_map(|gpu| Some(survey.overrides.of(gpu, topology)?.target.is_some())).collect();
        let all = readable.into_iter().reduce(|one, other| one && other).map(|all| if all { "yes" } else { "no" });
        self.add("override.readable", Fact::of(all, "the environment"));
        let (installed, runtimes) = (Installed::read(survey), Runtimes::read(survey));
        self.cards = Some(topology.gpus.iter().map(|gpu| card(gpu, survey, &installed, &runtimes)).collect());
    }
}

fn is_integrated(gpu: &Gpu) -> bool {
    gpu.apu || gpu.target.integrated()
}

fn card(gpu: &Gpu, survey: &Survey, installed: &Installed, runtimes: &Runtimes) -> BTreeMap<String, Fact> {
    let from = format!("{DEFAULT_ROOT}/nodes/{}", gpu.node);
    let mut facts = bus::card(survey, gpu);
    facts.append(&mut runtimes.card(survey, gpu));
    let mut add = |name: &str, fact: Fact| _ = facts.insert(format!("{CARD}{name}"), fact);
    add("target", Fact::new(gpu.target, &from));
    let family = match gpu.target.family() {
        Family::Rdna1 => "RDNA1",
        Family::Rdna2 => "RDNA2",
        Family::Other => "other",
    };
    add("family", Fact::new(family, &from));
    add("integrated", Fact::flag(is_integrated(gpu), &from));
    add("vram_mib", Fact::new(gpu.vram_bytes() >> 20, &from));
    if let Some(card) = save_area::Card::read(&survey.machine.resolve(DEFAULT_ROOT), gpu.node) {
        add("waves_per_cu", Fact::new(card.waves_per_unit(), &format!("{from}/properties")));
    }
    let refuses = |link: &IoLink| link.kind == IoLink::PCIE && (link.no_atomics_32() || link.no_atomics_64());
    add("pcie_atomics", Fact::flag(!gpu.links.iter().any(refuses), &from));
    for (fact, package) in [("rocm_part", "rocm_sdk_device"), ("torch_part", "amd_torch_device")] {
        let name = format!("{package}_{}", gpu.target);
        let real = |package: &&Distribution| package.name == name && package.version != "0.0.1.dev0";
        let version = installed.packages.iter().find(real).map(|package| &package.version);
        add(fact, Fact::of(version, "the packages of the Pythons"));
    }
    if let Some(node) = survey.render_node(gpu) {
        add("render_open", Fact::new(node.access.word(), &node.path.display().to_string()));
    }
    if let Some((code, from)) = &installed.torch
        && let Some(code) = code_of(gpu.target, code)
    {
        add("in_torch", Fact::flag(code == "native", from));
        add("torch_code", Fact::new(code, from));
    }
    if let Some((code, from)) = &installed.rocblas {
        add("in_rocblas", Fact::flag(code.targets().runs_on(gpu.target), from));
    }
    facts
}

/// What is installed for cards: GPU code with where it was found, and packages.
struct Installed {
    torch: Option<(CodeInventory, String)>,
    rocblas: Option<(CodeInventory, String)>,
    packages: Vec<Distribution>,
}

impl Installed {
    fn read(survey: &Survey) -> Self {
        let look = |paths: &[PathBuf]| {
            let from: Vec<String> = paths.iter().map(|path| survey.display_path(path)).collect();
            (!paths.is_empty()).then(|| (inspect_paths(paths, &[]), from.join(", ")))
        };
        let rocblas: Vec<PathBuf> = survey.rocm.iter().filter_map(rocblas_folder).collect();
        Self {
            torch: torch(survey).and_then(|torch| look(&torch.code)),
            rocblas: look(&rocblas),
            packages: survey.pythons.iter().flat_map(Python::distributions).collect(),
        }
    }
}

/// What the libraries of a program have for a card, as the fact card.torch_code says it. None: they have no code at all.
fn code_of(card: GfxTarget, found: &CodeInventory) -> Option<&'static str> {
    let substitute = match card.family() {
        Family::Rdna1 => GfxTarget::new(10, 1, 0),
        Family::Rdna2 => GfxTarget::new(10, 3, 0),
        Family::Other => card,
    };
    let libraries: Vec<[bool; 2]> =
        found.required().map(|code| [card, substitute].map(|target| code.targets.runs_on(target))).collect();
    let all = |which: fn(&[bool; 2]) -> bool| libraries.iter().all(which);
    Some(match libraries.first()? {
        _ if all(|[native, _]| *native) => "native",
        _ if all(|[native, substitute]| !native && !substitute) => "missing",
        _ if all(|[_, substitute]| *substitute) => "substitute",
        _ if all(|[native, substitute]| *native || *substitute) => "torn",
        _ => "partial",
    })
}
