//! Functions without a hook that RMCP calls for itself.

use crate::devices::archs;
use crate::record::LAST_ERROR;
use rmcp_abi::{HipError, HsaPool, HsaStatus};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

static DEVICE: AtomicI32 = AtomicI32::new(0);
/// HIP_VERSION: 10,000,000 * major + 100,000 * minor + patch.
static VERSION: AtomicI32 = AtomicI32::new(60_443_000);

#[unsafe(no_mangle)]
extern "C" fn hipSetDevice(device: c_int) -> HipError {
    DEVICE.store(device, Relaxed);
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hipGetDevice(device: *mut c_int) -> HipError {
    // SAFETY: C's promise.
    unsafe { device.write(DEVICE.load(Relaxed)) };
    0
}

#[unsafe(no_mangle)]
extern "C" fn hipGetLastError() -> HipError {
    LAST_ERROR.swap(0, Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn hipPeekAtLastError() -> HipError {
    LAST_ERROR.load(Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn rmcp_stub_version(version: c_int) {
    VERSION.store(version, Relaxed);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hipRuntimeGetVersion(version: *mut c_int) -> HipError {
    // SAFETY: C's promise.
    unsafe { version.write(VERSION.load(Relaxed)) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hipGetDeviceCount(count: *mut c_int) -> HipError {
    // SAFETY: C's promise.
    unsafe { count.write(archs().len() as c_int) };
    0
}

/// hsa_amd_memory_pool_global_flag_t of each pool of the one agent: kernarg and fine, fine, coarse.
const POOLS: [(HsaPool, u32); 3] = [(0x11, 1 | 2), (0x12, 2), (0x13, 4)];
const AGENT: u64 = 1;

type Visit = unsafe extern "C" fn(u64, *mut c_void) -> HsaStatus;

#[unsafe(no_mangle)]
unsafe extern "C" fn hsa_iterate_agents(visit: Visit, data: *mut c_void) -> HsaStatus {
    // SAFETY: C's promise.
    unsafe { visit(AGENT, data) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hsa_agent_get_info(_agent: u64, _what: c_int, out: *mut u32) -> HsaStatus {
    // The one property that is asked for, HSA_AGENT_INFO_DEVICE: a CPU.
    // SAFETY: C's promise.
    unsafe { out.write(0) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hsa_amd_agent_iterate_memory_pools(_agent: u64, visit: Visit, data: *mut c_void) -> HsaStatus {
    // SAFETY: C's promise.
    POOLS.iter().map(|&(pool, _)| unsafe { visit(pool, data) }).find(|&status| status != 0).unwrap_or(0)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn hsa_amd_memory_pool_get_info(pool: HsaPool, what: c_int, out: *mut u32) -> HsaStatus {
    const INVALID_ARGUMENT: HsaStatus = 0x1001;
    const SEGMENT: c_int = 0;
    const GLOBAL_FLAGS: c_int = 1;
    let Some((_, flags)) = POOLS.iter().find(|(handle, _)| *handle == pool) else { return INVALID_ARGUMENT };
    let value = match what {
        SEGMENT => 0,
        GLOBAL_FLAGS => *flags,
        _ => return INVALID_ARGUMENT,
    };
    // SAFETY: C's promise; both properties are one u32.
    unsafe { out.write(value) };
    0
}
