//! Typed functions of the real runtimes, which RMCP itself calls.

use std::ffi::{CStr, c_void};
use std::mem::transmute_copy;

/// Looks up a function of a library; null where it has none of that name.
pub struct Symbols<L>(pub L);

impl<L: Fn(&CStr) -> *mut c_void> Symbols<L> {
    /// The function of that name.
    ///
    /// # Safety
    /// `F` is its function pointer type.
    pub unsafe fn function<F>(&self, symbol: &CStr) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        let found = (self.0)(symbol);
        // SAFETY: the caller's promise.
        (!found.is_null()).then(|| unsafe { transmute_copy(&found) })
    }
}
