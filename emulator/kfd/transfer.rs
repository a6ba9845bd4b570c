//! Moving bytes between addresses of a card.

use crate::ring::{PacketError, Ring};
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
pub fn copy(ring: &Ring, mut from: u64, mut to: u64, mut len: u64) -> Result<(), PacketError> {
    while len > 0 {
        let (source, there) = piece(ring, from, len)?;
        let (target, room) = piece(ring, to, there)?;
        // SAFETY: the cards see `room` bytes on both sides.
        let moved = unsafe { transfer(source, target, room) };
        if moved == 0 {
            return Err(PageFault { gpu: ring.gpu, va: from }.into());
        }
        from += moved;
        to += moved;
        len -= moved;
    }
    Ok(())
}

/// Copies a box row by row.
pub fn copy_rect(ring: &Ring, rect: &Rect) -> Result<(), PacketError> {
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
pub fn fill(ring: &Ring, mut to: u64, word: u32, mut len: u64) -> Result<(), PacketError> {
    let pattern = vec![word; (len.min(1 << 20) / 4) as usize];
    while len > 0 {
        let (target, room) = piece(ring, to, len.min(4 * pattern.len() as u64))?;
        // Pieces end at page borders, so each starts at the same place of the pattern.
        // SAFETY: `room` bytes of the pattern, and as many that the card sees.
        let moved = unsafe { transfer(pattern.as_ptr().cast_mut().cast(), target, room) };
        if moved == 0 {
            return Err(PageFault { gpu: ring.gpu, va: to }.into());
        }
        to += moved;
        len -= moved;
    }
    Ok(())
}

/// The part of `[va, va + len)` that lies in one piece.
fn piece(ring: &Ring, va: u64, len: u64) -> Result<(*mut u8, u64), PageFault> {
    let reach = ring.session.memory().reach(ring.gpu, va);
    let reach = reach.ok_or(PageFault { gpu: ring.gpu, va })?;
    Ok((reach.host, reach.len.min(len)))
}

/// Moves up to `len` bytes and says how many; 0 means that neither side's first page is there. The
/// program may unmap what it has registered at any time, so the kernel does the copying: it reports
/// what the processor would end the program for.
///
/// # Safety
/// Both sides must be the program's to read and write, mapped or not.
unsafe fn transfer(from: *mut u8, to: *mut u8, len: u64) -> u64 {
    let len = len.min(1 << 30) as usize;
    let source = libc::iovec { iov_base: from.cast(), iov_len: len };
    let target = libc::iovec { iov_base: to.cast(), iov_len: len };
    // SAFETY: the kernel checks both ranges.
    let moved = unsafe { libc::process_vm_readv(libc::getpid(), &raw const target, 1, &raw const source, 1, 0) };
    if moved >= 0 {
        return moved as u64;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        // A sandbox may forbid the call; then there is only the direct way.
        Some(libc::EPERM | libc::ENOSYS) => {
            // SAFETY: the caller's promise, and the hope that both sides are mapped; `copy` allows overlap.
            unsafe { std::ptr::copy(from, to, len) };
            len as u64
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmapped_memory_is_noticed_and_not_fatal() {
        let mut room = [0_u8; 64];
        let data: Vec<u8> = (0..64).collect();
        // SAFETY: the ranges are this test's; the null page is never mapped.
        unsafe {
            assert_eq!(transfer(data.as_ptr().cast_mut(), room.as_mut_ptr(), 64), 64);
            assert_eq!(transfer(std::ptr::without_provenance_mut(16), room.as_mut_ptr(), 8), 0);
            assert_eq!(transfer(room.as_mut_ptr(), std::ptr::without_provenance_mut(16), 8), 0);
        }
        assert_eq!(room.as_slice(), data);
    }
}
