//! The GPUs of this machine as the KFD describes them in sysfs.
//!
//! Under HSA_OVERRIDE_GFX_VERSION every answer of user space is changed; this one is not.

mod masks;
mod overrides;
mod pci;
mod read;
#[cfg(test)]
mod tests;

pub use masks::Masks;
pub use overrides::{Override, Overrides};
pub use pci::{NotAPciAddress, PciAddress};
pub use read::DEFAULT_ROOT;

use crate::gfx::GfxTarget;
use std::io;
use std::path::{Path, PathBuf};

/// All GPU nodes, in the order of their numbers, which is the order in which ROCr enumerates them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// The nodes that are GPUs.
    pub gpus: Vec<Gpu>,
    /// The nodes that could be GPUs but are not understood or not usable, and why.
    pub skipped: Vec<Skipped>,
}

/// A node that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The node's number.
    pub node: u32,
    /// Why, with the file that is to blame.
    pub reason: String,
}

/// A GPU node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Number of the node, as in nodes/1.
    pub node: u32,
    /// The KFD's own id of the GPU, never 0.
    pub gpu_id: u32,
    /// The real target, whatever HSA_OVERRIDE_GFX_VERSION says.
    pub target: GfxTarget,
    /// The ASIC's name in the kernel, such as "navi10"; may be empty.
    pub name: String,
    /// Where it sits.
    pub pci: PciAddress,
    /// PCI device id.
    pub device_id: u32,
    /// 128 in /dev/dri/renderD128. None where the kernel does not say.
    pub render_minor: Option<u32>,
    /// What ROCr makes the UUID of. None where the card has no such number.
    pub unique_id: Option<u64>,
    /// Whether it shares the CPU's memory.
    pub apu: bool,
    /// Its memory banks.
    pub memory: Vec<MemoryBank>,
    /// Its links to other nodes.
    pub links: Vec<IoLink>,
}

/// A memory bank of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBank {
    /// What kind of memory.
    pub heap: Heap,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The heap types of HSA_HEAPTYPE (hsakmttypes.h) that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heap {
    /// VRAM that the CPU can reach as a whole: a large BAR.
    VramPublic,
    /// VRAM behind a small BAR.
    VramPrivate,
    /// System memory, scratch and the like, by number.
    Other(u32),
}

/// A link from a GPU to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoLink {
    /// The node at the other end.
    pub to: u32,
    /// HSA_IOLINKTYPE: 2 is PCIe, 11 is XGMI.
    pub kind: u32,
    /// CRAT_IOLINK_FLAGS_*; see the methods.
    pub flags: u32,
}

/// Why there is no topology at all.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// No KFD: no amdgpu driver, a container without it, or WSL2.
    #[error("{} cannot be read, so there is no KFD here: {source}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// More entries than any machine has nodes.
    #[error("{} has more than {limit} entries: this is not the KFD's topology", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
        /// How many are believed.
        limit: usize,
    },
}

impl Topology {
    /// Reads the topology under `root`, usually [`DEFAULT_ROOT`]. A node that cannot be understood is skipped with a
    /// reason; no content of any file makes this panic, hang or read without end.
    pub fn read(root: &Path) -> Result<Self, TopologyError> {
        read::topology(root)
    }

    /// Reads the topology that the option `topology` names. That of the machine lies under `root`, usually `/`, and lacks the
    /// cards without a render node.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn chosen(option: &Path, root: &Path) -> Result<Self, TopologyError> {
        if option != Path::new(DEFAULT_ROOT) {
            return Self::read(option);
        }
        let mut topology = Self::read(&root.join(DEFAULT_ROOT.trim_start_matches('/')))?;
        topology.drop_without_render_node(&root.join("dev/dri"));
        Ok(topology)
    }

    /// Moves to `skipped` what has no render node under `dev_dri` (/dev/dri): a container that was given some of the
    /// cards sees the others in the topology, but ROCr does not count them.
    fn drop_without_render_node(&mut self, dev_dri: &Path) {
        let skipped = &mut self.skipped;
        self.gpus.retain(|gpu| {
            let Some(minor) = gpu.render_minor else { return true };
            let path = dev_dri.join(format!("renderD{minor}"));
            let there = path.exists();
            if !there {
                skipped.push(Skipped { node: gpu.node, reason: format!("{} does not exist", path.display()) });
            }
            there
        });
    }

    /// The GPUs that HIP sees, by HIP ordinal.
    pub fn visible(&self, masks: &Masks) -> Vec<&Gpu> {
        masks.apply(&self.gpus)
    }

    /// The GPU at that place.
    pub fn at(&self, pci: PciAddress) -> Option<&Gpu> {
        self.gpus.iter().find(|gpu| gpu.pci == pci)
    }
}

impl Gpu {
    /// Bytes of VRAM, or of the carve-out of an APU.
    pub fn vram_bytes(&self) -> u64 {
        let vram = self.memory.iter().filter(|bank| matches!(bank.heap, Heap::VramPublic | Heap::VramPrivate));
        vram.fold(0, |sum, bank| sum.saturating_add(bank.bytes))
    }

    /// Whether the CPU can reach all VRAM.
    pub fn large_bar(&self) -> bool {
        self.memory.iter().any(|bank| bank.heap == Heap::VramPublic)
    }

    /// "GPU-" and 16 hexadecimal digits as ROCr prints it, "GPU-XX" for a card without one.
    pub fn uuid(&self) -> String {
        self.unique_id.map_or_else(|| "GPU-XX".into(), |id| format!("GPU-{id:016x}"))
    }
}

impl IoLink {
    /// HSA_IOLINKTYPE_PCIEXPRESS.
    pub const PCIE: u32 = 2;

    /// Whether the flags mean anything: bit 0, "enabled".
    pub const fn flags_valid(self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether the KFD knows that 32-bit atomics do not pass this link. Their absence proves nothing: PCIe carries
    /// only add, swap and compare-and-swap in any case.
    pub const fn no_atomics_32(self) -> bool {
        self.flags_valid() && self.flags & 4 != 0
    }

    /// The same for 64-bit atomics.
    pub const fn no_atomics_64(self) -> bool {
        self.flags_valid() && self.flags & 8 != 0
    }
}
