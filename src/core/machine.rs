//! What RMCP found on this machine and decided for this process, once, at the first call.
//!
//! No lock: threads that meet here each detect, and the first answer stays. A thread can therefore never wait for
//! another one that a fork has left behind.

use crate::caller::{self, Caller};
use crate::{log, probe};
use once_cell::race::OnceBox;
use rmcp::gfx::GfxTarget;
use rmcp::options::{self, DispatchTable, Loaded, Options, Sources};
use rmcp::policy::Rules;
use rmcp::topology::{DEFAULT_ROOT, Masks, Topology};
use rmcp_hooks::gate::is_system_wide;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use tracing::{info, warn};

/// The answer.
pub struct Machine {
    /// Why nothing is hooked; None: RMCP is active.
    pub inactive: Option<String>,
    /// The GPUs that HIP numbers 0, 1, ..., each with its rules.
    pub gpus: Vec<(GfxTarget, Rules)>,
    /// Where calls are recorded, active or not.
    pub trace: Option<PathBuf>,
    /// Whether libamdhip64's own table is taken; see [`crate::hip_table`].
    pub dispatch_table: bool,
}

static MACHINE: OnceBox<Machine> = OnceBox::new();

/// The rules that hold whatever the current device is; null while the GPUs differ or none is known.
static COMMON: AtomicPtr<Rules> = AtomicPtr::new(null_mut());

static KEEP: Rules = Rules::KEEP;

impl Machine {
    /// Whether calls are hooked.
    pub fn active(&self) -> bool {
        self.inactive.is_none()
    }

    /// The real gfx targets, by HIP ordinal.
    pub fn targets(&self) -> String {
        self.gpus.iter().map(|(target, _)| target.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn inactive(why: impl Into<String>) -> Self {
        Self { inactive: Some(why.into()), gpus: Vec::new(), trace: None, dispatch_table: false }
    }
}

/// What is known already.
pub fn known() -> Option<&'static Machine> {
    MACHINE.get()
}

/// Detects, unless that was done. None: only the runtime could tell, and `may_probe` forbids to ask it.
pub fn detect(may_probe: bool) -> Option<&'static Machine> {
    if let Some(machine) = known() {
        return Some(machine);
    }
    let (found, loaded) = look(may_probe)?;
    let mut won = false;
    let machine = MACHINE.get_or_init(|| {
        won = true;
        Box::new(found)
    });
    if won {
        log::catch_panics();
        share(machine);
        announce(machine, loaded.as_ref());
    }
    Some(machine)
}

/// The rules for a call of `caller`: those of its current device.
#[inline]
pub fn rules(caller: &Caller) -> &'static Rules {
    // SAFETY: only `share` and `disable` set it, to what lives for ever.
    match unsafe { COMMON.load(Ordering::Acquire).as_ref() } {
        Some(common) => common,
        None => rules_of_device(caller),
    }
}

#[cold]
fn rules_of_device(caller: &Caller) -> &'static Rules {
    caller.runtime().device().map_or(&KEEP, rules_of)
}

/// The rules of the GPU that HIP numbers so.
pub fn rules_of(device: i32) -> &'static Rules {
    if disabled() {
        return &KEEP;
    }
    let gpus = known().map_or(&[][..], |machine| &machine.gpus);
    usize::try_from(device).ok().and_then(|device| gpus.get(device)).map_or(&KEEP, |(_, rules)| rules)
}

/// Forwards every later call unchanged.
pub fn disable() {
    COMMON.store((&raw const KEEP).cast_mut(), Ordering::Release);
}

/// Whether [`disable`] was called.
pub fn disabled() -> bool {
    std::ptr::eq(COMMON.load(Ordering::Acquire), &KEEP)
}

/// Sets the common rules, unless somebody has disabled them.
fn share(machine: &'static Machine) {
    let common: *const Rules = match machine.gpus.split_first() {
        Some(((_, first), rest)) if rest.iter().all(|(_, rules)| rules == first) => first,
        Some(_) => return,
        None => &KEEP,
    };
    let _ = COMMON.compare_exchange(null_mut(), common.cast_mut(), Ordering::AcqRel, Ordering::Acquire);
}

/// The machine and the options that led to it; no options where none were read.
fn look(may_probe: bool) -> Option<(Machine, Option<Loaded>)> {
    let disabled = std::env::var_os("RMCP_DISABLE");
    if options::is_disabled(disabled.as_ref().map(|value| value.as_encoded_bytes())) {
        return Some((Machine::inactive("RMCP_DISABLE is set"), None));
    }
    let system = caller::first_gate().is_some_and(|gate| is_system_wide(gate.path().to_bytes()));
    let loaded = Options::load(&Sources { system, ..Sources::from_process() });
    let machine = match &loaded.left_alone {
        Some(why) => Machine::inactive(format!("this program is {why}")),
        None => Machine { trace: loaded.options.trace.clone(), ..with_gpus(&loaded.options, may_probe)? },
    };
    Some((machine, Some(loaded)))
}

fn with_gpus(options: &Options, may_probe: bool) -> Option<Machine> {
    let visible: Vec<(GfxTarget, bool)> = match Topology::read(&options.topology) {
        Ok(mut topology) => {
            if options.topology == Path::new(DEFAULT_ROOT) {
                topology.drop_without_render_node(Path::new("/dev/dri"));
            }
            topology.visible(&Masks::from_process()).iter().map(|gpu| (gpu.target, gpu.apu)).collect()
        }
        Err(_) if !may_probe => return None,
        Err(why) => match probe::targets() {
            Some(targets) => targets.into_iter().map(|target| (target, target.integrated())).collect(),
            None => return Some(Machine::inactive(why.to_string())),
        },
    };
    let gpus: Vec<_> =
        visible.into_iter().map(|(target, apu)| (target, Rules::for_gpu(target, apu, options))).collect();
    let ours = gpus.iter().any(|(target, _)| target.family() != rmcp::gfx::Family::Other);
    let inactive = match (ours, gpus.is_empty()) {
        (true, _) => None,
        (false, true) => Some("no GPU is visible".into()),
        (false, false) => Some("no visible GPU is RDNA1 or RDNA2".into()),
    };
    Some(Machine { inactive, gpus, trace: None, dispatch_table: options.dispatch_table == DispatchTable::On })
}

/// Starts the log and writes what there is to say: one line on the machine, one for each thing wrong in the options.
fn announce(machine: &Machine, loaded: Option<&Loaded>) {
    let Some(Loaded { options, complaints, .. }) = loaded else { return };
    log::start(options.log, options.log_file.as_deref());
    for complaint in complaints {
        warn!("{complaint}");
    }
    let gpu = |(index, (target, rules)): (usize, &(GfxTarget, Rules))| format!("GPU {index} {target}: {rules}");
    let gpus = machine.gpus.iter().enumerate().map(gpu).collect::<Vec<_>>().join("; ");
    match &machine.inactive {
        Some(why) => info!("inactive: {why}"),
        None => info!("active; {gpus}"),
    }
}
