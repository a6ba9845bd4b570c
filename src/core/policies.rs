//! What happens to each kind of call: the domain library decides, this forwards, counts and says so.
//!
//! The functions are named after the policies of the hook table.

mod device;
mod event;
mod host;
mod hsa;
mod managed;
mod queries;
mod start;
mod stream;

pub use device::{ext_malloc, mem_info, vram};
pub use event::event_create;
pub use host::{host, host_alloc, host_register, malloc_host, mem_alloc_host};
pub use hsa::{lock_to_pool, pool_allocate};
pub use managed::managed;
pub use queries::{
    device_attribute, device_properties, entry_point, proc_address, requested_attributes, requested_flags,
};
pub use start::runtime_start;
pub use stream::{graph_batch, stream_batch, stream_memory};

use crate::call::{Call, guarded};
use crate::substitution::Substitution;
use log::debug;
use rmcp_abi::HipError;
use rmcp_domain::policy::Reason;
use std::ffi::c_void;

type Address = *mut *mut c_void;
type WithFlags = unsafe extern "C-unwind" fn(Address, usize, u32) -> HipError;

fn with_flags(real: WithFlags, ptr: Address, size: usize, flags: u32) -> HipError {
    // SAFETY: `real` is an allocation call of the HIP runtime, and the pointer and size are what the program passed to
    // its hook; flags are plain numbers, which the runtime checks.
    unsafe { real(ptr, size, flags) }
}

/// The same with other flags than the program's, which is logged.
#[inline(never)]
fn rewrite_flags(call: &Call<WithFlags>, ptr: Address, size: usize, flags: u32, to: u32, reason: Reason) -> HipError {
    let status = call.rewrite(Substitution::Flags(to), |real| with_flags(real, ptr, size, to));
    log_rewrite(call, size, flags, to, reason, status);
    status
}

/// The debug line of a call with rewritten flags.
fn log_rewrite<F>(call: &Call<F>, size: usize, requested: u32, passed: u32, reason: Reason, status: HipError) {
    let name = call.hook.info().name;
    guarded(|| debug!("{name} size={size} flags={requested:#x} -> {passed:#x} ({}) = {status}", reason.text()));
}
