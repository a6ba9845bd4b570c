//! Words of memory by which streams wait for the processor, and tell it things: hipStreamWaitValue32 and the like.
//!
//! In non-coherent memory a waiting stream never sees what the processor writes, and the processor may never see what the
//! stream writes. Memory of a caller that is linked with these calls is not made non-coherent; where they are reached
//! on another way, or given memory of another caller, the call fails at once in place of hanging later.

use crate::call::{Call, guarded};
use crate::requested_flags::{HOST_FLAGS, MANAGED_RANGES};
use crate::substitution::Substitution;
use log::warn;
use rmcp_abi::HipError;
use std::ffi::c_void;

type StreamBatch = unsafe extern "C-unwind" fn(*mut c_void, u32, *mut c_void, u32) -> HipError;

/// hipStreamWaitValue32 and its kin, on the word at `address`.
pub fn stream_memory<F: std::marker::Copy>(
    call: &Call<F>,
    address: *const c_void,
    real: impl FnOnce(F) -> HipError,
) -> HipError {
    match noncoherent_option(call, address) {
        Some(option) => refuse(call, address, option),
        None => call.forward(real),
    }
}

/// hipStreamBatchMemOp.
pub fn stream_batch(
    call: &Call<StreamBatch>,
    stream: *mut c_void,
    count: u32,
    operations: *mut c_void,
    flags: u32,
) -> HipError {
    // SAFETY: the program's arguments.
    let real = |real: StreamBatch| unsafe { real(stream, count, operations, flags) };
    // SAFETY: as the program says, an array of so many operations.
    let words = unsafe { words(operations.cast(), count) };
    batch(call, words, real)
}

/// A call that has hipBatchMemOpNodeParams, for a graph. The node reads the program's array at each launch: what the program
/// writes there later is not looked at.
pub fn graph_batch<F: std::marker::Copy>(
    call: &Call<F>,
    parameters: *const c_void,
    real: impl FnOnce(F) -> HipError,
) -> HipError {
    let words = if parameters.is_null() {
        None
    } else {
        // SAFETY: the struct that the call takes.
        unsafe {
            let parameters = &*parameters.cast::<BatchParameters>();
            words(parameters.operations, parameters.count)
        }
    };
    batch(call, words, real)
}

fn batch<F: std::marker::Copy>(
    call: &Call<F>,
    words: Option<&[Operation]>,
    real: impl FnOnce(F) -> HipError,
) -> HipError {
    let words = words.unwrap_or_default().iter().filter_map(Operation::word);
    match words.into_iter().find_map(|word| Some((word, noncoherent_option(call, word)?))) {
        Some((word, option)) => refuse(call, word, option),
        None => call.forward(real),
    }
}

/// hipBatchMemOpNodeParams. (hip_runtime_api.h)
#[repr(C)]
struct BatchParameters {
    context: *mut c_void,
    count: u32,
    operations: *const Operation,
    flags: u32,
}

/// hipStreamBatchMemOpParams, a union of 48 bytes. (hip_runtime_api.h)
#[repr(C)]
struct Operation {
    kind: u32,
    address: *const c_void,
    rest: [u64; 4],
}

impl Operation {
    /// The word that it waits for or writes; None: it is a fence.
    fn word(&self) -> Option<*const c_void> {
        /// hipStreamMemOpWaitValue32, WriteValue32, WaitValue64, WriteValue64.
        const ON_WORDS: [u32; 4] = [1, 2, 4, 5];
        ON_WORDS.contains(&self.kind).then_some(self.address)
    }
}

/// More than this the runtime refuses. (ROCm/clr, hipamd/src/hip_stream_ops.cpp)
const LARGEST_BATCH: u32 = 256;

/// # Safety
/// `operations` is null or an array of so many.
unsafe fn words<'a>(operations: *const Operation, count: u32) -> Option<&'a [Operation]> {
    let refused = operations.is_null() || count > LARGEST_BATCH;
    // SAFETY: the caller's promise.
    (!refused).then(|| unsafe { std::slice::from_raw_parts(operations, count as usize) })
}

/// The option by which RMCP made the memory at `address` non-coherent; None: it did not.
fn noncoherent_option<F: std::marker::Copy>(call: &Call<F>, address: *const c_void) -> Option<&'static str> {
    let runtime = call.copy.runtime();
    // What was remembered may have been freed, and other memory have come to lie there.
    let of = |base: *const c_void| {
        let pinned = HOST_FLAGS.get(base as u64).filter(|_| runtime.is_noncoherent(base.cast_mut()));
        let managed = || MANAGED_RANGES.get(base as u64).filter(|_| runtime.is_coarse(base));
        pinned.map(|_| "host").or_else(|| managed().map(|_| "managed"))
    };
    let found = || of(address).or_else(|| of(runtime.allocation_base(address)?));
    guarded(found).flatten()
}

#[cold]
fn refuse<F: std::marker::Copy>(call: &Call<F>, address: *const c_void, option: &str) -> HipError {
    warn!(
        "{} at {address:p} is refused: by the option {option} this memory is non-coherent, and stream and processor would not \
         see each other's words in it. Set {option}=keep for this program, or for the library that allocated it",
        call.hook.info().name
    );
    call.rewrite(Substitution::Refusal, |_| call.copy.runtime().invalid_value())
}
