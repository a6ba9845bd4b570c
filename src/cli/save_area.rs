//! What the option `save_area` does on this machine.

use rmcp_domain::options::{Options, SaveArea};
use rmcp_domain::release::Release;
use rmcp_domain::save_area::{self, Card, Reason};
use rmcp_domain::topology::{Gpu, Topology};
use std::collections::BTreeMap;
use std::path::Path;

/// What RMCP does about it, a clause.
pub const MENDED: &str = "while the runtime starts it is shown 32 waves (option save_area)";

/// What is known of the machine, and of the option in force.
#[derive(Clone, Debug, Default)]
pub struct Assessment {
    /// The release of the kernel.
    pub kernel: Option<Release>,
    /// What the topology says of each GPU's waves, by node.
    pub cards: BTreeMap<u32, Card>,
    /// Whether RMCP could act under the option for one of the visible GPUs; None: the option is off.
    option: Option<SaveArea>,
}

impl Assessment {
    /// For GPUs of the topology at `root`. `options`: those of a program in which RMCP is; None: it is in none.
    pub fn new(root: &Path, topology: &Topology, options: Option<&Options>, kernel: Option<Release>) -> Self {
        let card = |gpu: &Gpu| Some((gpu.node, Card::read(root, gpu.node)?));
        let option = options.map(save_area::option).filter(|option| *option != SaveArea::Off);
        Self { kernel, cards: topology.gpus.iter().filter_map(card).collect(), option }
    }

    /// For GPUs of 36 compute units with so many waves each.
    #[cfg(test)]
    pub fn with_waves(topology: &Topology, options: &Options, kernel: Option<Release>, waves: u32) -> Self {
        let card = |gpu: &Gpu| (gpu.node, Card::new(gpu.target, 36, 2, waves / 2));
        let option = Some(save_area::option(options)).filter(|option| *option != SaveArea::Off);
        Self { kernel, cards: topology.gpus.iter().map(card).collect(), option }
    }

    /// Whether no kernel would start without RMCP on this GPU, with a runtime of this release.
    pub fn is_refused(&self, gpu: &Gpu, release: Option<Release>) -> bool {
        self.on(SaveArea::Auto, &[gpu], release).is_ok()
    }

    /// Whether RMCP shows the runtime at `hsa`, of this release, the kernel's waves of these GPUs; or why not.
    pub fn shows(&self, gpus: &[&Gpu], hsa: Option<&Path>) -> Result<(), Reason> {
        let option = self.option.unwrap_or(SaveArea::Off);
        self.on(option, gpus, hsa.and_then(Release::of_hsa_runtime))
    }

    fn on(&self, option: SaveArea, gpus: &[&Gpu], release: Option<Release>) -> Result<(), Reason> {
        let cards: Vec<_> = gpus.iter().map(|gpu| self.cards.get(&gpu.node).copied()).collect();
        save_area::machine(option, &cards, self.kernel).and_then(|()| save_area::runtime(option, release))
    }
}
