//! What a kernel sees of the memory outside of the card's cores.

use std::sync::LazyLock;

use crate::atomic::Atomic;
use crate::gws::Gws;

/// The kernel touched an address that the card does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The address.
    pub va: u64,
}

/// Memory by GPU virtual address. Accesses of several waves may come from several threads.
pub trait Memory: Sync {
    /// Reads `into.len()` bytes, 1 to 16, aligned to 4 where longer.
    ///
    /// # Errors
    /// [`Fault`] where the card sees no such memory.
    fn load(&self, va: u64, into: &mut [u8]) -> Result<(), Fault>;

    /// Writes 1 to 16 bytes.
    ///
    /// # Errors
    /// As [`Memory::load`].
    fn store(&self, va: u64, from: &[u8]) -> Result<(), Fault>;

    /// Does an atomic operation on 4 bytes, or 8 if `wide`, and returns what was there before.
    ///
    /// # Errors
    /// As [`Memory::load`].
    fn atomic(&self, va: u64, wide: bool, op: Atomic, data: u64, compare: u64) -> Result<u64, Fault>;

    /// The card's global wave sync. Memories that do not say otherwise are all of one card.
    fn gws(&self) -> &Gws {
        static ONE: LazyLock<Gws> = LazyLock::new(Gws::default);
        &ONE
    }

    /// The wave sent MSG_INTERRUPT with this M0: the runtime puts the id of an event there.
    fn interrupt(&self, _event: u32) {}

    /// Ticks of the 100 MHz clock that `s_memrealtime` reads.
    fn ticks(&self) -> u64 {
        0
    }
}
