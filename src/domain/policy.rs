//! What becomes of a call's flags. Pure decisions, each a handful of comparisons: the core asks at every hooked call.
//!
//! Fine-grained is coherent and, on gfx10, uncached for the GPU (MTYPE_UC); coarse-grained is non-coherent and cached
//! (MTYPE_NC). `docs/understand/coherence.md` says which call gives which, and how that was observed.

mod capabilities;
mod vram;

pub use capabilities::attribute;
pub use vram::{Vram, footprint, may_allocate, reported};

use crate::gfx::{Family, GfxTarget};
use crate::options::{
    Apu, Capabilities, DeviceFinegrained, DeviceUncached, EventFence, Fraction, Host, HsaPool, Managed, Mode, Options,
    Register,
};
use rmcp_abi::Policy;
use rmcp_abi::flags::{
    ATTACH_GLOBAL, ATTACH_HOST, DEVICE_CONTIGUOUS, DEVICE_DEFAULT, DEVICE_FINEGRAINED, DEVICE_UNCACHED,
    EVENT_DISABLE_SYSTEM_FENCE, EVENT_RELEASE_TO_DEVICE, EVENT_RELEASE_TO_SYSTEM, HOST_COHERENT, HOST_MAPPED,
    HOST_NON_COHERENT, HOST_NUMA_USER, HOST_PORTABLE, HOST_UNCACHED, HOST_WRITE_COMBINED,
};
use std::fmt;

/// The options as they apply to one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    host: Host,
    managed: Managed,
    register: Register,
    device_finegrained: DeviceFinegrained,
    device_uncached: DeviceUncached,
    hsa_pool: HsaPool,
    event_fence: EventFence,
    vram_fraction: Fraction,
    capabilities: Capabilities,
}

/// What to do with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<T> {
    /// As the program asked.
    Forward,
    /// With `to` in place of what the program asked for.
    Rewrite {
        /// The new value.
        to: T,
        /// Why.
        reason: Reason,
    },
}

/// What to do with a hipMallocManaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedDecision {
    /// As the program asked.
    Forward,
    /// As the program asked, and after success advise SetCoarseGrain on the range.
    AdviseCoarse(Reason),
    /// With these flags.
    Attach(u32, Reason),
}

/// Why a call was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `host = "noncoherent"`, or `unmapped`.
    HostDefault,
    /// `host = "force"` on an explicit Coherent.
    HostForced,
    /// `managed = "coarse"`.
    ManagedCoarse,
    /// `managed = "attach-host"`.
    ManagedAttachHost,
    /// `register = "coarse"`.
    RegisterCoarse,
    /// `device_finegrained = "auto"`.
    FinegrainedRefused,
    /// `device_uncached = "default"`.
    UncachedDropped,
    /// `hsa_pool = "coarse"`.
    PoolCoarse,
    /// `event_fence = "system"`.
    FenceKept,
    /// `vram_fraction` below 1.
    VramLimit,
    /// `capabilities = "no-managed"`.
    ManagedHidden,
}

impl Reason {
    /// The option and the fact behind it, for logs and `rmcp explain`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::HostDefault => {
                "host=noncoherent: default pinned memory is coherent, which is uncached on gfx10; ROCm/clr#285"
            }
            Self::HostForced => "host=force: coherent pinned memory was asked for and is uncached on gfx10",
            Self::ManagedCoarse => "managed=coarse: managed memory is uncached on gfx10 unless advised coarse-grained",
            Self::ManagedAttachHost => "managed=attach-host: hipMemAttachGlobal became hipMemAttachHost",
            Self::RegisterCoarse => "register=coarse: registered memory is coherent, which is uncached on gfx10",
            Self::FinegrainedRefused => {
                "device_finegrained=auto: this runtime has no fine-grained device memory on gfx10 and would refuse"
            }
            Self::UncachedDropped => "device_uncached=default: uncached device memory was asked for",
            Self::PoolCoarse => "hsa_pool=coarse: a fine-grained pool was asked for",
            Self::FenceKept => {
                "event_fence=system: without a system-scope release the CPU may read stale non-coherent memory"
            }
            Self::VramLimit => "vram_fraction: more of the card's memory would be in use than the option allows",
            Self::ManagedHidden => "capabilities=no-managed: the program shall not see managed memory",
        }
    }
}

