//! The memory pools of the process's HSA agents, for `hsa_pool = "coarse"`, `register = "coarse"` and `trace` alone.

use crate::symbols::Symbols;
use rmcp_abi::{HsaPool, HsaStatus};
use std::ffi::{CStr, c_int, c_void};

/// One pool.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    handle: HsaPool,
    /// The number of its agent, in the order in which ROCr lists them.
    pub agent: u8,
    /// Whether that agent is a GPU.
    pub gpu: bool,
    /// Whether it is fine-grained.
    pub fine: bool,
    /// Whether it is meant for kernel arguments.
    pub kernarg: bool,
    /// The coarse-grained pool of the same agent.
    pub coarse_sibling: Option<HsaPool>,
}

/// That of this handle; None when ROCr does not list it.
pub fn find(pools: &[Pool], pool: HsaPool) -> Option<Pool> {
    pools.iter().find(|known| known.handle == pool).copied()
}

type Agent = u64;
type Visit = unsafe extern "C" fn(u64, *mut c_void) -> HsaStatus;
type IterateAgents = unsafe extern "C" fn(Visit, *mut c_void) -> HsaStatus;
type IteratePools = unsafe extern "C" fn(Agent, Visit, *mut c_void) -> HsaStatus;
type AgentInfo = unsafe extern "C" fn(Agent, c_int, *mut c_void) -> HsaStatus;
type PoolInfo = unsafe extern "C" fn(HsaPool, c_int, *mut c_void) -> HsaStatus;

// hsa.h: hsa_agent_info_t, hsa_device_type_t; hsa_ext_amd.h: hsa_amd_memory_pool_info_t, hsa_amd_segment_t, hsa_amd_memory_pool_global_flag_t.
const INFO_DEVICE: c_int = 17;
const DEVICE_GPU: u32 = 1;
const INFO_SEGMENT: c_int = 0;
const INFO_GLOBAL_FLAGS: c_int = 1;
const SEGMENT_GLOBAL: u32 = 0;
const FLAG_KERNARG: u32 = 1;
const FLAG_FINE: u32 = 2;
const FLAG_COARSE: u32 = 4;

/// Every pool of every agent, as the ROCr that has these functions lists them.
pub fn list<L: Fn(&CStr) -> *mut c_void>(symbols: &Symbols<L>) -> Vec<Pool> {
    // SAFETY: the types are those of hsa.h and hsa_ext_amd.h, whose handles are structs of one u64.
    let (agents, device, pools, info) = unsafe {
        (
            symbols.function::<IterateAgents>(c"hsa_iterate_agents"),
            symbols.function::<AgentInfo>(c"hsa_agent_get_info"),
            symbols.function::<IteratePools>(c"hsa_amd_agent_iterate_memory_pools"),
            symbols.function::<PoolInfo>(c"hsa_amd_memory_pool_get_info"),
        )
    };
    let (Some(agents), Some(device), Some(pools), Some(info)) = (agents, device, pools, info) else {
        return Vec::new();
    };
    // SAFETY: `collect` is given the vector for the time of the call; the functions are ROCr's.
    let iterate = |each: &dyn Fn(*mut c_void)| {
        let mut handles: Vec<u64> = Vec::new();
        each((&raw mut handles).cast());
        handles
    };
    let mut all = Vec::new();
    // SAFETY: as above.
    let listed = iterate(&|data| unsafe {
        agents(collect, data);
    });
    for (number, agent) in listed.into_iter().enumerate() {
        let mut kind = u32::MAX;
        // SAFETY: the property is one u32.
        unsafe { device(agent, INFO_DEVICE, (&raw mut kind).cast()) };
        // SAFETY: as above.
        let handles = iterate(&|data| unsafe {
            pools(agent, collect, data);
        });
        let flags = |pool| {
            let (mut segment, mut flags) = (u32::MAX, 0u32);
            // SAFETY: both properties are one u32.
            unsafe {
                info(pool, INFO_SEGMENT, (&raw mut segment).cast());
                info(pool, INFO_GLOBAL_FLAGS, (&raw mut flags).cast());
            }
            if segment == SEGMENT_GLOBAL { flags } else { 0 }
        };
        let coarse_sibling = handles.iter().copied().find(|&pool| flags(pool) & FLAG_COARSE != 0);
        all.extend(handles.iter().map(|&handle| {
            let flags = flags(handle);
            Pool {
                handle,
                agent: u8::try_from(number).unwrap_or(u8::MAX),
                gpu: kind == DEVICE_GPU,
                fine: flags & FLAG_FINE != 0,
                kernarg: flags & FLAG_KERNARG != 0,
                coarse_sibling,
            }
        }));
    }
    all
}

unsafe extern "C" fn collect(handle: u64, handles: *mut c_void) -> HsaStatus {
    // SAFETY: `list` passes its vector.
    unsafe { (*handles.cast::<Vec<u64>>()).push(handle) };
    0
}
