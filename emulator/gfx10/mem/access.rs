//! One lane's access to memory, LDS or scratch.

use crate::atomic::Atomic;
use crate::memory::{Fault, Memory};
use crate::wave::{PRIVATE_APERTURE, Wave};

/// What a wave reaches beyond its registers.
pub struct Storage<'a> {
    pub memory: &'a dyn Memory,
    /// LDS of the work-group.
    pub lds: &'a mut [u8],
}

/// A little-endian number of up to 8 bytes.
#[inline]
pub fn number(bytes: &[u8]) -> u64 {
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

/// Where one lane's access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    Memory(u64),
    /// Offset in LDS.
    Lds(u64),
    /// Offset in the lane's scratch.
    Scratch(u64),
    /// Beyond a buffer's end: loads give 0, stores do nothing.
    OutOfBounds,
}

/// Which part of a register a narrow load fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    Low,
    High,
}

/// Puts a narrow value where it belongs in a register.
pub fn merge(register: &mut u32, value: u32, part: Part) {
    *register = match part {
        Part::Whole => value,
        Part::Low => *register & 0xffff_0000 | value & 0xffff,
        Part::High => *register & 0xffff | value << 16,
    };
}

/// LDS at an address, or where any of it is beyond the group's allocation `none`, which holds zeros: reads give 0 and writes
/// are dropped ("RDNA 2 ISA", "Memory Alignment and Out-of-Range Behavior").
#[inline]
pub fn lds<'a>(lds: &'a mut [u8], at: u64, len: usize, none: &'a mut [u8; 16]) -> &'a mut [u8] {
    lds.get_mut(at as usize..at as usize + len).unwrap_or(&mut none[..len])
}

/// The lane's scratch at `offset`, and the address that a fault names. Beyond its end the card reaches what lies there, other
/// waves' scratch or no page at all: LLVM gives the resource no end, and "Memory Error Checking" of the ISA documents names
/// none of scratch. No program can want that, so it is a fault here.
fn private(w: &mut Wave, lane: usize, offset: u64, len: usize) -> Result<&mut [u8], Fault> {
    let va = PRIVATE_APERTURE + offset;
    let bytes = u64::from(w.private_bytes);
    if offset + len as u64 > bytes {
        return Err(Fault { va });
    }
    slice(&mut w.scratch, lane as u64 * bytes + offset, len, va)
}

pub fn read(w: &mut Wave, lane: usize, at: Location, into: &mut [u8], storage: &mut Storage<'_>) -> Result<(), Fault> {
    match at {
        Location::Memory(va) => return storage.memory.load(va, into),
        Location::Lds(at) => into.copy_from_slice(lds(storage.lds, at, into.len(), &mut [0; 16])),
        Location::Scratch(at) => into.copy_from_slice(private(w, lane, at, into.len())?),
        Location::OutOfBounds => {}
    }
    Ok(())
}

pub fn write(w: &mut Wave, lane: usize, at: Location, from: &[u8], storage: &mut Storage<'_>) -> Result<(), Fault> {
    match at {
        Location::Memory(va) => return storage.memory.store(va, from),
        Location::Lds(at) => lds(storage.lds, at, from.len(), &mut [0; 16]).copy_from_slice(from),
        Location::Scratch(at) => private(w, lane, at, from.len())?.copy_from_slice(from),
        Location::OutOfBounds => {}
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the parts of one access")]
pub fn atomic(
    w: &mut Wave,
    lane: usize,
    at: Location,
    wide: bool,
    op: Atomic,
    data: u64,
    compare: u64,
    storage: &mut Storage<'_>,
) -> Result<u64, Fault> {
    let len = if wide { 8 } else { 4 };
    match at {
        Location::Memory(va) => storage.memory.atomic(va, wide, op, data, compare),
        Location::Lds(at) => Ok(update(lds(storage.lds, at, len, &mut [0; 16]), op, data, compare)),
        Location::Scratch(at) => Ok(update(private(w, lane, at, len)?, op, data, compare)),
        Location::OutOfBounds => Ok(0),
    }
}

/// An atomic operation on memory that only this thread sees.
pub fn update(bytes: &mut [u8], op: Atomic, data: u64, compare: u64) -> u64 {
    let old = number(bytes);
    let new = op.apply(bytes.len() == 8, old, data, compare);
    bytes.copy_from_slice(&new.to_le_bytes()[..bytes.len()]);
    old
}
