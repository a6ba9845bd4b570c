//! ROCr's own table of functions, through which every HSA call goes.
//!
//! While it starts, ROCr from 6.1 on hands the table to each loaded library that exports HSA_AMD_TOOL_PRIORITY and
//! OnLoad, and in every release to those that HSA_TOOLS_LIB names. The gate has an export of hsa_init so that the core is
//! loaded by then. The table is left alone where no option could change a call.

use crate::isolation::isolated;
use crate::runtime_tables::{self, TableEntry};
use crate::{hooks, machine};
use rmcp_abi::Hook;
use std::ffi::{c_char, c_void};

/// Tools with smaller numbers are loaded, and see a call, first; profilers take small ones.
#[unsafe(no_mangle)]
static HSA_AMD_TOOL_PRIORITY: u32 = 100;

/// ApiTableVersion, the head of each table. `minor` is the table's size in bytes. (hsa_api_trace.h)
#[repr(C)]
struct Version {
    major: u32,
    minor: u32,
    step: u32,
    reserved: u32,
}

/// HsaApiTable, as far as it is used here. (hsa_api_trace.h)
#[repr(C)]
struct ApiTable {
    version: Version,
    core: *mut c_void,
    amd_ext: *mut Version,
}

/// The functions of AmdExtTable that have a policy of their own.
///
/// Offsets as in the headers of 5.2.3, 5.7.1, 6.4.3 and 7.2.4, checked against them by hip-tests; the table of 5.2.3 has
/// 400 bytes.
static ENTRIES: [TableEntry; 2] = [
    TableEntry { hook: Hook::hsa_amd_memory_pool_allocate, offset: 120, min_table_size: 400 },
    TableEntry { hook: Hook::hsa_amd_memory_lock_to_pool, offset: 352, min_table_size: 560 },
];

/// ROCr's call, inside hsa_init. Always true: a library that refuses is reported as broken.
///
/// # Safety
/// `table` is ROCr's table.
#[unsafe(no_mangle)]
unsafe extern "C" fn OnLoad(
    table: *const ApiTable,
    _version: u64,
    _failed_tools: u64,
    _names: *const *const c_char,
) -> bool {
    // SAFETY: the caller's promise.
    isolated(|| unsafe { install_hooks((*table).amd_ext) });
    true
}

/// ROCr's call before it goes. The table goes with it.
#[unsafe(no_mangle)]
extern "C" fn OnUnload() {}

/// # Safety
/// `table` is ROCr's AmdExtTable.
unsafe fn install_hooks(table: *mut Version) {
    // ROCr holds locks of its own here, so nothing is asked of the runtime.
    let Some(machine) = machine::detect(false).filter(|machine| machine.active()) else { return };
    if !machine.any_rules(|rules| rules.may_change_pools() || rules.may_change_registered()) {
        return;
    }
    // SAFETY: the table begins with its version, is as large as that says, and nobody else writes it while ROCr starts.
    unsafe { runtime_tables::install_hooks(table.cast(), (*table).minor as usize, &ENTRIES, hooks::table_entry) };
}
