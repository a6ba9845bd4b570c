//! The option `save_area`: whether a runtime sizes the save area of a queue by other waves than the kernel.
//!
//! A queue has memory to which its waves are saved when the kernel takes it off the hardware. libhsakmt allocates it, and
//! Linux from 6.12 on refuses a queue whose area is not as large as it reckons. Both reckon by the waves of a compute unit:
//! the kernel by 32 on every gfx10, libhsakmt between ROCm/rocm-systems#6125 and #11299 by the topology's, which are 40 on
//! gfx101x.

use crate::bounded_read::read_text;
use crate::gfx::{Family, GfxTarget};
use crate::options::{Mode, Options, SaveArea};
use crate::release::Release;
use std::fmt;
use std::path::Path;

/// The waves of a compute unit by which Linux reckons. (amdkfd kfd_queue.c, get_num_waves)
pub const KERNEL_WAVES: u32 = 32;
/// The first Linux that holds a queue's save area against its own number. (amdkfd kfd_queue.c)
pub const CHECKED_FROM: Release = Release::new(6, 12);
/// The releases of ROCm whose runtime reckons by the topology: from the first on, before the second.
pub const AFFECTED: [Release; 2] = [Release::new(7, 14), Release::new(10, 2)];

/// What the topology says of a GPU's waves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its target.
    pub target: GfxTarget,
    /// Its compute units.
    pub units: u32,
    /// The SIMDs of a compute unit.
    pub simds: u32,
    /// The waves of a SIMD.
    pub waves: u32,
    /// Bytes of control stack and of the save area with it, which Linux publishes from 6.18 on, and the runtime then takes.
    published: Option<[u64; 2]>,
}

/// The sizes of a queue's save area, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The control stack.
    pub control_stack: u64,
    /// All that is mapped: control stack, waves, and what debuggers have.
    pub mapping: u64,
}

impl Card {
    /// A card of so many compute units, SIMDs of each, and waves of a SIMD.
    pub const fn new(target: GfxTarget, units: u32, simds: u32, waves: u32) -> Self {
        Self { target, units, simds, waves, published: None }
    }

    /// That of a node of the topology at `root`.
    pub fn read(root: &Path, node: u32) -> Option<Self> {
        /// A sysfs file is one page.
        const LIMIT: u64 = 64 * 1024;
        Self::parse(&read_text(&root.join(format!("nodes/{node}/properties")), LIMIT).ok()?)
    }

    /// From a node's file `properties`. None where that does not tell, as for a CPU.
    pub fn parse(properties: &str) -> Option<Self> {
        let property = |name: &str| -> Option<u32> {
            let mut pairs = properties.lines().filter_map(|line| line.split_once(' '));
            pairs.find(|(property, _)| *property == name)?.1.trim().parse().ok()
        };
        let simds = property("simd_per_cu").filter(|&simds| simds > 0)?;
        let bytes = |name| property(name).filter(|&bytes| bytes > 0).map(u64::from);
        Some(Self {
            target: GfxTarget::from_kfd(property("gfx_target_version")?)?,
            units: property("simd_count")? / simds,
            simds,
            waves: property("max_waves_per_simd")?,
            published: bytes("ctl_stack_size").zip(bytes("cwsr_size")).map(|(stack, area)| [stack, area]),
        })
    }

    /// The waves of a compute unit.
    pub const fn waves_per_unit(&self) -> u32 {
        self.simds.saturating_mul(self.waves)
    }

    /// The waves of a SIMD by which the runtime comes to the kernel's number; None: it does so anyway, or cannot.
    pub fn kernel_waves(&self) -> Option<u32> {
        let differs = self.target.family() == Family::Rdna1 && self.waves_per_unit() > KERNEL_WAVES;
        (differs && KERNEL_WAVES.is_multiple_of(self.simds)).then(|| KERNEL_WAVES / self.simds)
    }

    /// What the kernel reckons.
    pub fn kernel_sizes(&self) -> Sizes {
        Self { published: None, ..*self }.sizes(KERNEL_WAVES)
    }

    /// What a runtime reckons that goes by the topology.
    pub fn runtime_sizes(&self) -> Sizes {
        self.sizes(self.waves_per_unit())
    }

