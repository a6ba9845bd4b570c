//! Memory that RMCP made non-coherent, and the flags that the program asked for: what hipHostGetFlags shall answer.
//!
//! A hook inserts an address after the real allocation returned it, and before the program has it: so a caller of
//! [`FlagMap`] has an address to itself meanwhile. Nothing is heard of what is freed. Whoever asks lets the runtime confirm
//! that there still is such memory, and what is freed makes room where room is needed.

mod map;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use map::{Bucket, FlagMap};
use once_cell::race::OnceBox;
use std::sync::atomic::AtomicU64;

/// Slots of a bucket: as many as a cache line holds.
const SLOTS: usize = 8;
/// Buckets of the first table: 256 KiB, of which the kernel backs only the pages that are written. Some eight thousand
/// live allocations fit before one of them needs the next table.
const FIRST: usize = 4096;
/// How many times larger each further table is.
const GROWTH: usize = 8;

/// The flags asked of hipHostMalloc and of the calls that it serves, by the address of the allocation.
pub static HOST_FLAGS: FlagMap = FlagMap::new();

/// Managed memory that was advised SetCoarseGrain, without flags.
pub static MANAGED_RANGES: FlagMap = FlagMap::new();

impl FlagMap {
    const fn new() -> Self {
        Self {
            first: [const { Bucket([const { AtomicU64::new(0) }; SLOTS]) }; FIRST],
            further: [const { OnceBox::new() }; 2],
        }
    }
}
