//! Device memory.

use super::{Address, WithFlags, rewrite_flags, with_flags};
use crate::call::{Call, guarded};
use crate::substitution::Substitution;
use log::debug;
use rmcp_abi::{HipError, flags};
use rmcp_domain::policy::{self, Decision, Reason, Rules, Vram};
use std::sync::atomic::{AtomicU64, Ordering};

type GetInfo = unsafe extern "C-unwind" fn(*mut usize, *mut usize) -> HipError;

/// Bytes that threads are about to allocate, by device; devices beyond the array's length share.
static IN_FLIGHT: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// No card has as much, and the sum over all threads still fits.
const LARGEST: u64 = 1 << 48;

/// A share of [`IN_FLIGHT`], given back when dropped.
struct Reservation(&'static AtomicU64, u64);

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::AcqRel);
    }
}

/// An allocation of `size` bytes, within the limit.
#[inline]
pub fn vram<F: std::marker::Copy>(call: &Call<F>, size: usize, real: impl FnOnce(F) -> HipError) -> HipError {
    within_vram_limit(call, size, |_| call.forward(real))
}

/// hipExtMallocWithFlags.
pub fn ext_malloc(call: &Call<WithFlags>, ptr: Address, size: usize, flags: u32) -> HipError {
    let refuses = flags == flags::DEVICE_FINEGRAINED && call.copy.runtime().refuses_finegrained();
    within_vram_limit(call, size, |_| match call.decide(|rules| policy::ext_flags(flags, refuses, rules)) {
        Decision::Forward => call.forward(|real| with_flags(real, ptr, size, flags)),
        Decision::Rewrite { to, reason } => rewrite_flags(call, ptr, size, flags, to, reason),
    })
}

/// Does `allocate` unless it would lead above the limit.
#[inline]
fn within_vram_limit<F: std::marker::Copy>(
    call: &Call<F>,
    size: usize,
    allocate: impl FnOnce(&Rules) -> HipError,
) -> HipError {
    let rules = guarded(|| call.rules()).unwrap_or(&Rules::KEEP);
    if size != 0 && rules.limits_vram() { reserve_and_allocate(rules, call, size, allocate) } else { allocate(rules) }
}

/// The same where there is a limit. What is in use is the runtime's to tell, so that other programs and every way of
/// freeing count.
#[cold]
fn reserve_and_allocate<F: std::marker::Copy>(
    rules: &Rules,
    call: &Call<F>,
    size: usize,
    allocate: impl FnOnce(&Rules) -> HipError,
) -> HipError {
    let runtime = call.copy.runtime();
    let device = runtime.device().and_then(|device| usize::try_from(device).ok()).unwrap_or(0);
    let footprint = policy::footprint(size as u64).min(LARGEST);
    let in_flight = &IN_FLIGHT[device % IN_FLIGHT.len()];
    let others = in_flight.fetch_add(footprint, Ordering::AcqRel);
    let _reservation = Reservation(in_flight, footprint);
    match runtime.vram() {
        Some(vram) if !policy::may_allocate(vram, others, size as u64, rules) => {
            let name = call.hook.info().name;
            debug!("{name} size={size} refused ({})", Reason::VramLimit.text());
            call.rewrite(Substitution::Refusal, |_| runtime.out_of_memory())
        }
        _ => allocate(rules),
    }
}

/// hipMemGetInfo.
pub fn mem_info(call: &Call<GetInfo>, free: *mut usize, total: *mut usize) -> HipError {
    let rules = call.rules();
    // SAFETY: the program's arguments.
    let status = call.forward(|real| unsafe { real(free, total) });
    if status == 0 && rules.limits_vram() && !free.is_null() && !total.is_null() {
        // SAFETY: the runtime returned success, so it wrote both.
        let (free, total) = unsafe { (&mut *free, &mut *total) };
        let seen = policy::reported(Vram { total: *total as u64, free: *free as u64 }, rules);
        (*free, *total) = (seen.free as usize, seen.total as usize);
    }
    status
}