    /// The sizes for so many waves of a compute unit. (libhsakmt queues.c, update_ctx_save_restore_size; amdkfd
    /// kfd_queue.c, kfd_queue_ctx_save_restore_size)
    fn sizes(&self, waves: u32) -> Sizes {
        const PAGE: u64 = 4096;
        /// The head of the area, and what the control stack has of its own.
        const HEADERS: u64 = 40 + 8;
        /// No control stack of gfx10 is larger.
        const MOST_STACK: u64 = 0x7000;
        /// Vector and scalar registers, LDS and hardware registers of a compute unit.
        const UNIT: u64 = 0x4_0000 + 0x4000 + 0x1_0000 + 0x1000;
        let (units, waves) = (u64::from(self.units), u64::from(self.units) * u64::from(waves));
        let [control_stack, area] = self.published.unwrap_or_else(|| {
            let stack = (HEADERS + waves * 12).next_multiple_of(PAGE).min(MOST_STACK);
            [stack, stack + (units * UNIT).next_multiple_of(PAGE)]
        });
        Sizes { control_stack, mapping: (area + (waves * 32).next_multiple_of(64)).next_multiple_of(PAGE) }
    }
}

/// A node's file `properties` as the runtime is shown it: with the waves of a SIMD by which it comes to the kernel's number.
/// None where nothing is to be changed.
pub fn shown_properties(properties: &str) -> Option<String> {
    let waves = Card::parse(properties)?.kernel_waves()?;
    let line = |line: &str| match line.split_once(' ') {
        Some(("max_waves_per_simd", _)) => format!("max_waves_per_simd {waves}\n"),
        _ => line.to_owned(),
    };
    Some(properties.split_inclusive('\n').map(line).collect())
}

/// Why the topology is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `save_area = "off"`.
    Off,
    /// No gfx101x is visible whose topology says more waves than the kernel reckons with.
    NoCard,
    /// The kernel does not say its release.
    UnknownKernel,
    /// The kernel takes any save area.
    UncheckedBy(Release),
    /// The runtime does not say its release.
    UnknownRuntime,
    /// The runtime reckons as the kernel does.
    Sound(Release),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("save_area=off"),
            Self::NoCard => write!(f, "no gfx101x with more than {KERNEL_WAVES} waves a compute unit is visible"),
            Self::UnknownKernel => f.write_str("the release of the kernel is not known"),
            Self::UncheckedBy(kernel) => {
                write!(f, "Linux {kernel} takes any save area, {CHECKED_FROM} is the first to check")
            }
            Self::UnknownRuntime => f.write_str(
                "the runtime's build, .info/version and package do not say its release; save_area=on acts all the same",
            ),
            Self::Sound(release) => {
                let [first, after] = AFFECTED;
                write!(f, "ROCm {release} is none of {first} up to but not {after}, which reckon by the topology")
            }
        }
    }
}

/// The option under which RMCP is in a process; `policy = "keep"` is `off`.
pub fn option(options: &Options) -> SaveArea {
    if options.policy == Mode::Keep { SaveArea::Off } else { options.save_area }
}

/// Whether the path is that of a node's file `properties`, as runtimes spell it.
pub fn is_properties(path: &[u8]) -> bool {
    let node = |path: &[u8]| {
        let path = path.strip_prefix(b"/sys/")?.strip_suffix(b"/properties")?;
        let at = path.iter().rposition(|&byte| byte == b'/')?;
        let (nodes, number) = (path.get(..at)?, path.get(at + 1..)?);
        let numbered = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        (numbered && nodes.ends_with(b"/kfd/topology/nodes")).then_some(())
    };
    node(path).is_some()
}

/// Whether the topology of this machine could be shown otherwise to a runtime, or why to none. `visible`: the GPUs that HIP
/// sees; of one that does not say enough nothing is known.
pub fn machine(option: SaveArea, visible: &[Option<Card>], kernel: Option<Release>) -> Result<(), Reason> {
    if option == SaveArea::Off {
        return Err(Reason::Off);
    }
    if !visible.iter().flatten().any(|card| card.kernel_waves().is_some()) {
        return Err(Reason::NoCard);
    }
    match kernel {
        _ if option == SaveArea::On => Ok(()),
        None => Err(Reason::UnknownKernel),
        Some(kernel) if kernel < CHECKED_FROM => Err(Reason::UncheckedBy(kernel)),
        Some(_) => Ok(()),
    }
}

/// Whether a runtime is to be shown it, where [`machine`] says yes; or why not.
pub fn runtime(option: SaveArea, release: Option<Release>) -> Result<(), Reason> {
    let [first, after] = AFFECTED;
    match release {
        _ if option == SaveArea::On => Ok(()),
        None => Err(Reason::UnknownRuntime),
        Some(release) if release < first || release >= after => Err(Reason::Sound(release)),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
