//! libamdhip64's own table of functions, through which its exports go from ROCm 6 on.
//!
//! A runtime that was built with rocprofiler-register hands the table to one tool, which ROCPROFILER_REGISTER_LIBRARY
//! names: with `dispatch_table = "on"` that is the core. No profiler can have it then.

use crate::isolation::isolated;
use crate::runtime_tables::{self, TableEntry};
use crate::{hooks, machine};
use rmcp_abi::dispatch_table::OFFSETS;
use std::ffi::{CStr, c_char, c_int, c_void};

/// The releases whose headers were looked at: 10,000 times the major number.
const KNOWN_VERSIONS: std::ops::Range<u64> = 60_000..80_000;

/// rocprofiler-register's call, inside the first HIP call of the process, once for each copy of a runtime. Not 0: not
/// wanted; ROCr, whose table is "hsa", then goes on to [`crate::hsa_table`].
///
/// # Safety
/// `name` is NUL-terminated and `tables` has `count` tables of that name.
#[unsafe(no_mangle)]
unsafe extern "C" fn rocprofiler_set_api_table(
    name: *const c_char,
    version: u64,
    _instance: u64,
    tables: *const *mut c_void,
    count: u64,
) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { CStr::from_ptr(name) } != c"hip" || count == 0 || !KNOWN_VERSIONS.contains(&version) {
        return 1;
    }
    // SAFETY: as above.
    isolated(|| unsafe { install_hooks(*tables) });
    0
}

/// # Safety
/// `table` is a HipDispatchTable of a known release.
unsafe fn install_hooks(table: *mut c_void) {
    // The runtime holds locks of its own here, so nothing is asked of it.
    let enabled = machine::detect(false).is_some_and(|machine| machine.active() && machine.dispatch_table);
    if enabled {
        let entries = OFFSETS.map(|(hook, offset)| TableEntry {
            hook,
            offset,
            min_table_size: offset + size_of::<*mut c_void>(),
        });
        // SAFETY: the table begins with its size in bytes, and nobody else has it before the first call returns.
        unsafe { runtime_tables::install_hooks(table, *table.cast::<usize>(), &entries, hooks::table_entry) };
    }
}
