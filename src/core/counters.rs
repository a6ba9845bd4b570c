//! How often each hook was called, and what became of the calls.

use rmcp_abi::Hook;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of one call. The discriminant is its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Outcome {
    /// The program's call went to the real function as it was.
    Forwarded,
    /// The program's call was changed on its way, or followed by an advice.
    Rewritten,
    /// The runtime called itself: never touched.
    Runtime,
}

/// One row: its hooks' counts by outcome, on a cache line of their own.
#[derive(Default)]
#[repr(align(64))]
struct Row([AtomicU64; 3]);

static ROWS: [Row; Hook::ALL.len()] = [const { Row([const { AtomicU64::new(0) }; 3]) }; Hook::ALL.len()];

/// Counts one call.
#[inline]
pub fn count(hook: Hook, outcome: Outcome) {
    ROWS[hook as usize].0[outcome as usize].fetch_add(1, Ordering::Relaxed);
}

/// The calls of `hook` that ended so, in this process since the first of them.
pub fn read(hook: Hook, outcome: Outcome) -> u64 {
    ROWS[hook as usize].0[outcome as usize].load(Ordering::Relaxed)
}
