//! The tables of functions through which the runtimes' exports go, and in which a tool may put its own.
//!
//! They lead to RMCP what goes past the gate: libraries loaded with RTLD_DEEPBIND, and functions looked up with dlsym. A
//! call that the gate has seen comes here a second time, from the core, and passes unchanged.

use crate::caller::Caller;
use crate::hooks;
use once_cell::race::OnceBox;
use rmcp_abi::{Hook, Library};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Where a table has the function of a hook.
pub struct Place {
    pub hook: Hook,
    /// Byte offset in the table.
    pub offset: usize,
    /// The size in bytes of the smallest table that has it there.
    pub least: usize,
}

/// What stood in a table in place of each hook.
static ORIGINALS: [AtomicPtr<c_void>; Hook::ALL.len()] = [const { AtomicPtr::new(null_mut()) }; Hook::ALL.len()];

/// What stood in its table in place of `hook`; null while nothing was replaced.
pub fn original(hook: Hook) -> *mut c_void {
    ORIGINALS[hook as usize].load(Ordering::Acquire)
}

/// Puts the hooks of `places` into a table of `size` bytes.
///
/// A second copy of the runtime in the process keeps its own functions: there is one place for each original. The same
/// one may start again, with a fresh table.
///
/// # Safety
/// `table` is a table of the runtime that `places` describe, it is that large, and nobody else writes it meanwhile.
pub unsafe fn replace(table: *mut c_void, size: usize, places: &[Place]) {
    for place in places.iter().filter(|place| place.least <= size) {
        // SAFETY: the table is large enough to have the place.
        let entry: &mut *mut c_void = unsafe { &mut *table.byte_add(place.offset).cast() };
        let original = &ORIGINALS[place.hook as usize];
        let free = original.compare_exchange(null_mut(), *entry, Ordering::AcqRel, Ordering::Acquire);
        if !entry.is_null() && (free.is_ok() || free == Err(*entry)) {
            *entry = hooks::table_entry(place.hook);
        }
    }
}

/// Stands for the programs that come to the HIP runtime through its table. They need not be linked with it, so they use
/// the copy that the table belongs to.
pub fn past_the_gate(hook: Hook) -> Option<&'static Caller> {
    static CALLER: OnceBox<Caller> = OnceBox::new();
    if hook.info().library != Library::Hip {
        return None;
    }
    CALLER.get_or_try_init(|| Caller::using(original(hook)).map(Box::new).ok_or(())).ok()
}
