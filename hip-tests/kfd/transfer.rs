//! Moving bytes between addresses of a card.

use crate::queue::{Ring, Trouble};
use crate::session::PageFault;

/// A box copy; everything in bytes, but height and depth in rows and slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rect {
    /// First byte read.
    pub from: u64,
    /// From row to row.
    pub from_pitch: u64,
    /// From slice to slice.
    pub from_slice: u64,
    /// First byte written.
    pub to: u64,
    /// From row to row.
    pub to_pitch: u64,
    /// From slice to slice.
    pub to_slice: u64,
    /// Bytes of a row.
    pub width: u64,
    /// Rows of a slice.
    pub height: u64,
    /// Slices.
    pub depth: u64,
}

/// Copies `len` bytes; ranges may span several buffers.
pub fn copy(ring: &Ring, mut from: u64, mut to: u64, mut len: u64) -> Result<(), Trouble> {
    while len > 0 {
        let (source, there) = piece(ring, from, len)?;
        let (target, room) = piece(ring, to, there)?;
        // SAFETY: `room` bytes are reachable on both sides; `copy` allows overlap.
        unsafe { std::ptr::copy(source, target, room as usize) };
        from += room;
        to += room;
        len -= room;
    }
    Ok(())
}

/// Copies a box row by row.
pub fn copy_rect(ring: &Ring, rect: &Rect) -> Result<(), Trouble> {
    for z in 0..rect.depth {
        for y in 0..rect.height {
            let from = rect.from + z * rect.from_slice + y * rect.from_pitch;
            let to = rect.to + z * rect.to_slice + y * rect.to_pitch;
            copy(ring, from, to, rect.width)?;
        }
    }
    Ok(())
}

/// Fills `len` bytes, a multiple of 4, with a word.
pub fn fill(ring: &Ring, mut to: u64, word: u32, mut len: u64) -> Result<(), Trouble> {
    while len > 0 {
        let (target, room) = piece(ring, to, len)?;
        for i in 0..room / 4 {
            // SAFETY: `room` bytes are reachable; the address may be unaligned.
            unsafe { target.cast::<u32>().add(i as usize).write_unaligned(word) };
        }
        let step = (room & !3).max(4);
        to += step;
        len = len.saturating_sub(step);
    }
    Ok(())
}

/// The part of `[va, va + len)` that lies in one piece.
fn piece(ring: &Ring, va: u64, len: u64) -> Result<(*mut u8, u64), PageFault> {
    let reach = ring.session.memory().reach(ring.gpu, va);
    let reach = reach.ok_or(PageFault { gpu: ring.gpu, va })?;
    Ok((reach.host, reach.len.min(len)))
}