impl Rules {
    /// Forwards everything.
    pub const KEEP: Self = Self {
        host: Host::Keep,
        managed: Managed::Keep,
        register: Register::Keep,
        device_finegrained: DeviceFinegrained::Keep,
        device_uncached: DeviceUncached::Keep,
        hsa_pool: HsaPool::Keep,
        event_fence: EventFence::Keep,
        vram_fraction: Fraction::ALL,
        capabilities: Capabilities::Real,
    };

    /// The rules for a GPU; `apu` as in [`crate::topology::Gpu::apu`]. Only RDNA1 and RDNA2 have any, but for the events of
    /// another GPU beside one of these: what it writes to non-coherent memory needs the fence too.
    pub fn for_gpu(target: GfxTarget, apu: bool, options: &Options) -> Self {
        match idle_reason(target, apu, options) {
            Some(IdleReason::Policy) => return Self::KEEP,
            Some(IdleReason::UnsupportedTarget | IdleReason::Apu) => {
                return Self { event_fence: options.event_fence, ..Self::KEEP };
            }
            None => {}
        }
        Self {
            host: options.host,
            managed: options.managed,
            register: options.register,
            device_finegrained: options.device_finegrained,
            device_uncached: options.device_uncached,
            hsa_pool: options.hsa_pool,
            event_fence: options.event_fence,
            vram_fraction: options.vram_fraction,
            capabilities: options.capabilities,
        }
    }

    /// Whether any call could be rewritten.
    pub fn active(&self) -> bool {
        // The fence matters only where another rule makes memory non-coherent.
        *self != Self { event_fence: self.event_fence, ..Self::KEEP }
    }

    /// Whether any call could be given memory that is not as coherent as what it asked for: what [`event_flags`] depends on.
    pub fn makes_noncoherent(&self) -> bool {
        // The other two change answers, not memory.
        Self { vram_fraction: Fraction::ALL, capabilities: Capabilities::Real, ..*self }.active()
    }

    /// Whether a call of this policy could be changed, or its answer: only such calls are hooked.
    pub fn may_change(&self, policy: Policy) -> bool {
        let (host, managed) = (self.host != Host::Keep, self.managed != Managed::Keep);
        match policy {
            // The last is the machine's, not one GPU's: `crate::save_area`.
            Policy::forward | Policy::proc_address | Policy::entry_point | Policy::runtime_start => false,
            Policy::vram | Policy::mem_info => self.limits_vram(),
            Policy::host | Policy::host_alloc | Policy::mem_alloc_host => host,
            Policy::malloc_host | Policy::host_register => host,
            Policy::requested_flags | Policy::requested_attributes => host,
            Policy::managed => managed,
            Policy::ext_malloc => {
                let flags = (self.device_finegrained, self.device_uncached);
                flags != (DeviceFinegrained::Keep, DeviceUncached::Keep) || self.limits_vram()
            }
            Policy::event_create => self.event_fence != EventFence::Keep,
            Policy::device_attribute | Policy::device_properties => self.hides_managed(),
            Policy::stream_memory | Policy::stream_batch | Policy::graph_batch => host || managed,
            Policy::pool_allocate => self.may_change_pools(),
            Policy::lock_to_pool => self.may_change_registered(),
        }
    }

    /// Whether [`hsa_pool`] could rewrite anything, before the core looks up what kind of pool it is.
    pub const fn may_change_pools(&self) -> bool {
        matches!(self.hsa_pool, HsaPool::Coarse)
    }

    /// Whether [`register`] could rewrite anything, likewise.
    pub const fn may_change_registered(&self) -> bool {
        matches!(self.register, Register::Coarse)
    }

    /// Whether device memory is limited, before the core asks how much is free.
    pub fn limits_vram(&self) -> bool {
        self.vram_fraction != Fraction::ALL
    }

    /// Whether answers about managed memory change, before the core patches a whole struct of them.
    pub const fn hides_managed(&self) -> bool {
        matches!(self.capabilities, Capabilities::NoManaged)
    }

