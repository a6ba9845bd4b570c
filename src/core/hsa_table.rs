//! ROCr's own table of functions, through which every HSA call goes.
//!
//! While it starts, ROCr from 6.1 on hands the table to each loaded library that exports HSA_AMD_TOOL_PRIORITY and
//! OnLoad, and in every release to those that HSA_TOOLS_LIB names. The gate has an export of hsa_init so that the core is
//! loaded by then. The table is left alone where no option could change a call.

use crate::isolation::isolated;
use crate::{bind, copies, machine};
use rmcp_abi::find_object::module_of;
use rmcp_abi::link_map::LinkMap;
use rmcp_abi::module::with_loader_lock;
use rmcp_abi::{Hook, Library};
use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

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

/// The functions of AmdExtTable that have a policy of their own: where each stands, in bytes, and the size of the smallest
/// table that has it there.
///
/// Offsets as in the headers of 5.2.3, 5.7.1, 6.4.3 and 7.2.4, checked against them by hip-tests; the table of 5.2.3 has
/// 400 bytes.
const PLACES: [(Hook, usize, usize); 2] =
    [(Hook::hsa_amd_memory_pool_allocate, 120, 400), (Hook::hsa_amd_memory_lock_to_pool, 352, 560)];

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
    let Some(machine) = machine::detect(false) else { return };
    let mut taken = false;
    for (hook, offset, smallest) in PLACES {
        // SAFETY: the table begins with its version, and is as large as that says.
        let place = unsafe {
            if ((*table).minor as usize) < smallest || !bind::is_hooked(hook, Some(machine)) {
                continue;
            }
            &*table.byte_add(offset).cast::<AtomicPtr<c_void>>()
        };
        let map = || LinkMap::of_module(&module_of(place.load(Ordering::Acquire).addr())?, LinkMap::first()?);
        if let Some(number) = with_loader_lock(map).and_then(|map| rmcp_abi::copies::register(Library::Hsa, map)) {
            copies::copy(Library::Hsa, number).take_place(hook, place);
            taken = true;
        }
    }
    if taken {
        bind::release();
    }
}
