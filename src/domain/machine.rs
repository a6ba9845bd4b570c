//! What RMCP does in a process: the GPUs that HIP sees there, and what the options ask for on each.

use crate::gfx::{Family, GfxTarget};
use crate::options::{DispatchTable, Exception, Level, Linkage, Loaded, Options, SaveArea};
use crate::policy::{self, IdleReason, Rules};
use crate::release::Release;
use crate::save_area::{self, Card};
use crate::topology::{self, Masks, Topology, TopologyError};
use rmcp_abi::{Hook, Policy};
use std::fmt;
use std::path::{Path, PathBuf};

/// What was decided for a process.
#[derive(Default)]
pub struct Machine {
    /// Why nothing is hooked; None: RMCP is active.
    pub inactive_reason: Option<String>,
    /// The GPUs that HIP numbers 0, 1, ...
    pub gpus: Vec<Gpu>,
    /// Whether some call could be given memory that is less coherent than what it asked for.
    pub makes_noncoherent: bool,
    /// Where calls are recorded, active or not.
    pub trace: Option<PathBuf>,
    /// Whether each call is a line of the log, active or not.
    pub logs_calls: bool,
    /// Whether libamdhip64's own table is taken.
    pub dispatch_table: bool,
    /// The option where some runtime could be shown other waves.
    pub save_area: Option<SaveArea>,
    /// The options; None where they were not read.
    pub loaded: Option<Loaded>,
    /// The policies whose calls could be changed: a bit for each.
    changing: u32,
}

/// A GPU that HIP sees.
#[derive(Clone, Copy)]
pub struct Gpu {
    /// Its real target.
    pub target: GfxTarget,
    /// Whether it shares the CPU's memory.
    pub apu: bool,
    /// What the topology says of its waves, where that matters.
    pub waves: Option<Card>,
}

/// The rules for the calls of one caller.
#[derive(PartialEq)]
pub struct RuleSet {
    common: Option<Rules>,
    gpus: Vec<Rules>,
    /// Why they are not those of the program.
    pub exception: Option<Exception>,
}

impl Gpu {
    /// Those that HIP sees, by the topology that the options name.
    ///
    /// # Errors
    /// The topology cannot be read.
    pub fn visible(options: &Options, masks: &Masks) -> Result<Vec<Self>, TopologyError> {
        let topology = Topology::chosen(&options.topology, Path::new("/"))?;
        let waves = |gpu: &topology::Gpu| match gpu.target.family() {
            Family::Rdna1 => Card::read(&options.topology, gpu.node),
            Family::Rdna2 | Family::Other => None,
        };
        let visible = topology.visible(masks).into_iter();
        Ok(visible.map(|gpu| Self { target: gpu.target, apu: gpu.apu, waves: waves(gpu) }).collect())
    }

    /// One of which nothing is known but its target.
    pub fn by_target(target: GfxTarget) -> Self {
        Self { target, apu: target.integrated(), waves: None }
    }
}

impl RuleSet {
    fn new(gpus: &[Gpu], options: &Options, exception: Option<Exception>) -> Self {
        let gpus: Vec<_> = gpus.iter().map(|gpu| Rules::for_gpu(gpu.target, gpu.apu, options)).collect();
        let common = gpus.first().filter(|first| gpus.iter().all(|rules| rules == *first)).copied();
        Self { common, gpus, exception }
    }

    /// Those that hold whatever the current device is; None while the GPUs differ or none is known.
    #[inline]
    pub fn common(&self) -> Option<&Rules> {
        self.common.as_ref()
    }

    /// Those of the GPU that HIP numbers so; None: there is no such GPU.
    pub fn for_device(&self, device: i32) -> Option<&Rules> {
        self.gpus.get(usize::try_from(device).ok()?)
    }
}

impl Machine {
    /// One on which nothing is hooked.
    pub fn inactive(why: impl Into<String>, loaded: Option<Loaded>) -> Self {
        Self { inactive_reason: Some(why.into()), loaded, ..Self::default() }
    }

