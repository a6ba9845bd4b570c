//! Atomic read-modify-write operations, and what they make of a number.

use crate::float::{max, min};

/// Atomic read-modify-write operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Atomic {
    /// Stores `data`.
    Swap,
    /// Stores `data` where `compare` was found.
    CmpSwap,
    /// Adds.
    Add,
    /// Subtracts.
    Sub,
    /// Subtracts, but not below zero.
    CSub,
    /// Subtracts what was found from `data`.
    RSub,
    /// The lesser signed number.
    SMin,
    /// The lesser unsigned number.
    UMin,
    /// The greater signed number.
    SMax,
    /// The greater unsigned number.
    UMax,
    /// Bits of both.
    And,
    /// Bits of either.
    Or,
    /// Bits of one alone.
    Xor,
    /// Counts up to `data`, then starts at 0.
    Inc,
    /// Counts down from `data`.
    Dec,
    /// Stores `data` where a float equal to `compare` was found.
    FCmpSwap,
    /// The lesser float.
    FMin,
    /// The greater float.
    FMax,
    /// Adds floats.
    FAdd,
    /// Of LDS only, as the next: clears the bits of `compare`, then sets those of `data`.
    MaskOr,
    /// Subtracts `compare` where that is possible, otherwise adds `data`.
    Wrap,
}

impl Atomic {
    /// Whether it takes two operands.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(self, Self::CmpSwap | Self::FCmpSwap | Self::MaskOr | Self::Wrap)
    }

    /// What the memory holds afterwards. Of 32-bit values the upper half is 0.
    #[must_use]
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
            Self::FMin if wide => min(f64::from_bits(old), f64::from_bits(data)).to_bits(),
            Self::FMin => min(single(old), single(data)).to_bits().into(),
            Self::FMax if wide => max(f64::from_bits(old), f64::from_bits(data)).to_bits(),
            Self::FMax => max(single(old), single(data)).to_bits().into(),
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
