//! The tables of functions through which the runtimes' exports go, and in which a tool may put its own.
//!
//! They lead to RMCP what goes past the gate: libraries loaded with RTLD_DEEPBIND, and functions looked up with dlsym. A
//! call that the gate has seen comes here a second time, from the core, and passes unchanged.

use crate::caller::Caller;
use once_cell::race::OnceBox;
use rmcp_abi::{Hook, Library};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Where a table has the function of a hook.
pub struct TableEntry {
    pub hook: Hook,
    /// Byte offset in the table.
    pub offset: usize,
    /// The size in bytes of the smallest table that has it there.
    pub min_table_size: usize,
}

/// What stood in a table in place of each hook.
static ORIGINALS: [AtomicPtr<c_void>; Hook::ALL.len()] = [const { AtomicPtr::new(null_mut()) }; Hook::ALL.len()];

/// What stood in its table in place of `hook`; null while nothing was replaced.
pub fn original(hook: Hook) -> *mut c_void {
    ORIGINALS[hook as usize].load(Ordering::Acquire)
}

/// Puts the hooks of `entries`, each by its `hook_entry`, into a table of `size` bytes.
///
/// A second copy of the runtime in the process keeps its own functions: there is one entry for each original. The same
/// one may start again, with a fresh table.
///
/// # Safety
/// `table` is a table of the runtime that `entries` describe, it is that large, and nobody else writes it meanwhile.
pub unsafe fn install_hooks(
    table: *mut c_void,
    size: usize,
    entries: &[TableEntry],
    hook_entry: fn(Hook) -> *mut c_void,
) {
    for entry in entries.iter().filter(|entry| entry.min_table_size <= size) {
        // SAFETY: the table is large enough to have the entry.
        let slot: &mut *mut c_void = unsafe { &mut *table.byte_add(entry.offset).cast() };
        let original = &ORIGINALS[entry.hook as usize];
        let free = original.compare_exchange(null_mut(), *slot, Ordering::AcqRel, Ordering::Acquire);
        if !slot.is_null() && (free.is_ok() || free == Err(*slot)) {
            *slot = hook_entry(entry.hook);
        }
    }
}

/// Stands for the programs that come to the HIP runtime through its table. They need not be linked with it, so they use
/// the copy that the table belongs to.
pub fn table_caller(hook: Hook) -> Option<&'static Caller> {
    static CALLER: OnceBox<Caller> = OnceBox::new();
    if hook.info().library != Library::Hip {
        return None;
    }
    CALLER.get_or_try_init(|| Caller::for_runtime_of(original(hook)).map(Box::new).ok_or(())).ok()
}