    /// The machine with these options; `gpus`: those that HIP sees, or why nobody can tell; `kernel`: its release, if known.
    pub fn new(loaded: Loaded, gpus: Result<Vec<Gpu>, String>, kernel: Option<Release>) -> Self {
        let (gpus, unknown) = match gpus {
            Ok(gpus) => (gpus, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let options = loaded.all_options();
        let rules: Vec<_> = options.iter().flat_map(|options| RuleSet::new(&gpus, options, None).gpus).collect();
        let makes_noncoherent = rules.iter().any(Rules::makes_noncoherent);
        let inactive_reason = unknown.or_else(|| inactive_reason(&gpus, &loaded.options, &rules));
        // What an event does matters only beside memory that is made non-coherent.
        let matters = |policy: Policy| makes_noncoherent || policy != Policy::event_create;
        let may_change = |policy: Policy| {
            inactive_reason.is_none() && matters(policy) && rules.iter().any(|rules| rules.may_change(policy))
        };
        let save_area = save_area_option(&gpus, &loaded.options, kernel);
        let starts = |policy: Policy| policy == Policy::runtime_start && save_area.is_some();
        let policies =
            Hook::ALL.iter().map(|hook| hook.policy()).filter(|&policy| may_change(policy) || starts(policy));
        Self {
            changing: policies.fold(0, |all, policy| all | 1 << policy as u32),
            makes_noncoherent,
            trace: loaded.options.trace.clone(),
            logs_calls: loaded.options.log == Level::Trace,
            dispatch_table: loaded.options.dispatch_table == DispatchTable::On,
            save_area,
            inactive_reason,
            gpus,
            loaded: Some(loaded),
        }
    }

    /// Whether calls are hooked.
    pub fn active(&self) -> bool {
        self.inactive_reason.is_none()
    }

    /// The real gfx targets, by HIP ordinal.
    pub fn targets(&self) -> String {
        self.gpus.iter().map(|gpu| gpu.target.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Whether a call of `hook` could be changed, on any GPU, under the rules of any caller.
    pub fn may_change(&self, hook: Hook) -> bool {
        self.changing & 1 << hook.policy() as u32 != 0
    }

    /// The rules for the calls of the file at `path`; `linkage`: what it is linked with that needs coherent memory.
    pub fn rules_for(&self, path: &str, linkage: impl FnOnce() -> Option<Linkage>) -> RuleSet {
        let Some(loaded) = &self.loaded else { return self.program_rules() };
        let caller = loaded.caller_options(path, linkage);
        RuleSet::new(&self.gpus, &caller.options, caller.exception)
    }

    /// The rules for calls of which nothing more is known than the program.
    pub fn program_rules(&self) -> RuleSet {
        let options = self.loaded.as_ref().map(|loaded| loaded.options.clone()).unwrap_or_default();
        RuleSet::new(&self.gpus, &options, None)
    }
}

/// Why no call could be changed; None: one could.
fn inactive_reason(gpus: &[Gpu], options: &Options, rules: &[Rules]) -> Option<String> {
    if gpus.is_empty() {
        return Some("no GPU is visible".into());
    }
    if rules.iter().any(Rules::active) {
        return None;
    }
    let idle = |gpu: &Gpu| {
        policy::idle_reason(gpu.target, gpu.apu, options).map_or("every option says keep", IdleReason::text)
    };
    let each: Vec<_> = gpus.iter().map(|gpu| format!("{}: {}", gpu.target, idle(gpu))).collect();
    Some(format!("no rule acts on {}", each.join("; ")))
}

/// The option `save_area`, where the cards and the kernel are such that it could matter, whether RMCP is active or not.
fn save_area_option(gpus: &[Gpu], options: &Options, kernel: Option<Release>) -> Option<SaveArea> {
    let option = save_area::option(options);
    let cards: Vec<_> = gpus.iter().map(|gpu| gpu.waves).collect();
    save_area::machine(option, &cards, kernel).ok().map(|()| option)
}

/// The line of the log on it.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.inactive_reason {
            return write!(f, "inactive: {why}");
        }
        f.write_str("active")?;
        for (index, (gpu, rules)) in self.gpus.iter().zip(self.program_rules().gpus).enumerate() {
            write!(f, "; GPU {index} {}: {rules}", gpu.target)?;
        }
        if self.loaded.as_ref().is_some_and(Loaded::known_callers_only) {
            f.write_str("; host and managed for libraries known to be right with it ([system] callers=known)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
