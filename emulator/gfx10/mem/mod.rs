//! Instructions that reach memory, LDS and scratch.

pub mod ds;
mod exchange;
mod format;
pub mod gws;
pub mod smem;
pub mod vmem;

use crate::memory::{Fault, Memory};

/// What a wave reaches beyond its registers.
pub struct Reach<'a> {
    pub memory: &'a dyn Memory,
    /// LDS of the work-group.
    pub lds: &'a mut [u8],
}

/// A little-endian number of up to 8 bytes.
#[inline]
fn number(bytes: &[u8]) -> u64 {
    match *bytes {
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        _ => bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)),
    }
}

/// A part of a private memory; `va` is what a fault says.
fn slice(bytes: &mut [u8], at: u64, len: usize, va: u64) -> Result<&mut [u8], Fault> {
    let at = usize::try_from(at).map_err(|_| Fault { va })?;
    at.checked_add(len).and_then(|end| bytes.get_mut(at..end)).ok_or(Fault { va })
}
