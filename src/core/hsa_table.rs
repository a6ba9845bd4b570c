//! ROCr's own table of functions, through which every HSA call goes: also those of libraries loaded with RTLD_DEEPBIND
//! and of programs that look functions up with dlsym, which the gate does not see.
//!
//! While it starts, ROCr from 6.1 on hands the table to each loaded library that exports HSA_AMD_TOOL_PRIORITY and
//! OnLoad, and in every release to those that HSA_TOOLS_LIB names. The gate has an export of hsa_init so that the core is
//! loaded by then. A call that the gate has seen comes here a second time, from the core, and passes unchanged; so the
//! table is left alone where no option could change a call.

use crate::{hooks, machine};
use rmcp_hooks::Hook;
use std::ffi::{c_char, c_void};
use std::panic::catch_unwind;
use std::ptr::null_mut;
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

/// A function of AmdExtTable that has a policy of its own.
struct Place {
    hook: Hook,
    /// Byte offset in the table.
    offset: usize,
    /// The size of the smallest table that has it there; that of 5.2.3 is 400.
    least: u32,
    original: AtomicPtr<c_void>,
}

impl Place {
    const fn new(hook: Hook, offset: usize, least: u32) -> Self {
        Self { hook, offset, least, original: AtomicPtr::new(null_mut()) }
    }
}

/// Offsets as in the headers of 5.2.3, 5.7.1, 6.4.3 and 7.2.4, checked against them by hip-tests.
static PLACES: [Place; 2] =
    [Place::new(Hook::hsa_amd_memory_pool_allocate, 120, 400), Place::new(Hook::hsa_amd_memory_lock_to_pool, 352, 560)];

/// What stood in the table in place of `hook`.
pub fn original(hook: Hook) -> *mut c_void {
    let place = PLACES.iter().find(|place| place.hook == hook);
    place.map_or(null_mut(), |place| place.original.load(Ordering::Acquire))
}

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
    let _ = catch_unwind(|| unsafe { replace((*table).amd_ext) });
    true
}

/// ROCr's call before it goes. The table goes with it.
#[unsafe(no_mangle)]
extern "C" fn OnUnload() {}

/// # Safety
/// `table` is ROCr's AmdExtTable.
unsafe fn replace(table: *mut Version) {
    // ROCr holds locks of its own here, so nothing is asked of the runtime.
    let Some(machine) = machine::detect(false).filter(|machine| machine.active()) else { return };
    if !machine.gpus.iter().any(|(_, rules)| rules.may_change_pools() || rules.may_change_registered()) {
        return;
    }
    for place in &PLACES {
        // SAFETY: the table begins with its version, and is as large as that says.
        let entry: *mut *mut c_void = unsafe {
            if (*table).minor < place.least {
                continue;
            }
            table.byte_add(place.offset).cast()
        };
        // SAFETY: as above.
        let function = unsafe { *entry };
        // A second ROCr in the process keeps its own functions: there is one place for the original. The same one may
        // start again, with a fresh table.
        let free = place.original.compare_exchange(null_mut(), function, Ordering::AcqRel, Ordering::Acquire);
        if free.is_ok() || free == Err(function) {
            // SAFETY: as above; nobody else writes the table while ROCr starts.
            unsafe { *entry = hooks::table_entry(place.hook) };
        }
    }
}
