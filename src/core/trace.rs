//! The recorder behind `rmcp trace`: each call of the hook table that gives, takes or changes memory.
//!
//! While the option `trace` is not set none of this is reached: see [`crate::watch`].
//! What is recorded goes to files that are mapped, so it outlives whatever ends the process; [`writer`] says how.

mod writer;

use crate::call::Call;
use crate::caller::CallerKind;
use crate::isolation::isolated;
use crate::substitution::Substitution;
use crate::{machine, pools};
use rmcp_abi::effect::{Action, Address, Effect, Location};
use rmcp_abi::{Argument, Hook, Library};
use rmcp_domain::trace::{Outcome, Pool, Record};
use writer::Slot;

/// Whether calls of `hook` are recorded in this process.
pub fn is_recorded(hook: Hook) -> bool {
    machine::detected().is_some_and(|machine| machine.trace.is_some()) && hook.effect().is_some()
}

/// Notes that calls may be missing: a copy of the HIP runtime is here whose own table does not lead to the hooks.
pub fn note_incomplete() {
    writer::note_incomplete();
}

/// Makes a call with these arguments by `run`, and records it: what was asked before, what came of it
/// afterwards.
pub fn record<F: Copy, R: Argument + Copy>(call: &Call<F>, arguments: &[u64], run: impl FnOnce() -> R) -> R {
    let Some(effect) = call.hook.effect() else { return run() };
    let device = current_device(call, &effect);
    let begun = isolated(|| begin(call, device, &effect, arguments)).flatten();
    let result = run();
    if let Some((slot, record)) = begun {
        let status = result.word() as u32 as i32;
        isolated(|| slot.end(&completed(record, call, &effect, arguments, status)));
    }
    result
}

/// The device that a call of HIP is for. Asked before the call: HIP may keep the last answer of a thread, and the program wants
/// that of its own call. Nothing is around the question that a runtime which throws could not pass.
fn current_device<F: Copy>(call: &Call<F>, effect: &Effect) -> Option<i32> {
    let asks = call.caller.kind != CallerKind::Runtime && call.hook.library() == Library::Hip;
    let matters = matches!(effect.action, Action::Allocate | Action::FreeAll);
    if asks && matters { call.copy.runtime().device() } else { None }
}

/// Records that a call begins. None where nothing can be written.
fn begin<F: Copy>(call: &Call<F>, device: Option<i32>, effect: &Effect, arguments: &[u64]) -> Option<(Slot, Record)> {
    let slot = writer::slot()?;
    let by_runtime = call.caller.kind == CallerKind::Runtime;
    let requested = effect.flags.map_or(0, |at| arguments[at]);
    let record = Record {
        begin: writer::now(),
        end: 0,
        hook: call.hook,
        by_runtime,
        outcome: Outcome::Unchanged,
        device: device.and_then(|device| u8::try_from(device).ok()),
        thread: writer::thread(),
        address: if let Address::Parameter(at) = effect.address { arguments[at] } else { 0 },
        size: effect.size.before(arguments),
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
fn completed<F: Copy>(mut record: Record, call: &Call<F>, effect: &Effect, arguments: &[u64], status: i32) -> Record {
    record.status = status;
    (record.outcome, record.passed) = match call.substitution() {
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
        record.size = unsafe { effect.size.after(arguments) };
        // Only the program's calls: the runtime may hold locks of its own, and allocates before it can be asked.
        if effect.location == Location::Pool && !record.by_runtime {
            let known = |handle| {
                let pool = pools::find(call.copy.pools(), handle)?;
                Some(Pool { agent: pool.agent, gpu: pool.gpu, fine: pool.fine, kernarg: pool.kernarg })
            };
            (record.requested_pool, record.passed_pool) = (known(record.requested), known(record.passed));
        }
    }
    record.end = writer::now();
    record
}
