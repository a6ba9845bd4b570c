//! Typed functions of the real runtimes, which RMCP itself calls.

use rmcp_abi::Library;
use std::ffi::{CStr, c_void};
use std::mem::transmute_copy;

/// Looks up a function of a library, as one caller means it; null when no loaded library has it.
pub struct Symbols<L>(pub L);

impl<L: Fn(Library, &CStr) -> *mut c_void> Symbols<L> {
    /// The function of that name.
    ///
    /// # Safety
    /// `F` is its function pointer type.
    pub unsafe fn function<F>(&self, library: Library, symbol: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let found = (self.0)(library, symbol);
        // SAFETY: the caller's promise.
        (!found.is_null()).then(|| unsafe { transmute_copy(&found) })
    }
}
