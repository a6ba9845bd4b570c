//! The recorder behind `rmcp trace`: each call of the hook table that gives, takes or changes memory.
//!
//! While the option `trace` is not set none of this is reached: see [`crate::watch`].
//! What is recorded goes to files that are mapped, so it outlives whatever ends the process; [`writer`] says how.

mod size;
mod writer;

use crate::caller::{Caller, CallerKind};
use crate::isolation::isolated;
use crate::substitution::Substitution;
use crate::{machine, pools};
use rmcp_abi::effect::{Action, Address, Effect, Location};
use rmcp_abi::{Argument, Hook, Library};
use rmcp_domain::trace::{Outcome, Pool, Record};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use writer::Slot;

/// Whether any call was recorded: saves the others a look at thread-local storage.
static RECORDING: AtomicBool = AtomicBool::new(false);

/// Whether calls of `hook` are recorded in this process.
pub fn is_recorded(hook: Hook) -> bool {
    machine::detected().is_some_and(|machine| machine.trace.is_some()) && hook.effect().is_some()
}

/// Notes that calls may be missing: a copy of the HIP runtime is here whose own table does not lead to the hooks.
#[expect(dead_code, reason = "whoever looks for the table is to call it")]
pub fn note_incomplete() {
    writer::note_incomplete();
}

thread_local! {
    /// What the call that is being recorded was given; it has a destructor in no thread.
    static SUBSTITUTION: Cell<Substitution> = const { Cell::new(Substitution::None) };
}

/// Notes what the program is given in place of what it asked for.
#[inline]
pub fn note_substitution(substitution: Substitution) {
    if RECORDING.load(Ordering::Relaxed) {
        SUBSTITUTION.set(substitution);
    }
}

/// Makes a call of `caller` with these arguments by `call`, and records it: what was asked before, what came of it
/// afterwards.
pub fn record<R: Argument + Copy>(hook: Hook, caller: &Caller, arguments: &[u64], call: impl FnOnce() -> R) -> R {
    let Some(effect) = hook.effect() else { return call() };
    // Read first: threads that all write would take the cache line from each other.
    if !RECORDING.load(Ordering::Relaxed) {
        RECORDING.store(true, Ordering::Relaxed);
    }
    let begun = isolated(|| begin(hook, caller, &effect, arguments)).flatten();
    // The runtime calls HSA within, and those calls are recorded too.
    let outer = SUBSTITUTION.replace(Substitution::None);
    let result = call();
    let substitution = SUBSTITUTION.replace(outer);
    if let Some((slot, record)) = begun {
        let status = result.word() as u32 as i32;
        isolated(|| slot.end(&completed(record, caller, &effect, arguments, substitution, status)));
    }
    result
}

/// Records that a call begins. None where nothing can be written.
fn begin(hook: Hook, caller: &Caller, effect: &Effect, arguments: &[u64]) -> Option<(Slot, Record)> {
    let slot = writer::slot()?;
    let by_runtime = caller.kind == CallerKind::Runtime;
    // Asked before the call: HIP may keep the last answer of a thread, and the program wants that of its own call.
    let asks = !by_runtime && hook.info().library == Library::Hip;
    let matters = matches!(effect.action, Action::Allocate | Action::FreeAll);
    let device = if asks && matters { caller.runtime().device() } else { None };
    let requested = effect.flags.map_or(0, |at| arguments[at]);
    let record = Record {
        begin: writer::now(),
        end: 0,
        hook,
        by_runtime,
        outcome: Outcome::Unchanged,
        device: device.and_then(|device| u8::try_from(device).ok()),
        thread: writer::thread(),
        address: if let Address::Parameter(at) = effect.address { arguments[at] } else { 0 },
        size: size::before(effect, arguments),
        requested,
        passed: requested,
        status: 0,
        requested_pool: None,
        passed_pool: None,
    };
    slot.begin(&record);
    Some((slot, record))
}

/// The same call with what came of it.
fn completed(
    mut record: Record,
    caller: &Caller,
    effect: &Effect,
    arguments: &[u64],
    substitution: Substitution,
    status: i32,
) -> Record {
    record.status = status;
    (record.outcome, record.passed) = match substitution {
        Substitution::None => (Outcome::Unchanged, record.requested),
        Substitution::Kept(why) => (Outcome::Kept, why.pack()),
        Substitution::Flags(flags) => (Outcome::Rewritten, flags.into()),
        Substitution::Pool(pool) => (Outcome::Rewritten, pool),
        Substitution::CoarseAdvice => (Outcome::AdvisedCoarse, record.requested),
        Substitution::Refusal => (Outcome::Refused, record.requested),
    };
    if status == 0 {
        if let Address::Output(at) = effect.address {
            // SAFETY: the runtime returned success, so it wrote the address there.
            record.address = unsafe { *(arguments[at] as *const u64) };
        }
        // SAFETY: these are the arguments of a call of this effect that returned success.
        record.size = unsafe { size::after(effect, arguments) };
        // Only the program's calls: the runtime may hold locks of its own, and allocates before it can be asked.
        if effect.location == Location::Pool && !record.by_runtime {
            let known = |handle| {
                let pool = pools::find(caller.pools(), handle)?;
                Some(Pool { agent: pool.agent, gpu: pool.gpu, fine: pool.fine, kernarg: pool.kernarg })
            };
            (record.requested_pool, record.passed_pool) = (known(record.requested), known(record.passed));
        }
    }
    record.end = writer::now();
    record
}