    /// Each rule with its value, as in a file.
    fn rule_values(&self) -> [(&'static str, String); 9] {
        let word = |word: &str| word.to_owned();
        [
            ("host", word(self.host.word())),
            ("managed", word(self.managed.word())),
            ("register", word(self.register.word())),
            ("device_finegrained", word(self.device_finegrained.word())),
            ("device_uncached", word(self.device_uncached.word())),
            ("hsa_pool", word(self.hsa_pool.word())),
            ("event_fence", word(self.event_fence.word())),
            ("vram_fraction", self.vram_fraction.to_string()),
            ("capabilities", word(self.capabilities.word())),
        ]
    }
}

/// Why no rule could act on a GPU, whatever the other options say; None: one could. `apu` as in
/// [`crate::topology::Gpu::apu`].
pub fn idle_reason(target: GfxTarget, apu: bool, options: &Options) -> Option<IdleReason> {
    match target.family() {
        Family::Other => Some(IdleReason::UnsupportedTarget),
        _ if options.policy == Mode::Keep => Some(IdleReason::Policy),
        _ if apu && options.apu == Apu::Keep => Some(IdleReason::Apu),
        Family::Rdna1 | Family::Rdna2 => None,
    }
}

/// Why no rule acts on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleReason {
    /// It is neither RDNA1 nor RDNA2.
    UnsupportedTarget,
    /// `policy = "keep"`.
    Policy,
    /// `apu = "keep"`.
    Apu,
}

impl IdleReason {
    /// The option behind it.
    pub const fn option(self) -> Option<&'static str> {
        match self {
            Self::UnsupportedTarget => None,
            Self::Policy => Some("policy"),
            Self::Apu => Some("apu"),
        }
    }

    /// As the end of a sentence that names the GPU: "no rule acts on gfx1036: ...".
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnsupportedTarget => "it is neither RDNA1 nor RDNA2",
            Self::Policy => "policy=keep",
            Self::Apu => "apu=keep: it shares the CPU's memory, and no bus lies between",
        }
    }
}

impl fmt::Display for Rules {
    /// The options that could change something, as in "host=noncoherent managed=coarse"; "keep" for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.active() {
            return f.write_str("keep");
        }
        let fence = self.makes_noncoherent();
        let acting = self.rule_values().into_iter().filter(|rule| !Self::KEEP.rule_values().contains(rule));
        let acting = acting.filter(|(name, _)| fence || *name != "event_fence");
        f.write_str(&acting.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }
}

/// The flags with which hipHostMalloc makes memory fine-grained although nobody asked for coherence in so many words.
/// Flags 0 does so too; Portable and WriteCombined alone do not. (clr hip_memory.cpp, ihipHostMalloc)
const IMPLICITLY_COHERENT: u32 = HOST_MAPPED | HOST_NUMA_USER;
const EXPLICIT: u32 = HOST_COHERENT | HOST_NON_COHERENT | HOST_UNCACHED;
const HOST_KNOWN: u32 = EXPLICIT | IMPLICITLY_COHERENT | HOST_PORTABLE | HOST_WRITE_COMBINED;

/// hipHostMalloc. (hipMallocHost needs no rule: its memory is non-coherent already.)
///
/// Flags that the runtime refuses (Coherent with NonCoherent) or that RMCP does not know are forwarded.
pub const fn host_flags(flags: u32, rules: &Rules) -> Decision<u32> {
    let reason = match rules.host {
        _ if flags & !HOST_KNOWN != 0 => return Decision::Forward,
        Host::Keep => return Decision::Forward,
        Host::Force if flags & EXPLICIT == HOST_COHERENT => Reason::HostForced,
        _ if flags & EXPLICIT != 0 => return Decision::Forward,
        _ if flags != 0 && flags & IMPLICITLY_COHERENT == 0 => return Decision::Forward,
        Host::Unmapped if flags & HOST_MAPPED != 0 => return Decision::Forward,
        _ => Reason::HostDefault,
    };
    // Mapping is implicit on AMD, and Mapped would make the memory fine-grained again.
    Decision::Rewrite { to: flags & !(HOST_MAPPED | HOST_COHERENT) | HOST_NON_COHERENT, reason }
}

