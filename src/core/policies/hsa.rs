//! Memory pools of HSA.

use super::Address;
use crate::call::{Call, guarded};
use crate::caller::CallerKind;
use crate::pools;
use crate::substitution::Substitution;
use log::debug;
use rmcp_abi::{HsaPool, HsaStatus};
use rmcp_domain::policy::{self, Decision};
use std::ffi::c_void;

type PoolAllocate = unsafe extern "C-unwind" fn(HsaPool, usize, u32, Address) -> HsaStatus;
type LockToPool = unsafe extern "C-unwind" fn(*mut c_void, usize, *mut u64, i32, HsaPool, u32, Address) -> HsaStatus;

/// hsa_amd_memory_pool_allocate.
#[inline]
pub fn pool_allocate(call: &Call<PoolAllocate>, pool: HsaPool, size: usize, flags: u32, ptr: Address) -> HsaStatus {
    // Listing the pools is dear; where no pool would be changed it is not done.
    if guarded(|| call.rules().may_change_pools()) == Some(true) {
        return from_coarse(call, pool, size, flags, ptr);
    }
    // SAFETY: the program's arguments.
    call.forward(|real| unsafe { real(pool, size, flags, ptr) })
}

/// The same from the coarse-grained pool of the agent, if the rules want that.
#[inline(never)]
fn from_coarse(call: &Call<PoolAllocate>, pool: HsaPool, size: usize, flags: u32, ptr: Address) -> HsaStatus {
    let kind = guarded(|| pools::find(call.copy.pools(), pool)).flatten();
    if let Some(kind) = kind
        && let Decision::Rewrite { to: (), reason } =
            call.decide(|rules| policy::hsa_pool(kind.fine, kind.kernarg, rules))
        && let Some(coarse) = kind.coarse_sibling
    {
        // SAFETY: the program's arguments, with another pool of the same agent.
        let status = call.rewrite(Substitution::Pool(coarse), |real| unsafe { real(coarse, size, flags, ptr) });
        let name = call.hook.info().name;
        guarded(|| debug!("{name} size={size} pool={pool:#x} -> {coarse:#x} ({}) = {status}", reason.text()));
        return status;
    }
    // SAFETY: the program's arguments.
    call.forward(|real| unsafe { real(pool, size, flags, ptr) })
}

/// hsa_amd_memory_lock_to_pool. Unlike every other call this one is rewritten for the runtime and not for the program:
/// it is what becomes of hipHostRegister.
#[allow(clippy::too_many_arguments)] // C's
pub fn lock_to_pool(
    call: &Call<LockToPool>,
    host: *mut c_void,
    size: usize,
    agents: *mut u64,
    count: i32,
    pool: HsaPool,
    flags: u32,
    agent: Address,
) -> HsaStatus {
    // SAFETY: the caller's arguments, but for the pool, which is one of the same agent.
    let lock = |pool| move |real: LockToPool| unsafe { real(host, size, agents, count, pool, flags, agent) };
    if call.caller.kind == CallerKind::Program {
        return call.forward(lock(pool));
    }
    let decide = || {
        let rules = call.rules();
        let kind = rules.may_change_registered().then(|| pools::find(call.copy.pools(), pool)).flatten()?;
        match policy::register(kind.fine, rules) {
            Decision::Rewrite { to: (), reason } => Some((kind.coarse_sibling?, reason)),
            Decision::Forward => None,
        }
    };
    if let Some((coarse, reason)) = guarded(decide).flatten() {
        let status = call.rewrite(Substitution::Pool(coarse), lock(coarse));
        guarded(|| debug!("hipHostRegister size={size} pool={pool:#x} -> {coarse:#x} ({}) = {status}", reason.text()));
        return status;
    }
    call.forward_for_runtime(lock(pool))
}
