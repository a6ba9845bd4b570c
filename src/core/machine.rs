//! What RMCP found on this machine and decided for this process, once, at the first call.
//!
//! No lock: threads that meet here each detect, and the first answer stays. A thread can therefore never wait for
//! another one that a fork has left behind.

use crate::{bind, imports, log, probe};
use once_cell::race::OnceBox;
use rmcp_abi::find_object::first_gate;
use rmcp_abi::gate::is_system_wide;
use rmcp_abi::{Hook, Policy};
use rmcp_domain::gfx::{Family, GfxTarget};
use rmcp_domain::options::{self, DispatchTable, Exception, Level, Loaded, Options, SaveArea, Sources};
use rmcp_domain::policy::{self, Rules};
use rmcp_domain::release::Release;
use rmcp_domain::save_area::{self, Card};
use rmcp_domain::topology::{self, DEFAULT_ROOT, Masks, Topology};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::{info, warn};

/// The answer.
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
    /// Whether libamdhip64's own table is taken; see [`crate::dispatch_table`].
    pub dispatch_table: bool,
    /// The option where some runtime could be shown other waves; see [`crate::save_area`].
    pub save_area: Option<SaveArea>,
    /// The policies whose calls could be changed: a bit for each.
    changing: u32,
    /// The options; None where they were not read.
    loaded: Option<Loaded>,
}

/// A GPU that HIP sees.
#[derive(Clone, Copy)]
pub struct Gpu {
    /// Its real target.
    pub target: GfxTarget,
    /// Whether it shares the CPU's memory.
    pub apu: bool,
    /// What the topology says of its waves, where that matters.
    waves: Option<Card>,
}

/// The rules for the calls of one caller.
#[derive(PartialEq)]
pub struct RuleSet {
    /// Those that hold whatever the current device is; None while the GPUs differ or none is known.
    common: Option<Rules>,
    /// Those of each GPU.
    gpus: Vec<Rules>,
    /// Why they are not those of the program.
    pub exception: Option<Exception>,
}

static MACHINE: OnceBox<Machine> = OnceBox::new();

/// Whether every call is forwarded.
static DISABLED: AtomicBool = AtomicBool::new(false);

static KEEP: Rules = Rules::KEEP;

impl RuleSet {
    fn new(gpus: &[Gpu], options: &Options, exception: Option<Exception>) -> Self {
        let gpus: Vec<_> = gpus.iter().map(|gpu| Rules::for_gpu(gpu.target, gpu.apu, options)).collect();
        let common = gpus.first().filter(|first| gpus.iter().all(|rules| rules == *first)).copied();
        Self { common, gpus, exception }
    }
}

impl Machine {
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

    /// The rules that any call could have, on any GPU.
    fn all_rules(&self) -> Vec<Rules> {
        let options = self.loaded.iter().flat_map(Loaded::all_options);
        options.flat_map(|options| RuleSet::new(&self.gpus, &options, None).gpus).collect()
    }

    /// The rules for the calls of the file at `path`; `address` is one of its addresses, `version` that of its HIP runtime.
    pub fn rules_for(&self, path: &str, address: usize, version: impl FnOnce() -> Option<i32>) -> RuleSet {
        let Some(loaded) = &self.loaded else { return RuleSet::new(&[], &Options::default(), None) };
        let caller = loaded.caller_options(path, || imports::linkage(address, version));
        RuleSet::new(&self.gpus, &caller.options, caller.exception)
    }

    fn program(&self) -> RuleSet {
        let options = self.loaded.as_ref().map(|loaded| loaded.options.clone()).unwrap_or_default();
        RuleSet::new(&self.gpus, &options, None)
    }

    fn new_inactive(why: impl Into<String>) -> Self {
        Self {
            inactive_reason: Some(why.into()),
            gpus: Vec::new(),
            makes_noncoherent: false,
            trace: None,
            logs_calls: false,
            dispatch_table: false,
            save_area: None,
            changing: 0,
            loaded: None,
        }
    }
}

