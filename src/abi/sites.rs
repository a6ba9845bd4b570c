//! What is known of calls by the places that they return to: where they go, or who makes them.
//!
//! Tables of fixed size in which a newer call takes an older one's entry, so that a look costs the same whatever has called
//! before. An entry is one word, which has the place, the function and the answer: whatever other threads write, what is
//! found belongs to what was looked for. The tests try every order of the steps, on loom's atomics.

#[cfg(test)]
mod model;
mod table;

use core::sync::atomic::{AtomicPtr, AtomicU64};
pub use table::{ANSWER_BITS, ANSWERS, CallSites, FUNCTION_SHIFT, HASH, ROUTE_BITS, Routes, Site};

impl<const N: usize> CallSites<N> {
    /// An empty table.
    #[allow(clippy::new_without_default)] // for statics
    pub const fn new() -> Self {
        Self { entries: [const { AtomicU64::new(0) }; N], checks: [const { AtomicU64::new(0) }; N] }
    }
}
