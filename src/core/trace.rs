//! The recorder behind `rmcp trace`: each call of the hook table that gives, takes or changes memory.
//!
//! While the option `trace` is not set none of this is reached: [`crate::hooks::entry`] hands out entries without it.
//! What is recorded goes to files that are mapped, so it outlives whatever ends the process; [`writer`] says how.

mod size;
mod writer;

use crate::call::{Call, Given};
use crate::caller::Who;
use crate::{machine, pools};
use rmcp::trace::format::{Outcome, Pool, Record};
use rmcp_hooks::effect::{Address, Does, Effect, Place};
use rmcp_hooks::{Argument, Hook, Library};
use std::panic::{AssertUnwindSafe, catch_unwind};
use writer::Slot;

/// Whether calls of `hook` are recorded in this process.
pub fn wants(hook: Hook) -> bool {
    machine::known().is_some_and(|machine| machine.trace.is_some()) && hook.effect().is_some()
}

/// Runs a call of these arguments by `run`, and records it: what was asked before, what came of it afterwards.
pub fn record<F: Copy, R: Argument + Copy>(call: &Call<F, R>, arguments: &[u64], run: impl FnOnce() -> R) -> R {
    // What comes from RMCP itself was recorded on its way to ROCr's table.
    let effect = if call.caller.who == Who::Rmcp { None } else { call.hook.effect() };
    let Some(effect) = effect else { return run() };
    let begun = quietly(|| begin(call, &effect, arguments)).flatten();
    let result = run();
    if let Some((slot, record)) = begun {
        quietly(|| slot.end(&finished(record, call, &effect, arguments, result.word() as u32 as i32)));
    }
    result
}

/// Does something that the program must not notice: errno stays, and a panic ends here.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: the C library's errno of this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    // SAFETY: as above.
    unsafe { *errno = saved };
    done
}

/// Records that a call begins. None where nothing can be written.
fn begin<F: Copy, R: Copy>(call: &Call<F, R>, effect: &Effect, arguments: &[u64]) -> Option<(Slot, Record)> {
    let slot = writer::slot()?;
    let by_runtime = call.caller.who == Who::Runtime;
    // Asked before the call: HIP may keep the last answer of a thread, and the program wants that of its own call.
    let asks = !by_runtime && call.hook.info().library == Library::Hip;
    let matters = matches!(effect.does, Does::Allocates | Does::FreesAll);
    let device = if asks && matters { call.caller.runtime().device() } else { None };
    let asked = effect.flags.map_or(0, |at| arguments[at]);
    let record = Record {
        begin: writer::now(),
        end: 0,
        hook: call.hook,
        by_runtime,
        outcome: Outcome::AsAsked,
        device: device.and_then(|device| u8::try_from(device).ok()),
        thread: writer::thread(),
        address: if let Address::Is(at) = effect.address { arguments[at] } else { 0 },
        size: size::before(effect, arguments),
        asked,
        given: asked,
        status: 0,
        asked_pool: None,
        given_pool: None,
    };
    slot.begin(&record);
    Some((slot, record))
}

/// The same call with what came of it.
fn finished<F: Copy, R: Copy>(
    mut record: Record,
    call: &Call<F, R>,
    effect: &Effect,
    arguments: &[u64],
    status: i32,
) -> Record {
    record.status = status;
    (record.outcome, record.given) = match call.given() {
        Given::AsAsked => (Outcome::AsAsked, record.asked),
        Given::Flags(flags) => (Outcome::Rewritten, flags.into()),
        Given::Pool(pool) => (Outcome::Rewritten, pool),
        Given::CoarseAdvice => (Outcome::AdvisedCoarse, record.asked),
        Given::Refusal => (Outcome::Refused, record.asked),
    };
    if status == 0 {
        if let Address::WrittenTo(at) = effect.address {
            // SAFETY: the runtime returned success, so it wrote the address there.
            record.address = unsafe { *(arguments[at] as *const u64) };
        }
        // SAFETY: these are the arguments of a call of this effect that returned success.
        record.size = unsafe { size::after(effect, arguments) };
        // Only the program's calls: the runtime may hold locks of its own, and allocates before it can be asked.
        if effect.place == Place::OfPool && !record.by_runtime {
            let known = |handle| {
                let pool = pools::kind(call.caller, handle)?;
                Some(Pool { agent: pool.agent, gpu: pool.gpu, fine: pool.fine, kernarg: pool.kernarg })
            };
            (record.asked_pool, record.given_pool) = (known(record.asked), known(record.given));
        }
    }
    record.end = writer::now();
    record
}