/// hipHostAlloc. The rewritten flags are for hipHostMalloc: hipHostAlloc itself refuses NonCoherent from ROCm 6.4.3
/// on, and earlier releases read it as a flag of something else. Flags above 7 are the runtime's to refuse.
pub const fn host_alloc(flags: u32, rules: &Rules) -> Decision<u32> {
    if flags > HOST_PORTABLE | HOST_MAPPED | HOST_WRITE_COMBINED {
        return Decision::Forward;
    }
    host_flags(flags, rules)
}

/// hipMemAllocHost, which has no flags and acts as hipHostMalloc with 0. The rewritten flags are for hipHostMalloc.
pub const fn mem_alloc_host(rules: &Rules) -> Decision<u32> {
    host_flags(0, rules)
}

/// hipMallocManaged.
pub const fn managed(flags: u32, rules: &Rules) -> ManagedDecision {
    match rules.managed {
        Managed::Coarse => ManagedDecision::AdviseCoarse(Reason::ManagedCoarse),
        Managed::AttachHost if flags == ATTACH_GLOBAL => {
            ManagedDecision::Attach(ATTACH_HOST, Reason::ManagedAttachHost)
        }
        Managed::AttachHost | Managed::Keep => ManagedDecision::Forward,
    }
}

/// hipExtMallocWithFlags. `refuses_finegrained`: the runtime is one that answers OutOfMemory to Finegrained on gfx10,
/// which is every release up to 6.2.2.
pub const fn ext_flags(flags: u32, refuses_finegrained: bool, rules: &Rules) -> Decision<u32> {
    let reason = match flags {
        DEVICE_FINEGRAINED if refuses_finegrained && matches!(rules.device_finegrained, DeviceFinegrained::Auto) => {
            Reason::FinegrainedRefused
        }
        DEVICE_UNCACHED | DEVICE_CONTIGUOUS if matches!(rules.device_uncached, DeviceUncached::Default) => {
            Reason::UncachedDropped
        }
        _ => return Decision::Forward,
    };
    Decision::Rewrite { to: DEVICE_DEFAULT, reason }
}

/// hipEventCreateWithFlags. `noncoherent`: whether any rule of the process [makes memory non-coherent](Rules::makes_noncoherent),
/// for any caller and on any GPU. Whether one has done so yet says nothing: an event may be recorded long after it was made.
///
/// More than one release flag is the runtime's to refuse, so that is forwarded.
pub const fn event_flags(flags: u32, noncoherent: bool, rules: &Rules) -> Decision<u32> {
    let release = flags & (EVENT_DISABLE_SYSTEM_FENCE | EVENT_RELEASE_TO_DEVICE | EVENT_RELEASE_TO_SYSTEM);
    match (rules.event_fence, release) {
        (EventFence::System, EVENT_DISABLE_SYSTEM_FENCE | EVENT_RELEASE_TO_DEVICE) if noncoherent => {
            Decision::Rewrite { to: flags & !release, reason: Reason::FenceKept }
        }
        _ => Decision::Forward,
    }
}

/// hsa_amd_memory_pool_allocate as called by a program, not by libamdhip64. `fine`: the pool is fine-grained;
/// `kernarg`: it is one for kernel arguments, which the packet processor reads and which therefore stays.
/// A rewrite is to the coarse-grained pool of the same agent.
pub const fn hsa_pool(fine: bool, kernarg: bool, rules: &Rules) -> Decision<()> {
    match rules.hsa_pool {
        HsaPool::Coarse if fine && !kernarg => Decision::Rewrite { to: (), reason: Reason::PoolCoarse },
        _ => Decision::Forward,
    }
}

/// hsa_amd_memory_lock_to_pool as libamdhip64 calls it, which with a fine-grained pool is a hipHostRegister. `fine`: the
/// pool is fine-grained. A rewrite is to the coarse-grained pool of the same agent, the CPU; kernel arguments, which the
/// pool may be for as well, are not locked.
pub const fn register(fine: bool, rules: &Rules) -> Decision<()> {
    match rules.register {
        Register::Coarse if fine => Decision::Rewrite { to: (), reason: Reason::RegisterCoarse },
        _ => Decision::Forward,
    }
}

#[cfg(test)]
mod tests;
