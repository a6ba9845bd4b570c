//! What RMCP found on this machine and decided for this process, once, at the first call.
//!
//! No lock: threads that meet here each detect, and the first answer stays. A thread can therefore never wait for
//! another one that a fork has left behind.

use crate::{bind, probe};
use log::{info, warn};
use once_cell::race::OnceBox;
use rmcp_abi::find_object::first_gate;
use rmcp_abi::gate::is_system_wide;
use rmcp_domain::machine::Gpu;
pub use rmcp_domain::machine::{Machine, RuleSet};
use rmcp_domain::options::{self, Options, Sources};
use rmcp_domain::policy::Rules;
use rmcp_domain::release::Release;
use rmcp_domain::topology::Masks;
use std::sync::atomic::{AtomicBool, Ordering};

static MACHINE: OnceBox<Machine> = OnceBox::new();

/// Whether every call is forwarded.
static DISABLED: AtomicBool = AtomicBool::new(false);

static KEEP: Rules = Rules::KEEP;

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
        crate::log::redirect_panics();
        log_summary(machine);
    }
    Some(machine)
}

/// Those of `set` that are for the current device.
#[inline]
pub fn current_rules(set: Option<&'static RuleSet>, device: impl FnOnce() -> Option<i32>) -> &'static Rules {
    let Some(set) = set.filter(|_| !disabled()) else { return &KEEP };
    match set.common() {
        Some(common) => common,
        None => rules_of_current_device(set, device),
    }
}

#[cold]
fn rules_of_current_device(set: &'static RuleSet, device: impl FnOnce() -> Option<i32>) -> &'static Rules {
    device().and_then(|device| set.for_device(device)).unwrap_or(&KEEP)
}

/// Those of `set` that are for the GPU that HIP numbers so.
pub fn rules_for_device(set: Option<&'static RuleSet>, device: i32) -> &'static Rules {
    set.filter(|_| !disabled()).and_then(|set| set.for_device(device)).unwrap_or(&KEEP)
}

/// The rules for calls of which nothing more is known than the program.
pub fn program_rules() -> Option<&'static RuleSet> {
    static RULES: OnceBox<RuleSet> = OnceBox::new();
    let machine = detected()?;
    Some(RULES.get_or_init(|| Box::new(machine.program_rules())))
}

/// Whether some call of this process could be given memory that is less coherent than what it asked for.
pub fn makes_noncoherent() -> bool {
    detected().is_some_and(|machine| machine.makes_noncoherent) && !disabled()
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
        return Some(Machine::inactive("RMCP_DISABLE is set", None));
    }
    let system = first_gate().is_some_and(|gate| is_system_wide(gate.path().to_bytes()));
    // SAFETY: takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let loaded = Options::load(&Sources { system, ..Sources::from_process(user) });
    if let Some(why) = &loaded.exclusion {
        let why = format!("this program is {why}");
        return Some(Machine::inactive(why, Some(loaded)));
    }
    let gpus = match Gpu::visible(&loaded.options, &Masks::from_process()) {
        Err(why) if may_probe => match probe::targets() {
            Some(targets) => Ok(targets.into_iter().map(Gpu::by_target).collect()),
            None => Err(why.to_string()),
        },
        visible => Ok(visible.ok()?),
    };
    Some(Machine::new(loaded, gpus, Release::of_kernel()))
}

/// Starts the log and writes what there is to say: one line on the machine, one for each thing wrong in the options.
fn log_summary(machine: &Machine) {
    let Some(loaded) = &machine.loaded else { return };
    crate::log::start(loaded.options.log, loaded.options.log_file.as_deref());
    for complaint in &loaded.complaints {
        warn!("{complaint}");
    }
    if loaded.more_complaints > 0 {
        warn!("and {} more things are wrong in the options; rmcp config check tells all", loaded.more_complaints);
    }
    for (variable, option) in loaded.kept_by_environment() {
        info!("{option}=keep, since {} asks for coherent memory; set {option} to have it otherwise", variable.name);
    }
    info!("{machine}");
}