/// What is known already.
pub fn detected() -> Option<&'static Machine> {
    MACHINE.get()
}

/// Detects, unless that was done. None: only the runtime could tell, and `may_probe` forbids to ask it.
pub fn detect(may_probe: bool) -> Option<&'static Machine> {
    if let Some(machine) = detected() {
        return Some(machine);
    }
    let found = from_options(may_probe)?;
    let mut won = false;
    let machine = MACHINE.get_or_init(|| {
        won = true;
        Box::new(found)
    });
    if won {
        log::redirect_panics();
        log_summary(machine);
    }
    Some(machine)
}

/// Those of `set` that are for the current device.
#[inline]
pub fn current_rules(set: Option<&'static RuleSet>, device: impl FnOnce() -> Option<i32>) -> &'static Rules {
    let Some(set) = set.filter(|_| !disabled()) else { return &KEEP };
    match &set.common {
        Some(common) => common,
        None => rules_of_current_device(set, device),
    }
}

#[cold]
fn rules_of_current_device(set: &'static RuleSet, device: impl FnOnce() -> Option<i32>) -> &'static Rules {
    device().map_or(&KEEP, |device| set.for_device(device))
}

/// Those of `set` that are for the GPU that HIP numbers so.
pub fn rules_for_device(set: Option<&'static RuleSet>, device: i32) -> &'static Rules {
    set.filter(|_| !disabled()).map_or(&KEEP, |set| set.for_device(device))
}

/// The rules for calls of which nothing more is known than the program.
pub fn program_rules() -> Option<&'static RuleSet> {
    static RULES: OnceBox<RuleSet> = OnceBox::new();
    let machine = detected()?;
    Some(RULES.get_or_init(|| Box::new(machine.program())))
}

/// Whether some call of this process could be given memory that is less coherent than what it asked for.
pub fn makes_noncoherent() -> bool {
    detected().is_some_and(|machine| machine.makes_noncoherent) && !disabled()
}

impl RuleSet {
    fn for_device(&self, device: i32) -> &Rules {
        usize::try_from(device).ok().and_then(|device| self.gpus.get(device)).unwrap_or(&KEEP)
    }
}

/// Forwards every later call unchanged.
pub fn disable() {
    DISABLED.store(true, Ordering::Release);
    bind::release();
}

/// Whether [`disable`] was called.
#[inline]
pub fn disabled() -> bool {
    DISABLED.load(Ordering::Relaxed)
}

/// The machine under the options of this process.
fn from_options(may_probe: bool) -> Option<Machine> {
    let disabled = std::env::var_os("RMCP_DISABLE");
    if options::is_disabled(disabled.as_ref().map(|value| value.as_encoded_bytes())) {
        return Some(Machine::new_inactive("RMCP_DISABLE is set"));
    }
    let system = first_gate().is_some_and(|gate| is_system_wide(gate.path().to_bytes()));
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let loaded = Options::load(&Sources { system, ..Sources::from_process(user) });
    if let Some(why) = &loaded.exclusion {
        let why = format!("this program is {why}");
        return Some(Machine { loaded: Some(loaded), ..Machine::new_inactive(why) });
    }
    let (gpus, unknown) = match gpus(&loaded.options, may_probe)? {
        Ok(gpus) => (gpus, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let mut machine = Machine {
        inactive_reason: None,
        gpus,
        makes_noncoherent: false,
        trace: loaded.options.trace.clone(),
        logs_calls: loaded.options.log == Level::Trace,
        dispatch_table: loaded.options.dispatch_table == DispatchTable::On,
        save_area: None,
        changing: 0,
        loaded: Some(loaded),
    };
    let rules = machine.all_rules();
    machine.inactive_reason = unknown.or_else(|| machine.find_inactive_reason(&rules));
    machine.makes_noncoherent = rules.iter().any(Rules::makes_noncoherent);
    if machine.active() {
        let may_change = |policy: &Policy| {
            // What an event does matters only beside memory that is made non-coherent.
            (machine.makes_noncoherent || *policy != Policy::event_create)
                && rules.iter().any(|rules| rules.may_change(*policy))
        };
        let policies = Hook::ALL.iter().map(|hook| hook.policy()).filter(may_change);
        machine.changing = policies.fold(0, |all, policy| all | 1 << policy as u32);
    }
    machine.save_area = machine.find_save_area();
    if machine.save_area.is_some() {
        machine.changing |= 1 << Policy::runtime_start as u32;
    }
    Some(machine)
}

/// The GPUs that HIP sees, or why nobody can tell.
fn gpus(options: &Options, may_probe: bool) -> Option<Result<Vec<Gpu>, String>> {
    let gpus = match Topology::read(&options.topology) {
        Ok(mut topology) => {
            if options.topology == Path::new(DEFAULT_ROOT) {
                topology.drop_without_render_node(Path::new("/dev/dri"));
            }
            let visible = topology.visible(&Masks::from_process());
            let waves = |gpu: &topology::Gpu| match gpu.target.family() {
                Family::Rdna1 => Card::read(&options.topology, gpu.node),
                Family::Rdna2 | Family::Other => None,
            };
            visible.iter().map(|gpu| Gpu { target: gpu.target, apu: gpu.apu, waves: waves(gpu) }).collect()
        }
        Err(_) if !may_probe => return None,
        Err(why) => match probe::targets() {
            Some(targets) => {
                targets.into_iter().map(|target| Gpu { target, apu: target.integrated(), waves: None }).collect()
            }
            None => return Some(Err(why.to_string())),
        },
    };
    Some(Ok(gpus))
}

impl Machine {
    /// The option `save_area`, where the cards and the kernel are such that it could matter, active or not.
    fn find_save_area(&self) -> Option<SaveArea> {
        let option = save_area::option(&self.loaded.as_ref()?.options);
        let cards: Vec<_> = self.gpus.iter().map(|gpu| gpu.waves).collect();
        save_area::machine(option, &cards, Release::of_kernel()).ok().map(|()| option)
    }

    /// Why no call could be changed; None: one could.
    fn find_inactive_reason(&self, rules: &[Rules]) -> Option<String> {
        let options = &self.loaded.as_ref()?.options;
        if self.gpus.is_empty() {
            return Some("no GPU is visible".into());
        }
        if rules.iter().any(Rules::active) {
            return None;
        }
        let idle = |gpu: &Gpu| {
            policy::idle_reason(gpu.target, gpu.apu, options).map_or("every option says keep", policy::IdleReason::text)
        };
        let each = self.gpus.iter().map(|gpu| format!("{}: {}", gpu.target, idle(gpu))).collect::<Vec<_>>();
        Some(format!("no rule acts on {}", each.join("; ")))
    }
}

/// Starts the log and writes what there is to say: one line on the machine, one for each thing wrong in the options.
fn log_summary(machine: &Machine) {
    let Some(Loaded { options, complaints, more_complaints, .. }) = &machine.loaded else { return };
    log::start(options.log, options.log_file.as_deref());
    for complaint in complaints {
        warn!("{complaint}");
    }
    if *more_complaints > 0 {
        warn!("and {more_complaints} more things are wrong in the options; rmcp config check tells all");
    }
    for (variable, option) in machine.loaded.iter().flat_map(Loaded::kept_by_environment) {
        info!("{option}=keep, since {} asks for coherent memory; set {option} to have it otherwise", variable.name);
    }
    if let Some(why) = &machine.inactive_reason {
        return info!("inactive: {why}");
    }
    let program = machine.program();
    let gpus = machine.gpus.iter().zip(&program.gpus).enumerate();
    let gpus: Vec<_> = gpus.map(|(index, (gpu, rules))| format!("GPU {index} {}: {rules}", gpu.target)).collect();
    let known = machine.loaded.as_ref().is_some_and(Loaded::known_callers_only);
    let whose =
        if known { "; host and managed for libraries known to be right with it ([system] callers=known)" } else { "" };
    info!("active; {}{whose}", gpus.join("; "));
}
