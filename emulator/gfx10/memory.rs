//! What a kernel sees of the memory outside of the card's cores.

use std::sync::LazyLock;

pub use crate::mem::gws::Gws;

/// The kernel touched an address that the card does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
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

/// Atomic read-modify-write operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Atomic {
    Swap,
    CmpSwap,
    Add,
    Sub,
    /// Subtracts, but not below zero.
    CSub,
    RSub,
    SMin,
    UMin,
    SMax,
    UMax,
    And,
    Or,
    Xor,
    /// Counts up to `data`, then starts at 0.
    Inc,
    /// Counts down from `data`.
    Dec,
    FCmpSwap,
    FMin,
    FMax,
    FAdd,
    /// Of LDS only, as the next: clears the bits of `compare`, then sets those of `data`.
    MaskOr,
    /// Subtracts `compare` where that is possible, otherwise adds `data`.
    Wrap,
}

impl Atomic {
    /// Whether it takes two operands.
    pub fn compares(self) -> bool {
        matches!(self, Self::CmpSwap | Self::FCmpSwap | Self::MaskOr | Self::Wrap)
    }

    /// What the memory holds afterwards. Of 32-bit values the upper half is 0.
    pub fn apply(self, wide: bool, old: u64, data: u64, compare: u64) -> u64 {
        let signed = |a: u64| if wide { a as i64 } else { i64::from(a as i32) };
        let new = match self {
            Self::Swap => data,
            Self::CmpSwap => [old, data][usize::from(old == compare)],
            Self::Add => old.wrapping_add(data),
            Self::Sub => old.wrapping_sub(data),
            Self::CSub => old.saturating_sub(data),
            Self::RSub => data.wrapping_sub(old),
            Self::SMin => [data, old][usize::from(signed(old) < signed(data))],
            Self::UMin => old.min(data),
            Self::SMax => [data, old][usize::from(signed(old) > signed(data))],
            Self::UMax => old.max(data),
            Self::And => old & data,
            Self::Or => old | data,
            Self::Xor => old ^ data,
            Self::Inc => {
                if old >= data {
                    0
                } else {
                    old + 1
                }
            }
            Self::Dec => {
                if old == 0 || old > data {
                    data
                } else {
                    old - 1
                }
            }
            Self::FCmpSwap if wide => [old, data][usize::from(f64::from_bits(old) == f64::from_bits(compare))],
            Self::FCmpSwap => [old, data][usize::from(single(old) == single(compare))],
            Self::FMin if wide => crate::valu::float::min(f64::from_bits(old), f64::from_bits(data)).to_bits(),
            Self::FMin => crate::valu::float::min(single(old), single(data)).to_bits().into(),
            Self::FMax if wide => crate::valu::float::max(f64::from_bits(old), f64::from_bits(data)).to_bits(),
            Self::FMax => crate::valu::float::max(single(old), single(data)).to_bits().into(),
            Self::MaskOr => old & !compare | data,
            Self::Wrap if old >= compare => old - compare,
            Self::Wrap => old.wrapping_add(data),
            Self::FAdd if wide => (f64::from_bits(old) + f64::from_bits(data)).to_bits(),
            Self::FAdd => (single(old) + single(data)).to_bits().into(),
        };
        if wide { new } else { new & 0xffff_ffff }
    }
}

fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}
