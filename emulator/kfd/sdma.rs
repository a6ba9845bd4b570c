//! SDMA packets of gfx9 and later (ROCR-Runtime's sdma_registers.h; Linux's navi10_sdma_pkt_open.h).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde_json::json;

use crate::clock::gpu_ticks;
use crate::log;
use crate::queue::{Idle, NEVER_RUNG};
use crate::ring::{PacketError, Ring};
use crate::transfer::{self, Rect};

/// `func` of a poll: how memory and reference compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Always,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Compare {
    fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::Always => true,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::GreaterOrEqual => left >= right,
            Self::Greater => left > right,
        }
    }
}

/// A packet; addresses are the card's, lengths are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Nothing: padding, flushes of the host's data path.
    Nop,
    /// What to do with GL2: write it back, invalidate it.
    CacheControl { write_back: bool, invalidate: bool },
    /// Copy of a range.
    Copy { from: u64, to: u64, len: u64 },
    /// Copy of a box between two pitched surfaces.
    CopyRect(Rect),
    /// Data from the ring.
    Write { to: u64, data: Vec<u32> },
    /// A repeated word.
    Fill { to: u64, word: u32, len: u64 },
    /// One word, after everything before it.
    Fence { to: u64, word: u32 },
    /// An interrupt that raises an event.
    Trap { event: u32 },
    /// Waits for `(word & mask) compare value`.
    Poll { from: u64, mask: u32, value: u32, compare: Compare },
    /// 64-bit addition.
    Add { to: u64, value: u64 },
    /// The card's time.
    Timestamp { to: u64 },
}

/// Reads the packet at the start of `words`; also gives its length in words.
/// None: it goes on behind `words`.
fn decode(words: &[u32], gfx_major: u32) -> Result<Option<(Packet, usize)>, String> {
    let Some(&head) = words.first() else { return Ok(None) };
    let (op, sub) = (head & 0xff, head >> 8 & 0xff);
    let len = match (op, sub) {
        (0, _) => 1 + (head >> 16 & 0x3fff) as usize,
        (1, 0) => 7,
        (1, 4) => 13,
        (2, 0) => match words.get(3) {
            Some(count) => 5 + (count & 0xf_ffff) as usize,
            None => return Ok(None),
        },
        (5, _) => 4,
        (6, _) => 2,
        (8, 0) => 6,
        (10, _) => 8,
        (11, _) => 5,
        (13, 0..=2) => 3,
        (17, _) => 5,
        _ => return Err(format!("operation {op}.{sub}")),
    };
    let Some(w) = words.get(..len) else { return Ok(None) };
    let address = |at: usize| u64::from(w[at]) | u64::from(w[at + 1]) << 32;
    let packet = match op {
        0 => Packet::Nop,
        17 => Packet::CacheControl { write_back: w[2] >> 31 != 0, invalidate: w[2] >> 30 & 1 != 0 },
        1 if sub == 4 => Packet::CopyRect(rect(w, gfx_major)),
        // The field has grown from 22 to 30 bits; older cards' unused bits are zero.
        1 => Packet::Copy { from: address(3), to: address(5), len: u64::from(w[1] & 0x3fff_ffff) + 1 },
        2 => Packet::Write { to: address(1), data: w[4..].to_vec() },
        5 => Packet::Fence { to: address(1), word: w[3] },
        6 => Packet::Trap { event: w[1] & 0x0fff_ffff },
        // Without the memory bit it polls a register: the flush of the host's data path.
        8 if head >> 31 == 0 => Packet::Nop,
        8 => {
            let compare = match head >> 28 & 7 {
                0 => Compare::Always,
                1 => Compare::Less,
                2 => Compare::LessOrEqual,
                3 => Compare::Equal,
                4 => Compare::NotEqual,
                5 => Compare::GreaterOrEqual,
                6 => Compare::Greater,
                other => return Err(format!("poll function {other}")),
            };
            Packet::Poll { from: address(1), mask: w[4], value: w[3], compare }
        }
        10 => match head >> 25 {
            // TC_OP_ATOMIC_ADD_RTN_64 and _ADD_64.
            15 | 47 => Packet::Add { to: address(1), value: address(3) },
            other => return Err(format!("atomic operation {other}")),
        },
        11 => {
            if head >> 30 != 2 {
                return Err(format!("fill of unit {}", head >> 30));
            }
            Packet::Fill { to: address(1), word: w[3], len: u64::from(w[4] & 0x3fff_fffc) + 4 }
        }
        _ => Packet::Timestamp { to: address(1) },
    };
    Ok(Some((packet, len)))
}

/// A box copy counts in elements of 1 to 16 bytes; the field widths changed with gfx12.
fn rect(w: &[u32], gfx_major: u32) -> Rect {
    let element = w[0] >> 29;
    let (offset_bits, z_bits, pitch_shift, slice_mask) =
        if gfx_major >= 12 { (16, 14, 16, u32::MAX) } else { (14, 11, 13, (1 << 28) - 1) };
    let field = |word: u32, shift: u32, bits: u32| u64::from(word >> shift) & ((1 << bits) - 1);
    let side = |at: usize| {
        let base = u64::from(w[at]) | u64::from(w[at + 1]) << 32;
        let pitch = (u64::from(w[at + 3] >> pitch_shift) + 1) << element;
        let slice = (u64::from(w[at + 4] & slice_mask) + 1) << element;
        let x = field(w[at + 2], 0, offset_bits) << element;
        let start = base + x + field(w[at + 2], 16, offset_bits) * pitch + field(w[at + 3], 0, z_bits) * slice;
        (start, pitch, slice)
    };
    let ((from, from_pitch, from_slice), (to, to_pitch, to_slice)) = (side(1), side(6));
    Rect {
        from,
        from_pitch,
        from_slice,
        to,
        to_pitch,
        to_slice,
        width: (field(w[11], 0, offset_bits) + 1) << element,
        height: field(w[11], 16, offset_bits) + 1,
        depth: field(w[12], 0, z_bits) + 1,
    }
}

/// Runs the queue until it is destroyed or a packet cannot be carried out.
pub fn run(ring: &Ring) -> Result<(), PacketError> {
    let read_index = ring.word(ring.read_pointer)?;
    let gfx_major = ring.session.tree.machine.gpu[ring.gpu].gfx.major;
    let mut at = read_index.load(Ordering::Relaxed);
    let mut idle = Idle::default();
    loop {
        let end = ring.doorbell();
        if !ring.may_run()? || end == NEVER_RUNG || end <= at {
            idle.pause();
            continue;
        }
        idle.reset();
        let words = fetch(ring, at, end)?;
        let mut done = 0;
        while done < words.len() {
            match decode(&words[done..], gfx_major) {
                Ok(Some((packet, len))) => {
                    carry_out(ring, &packet)?;
                    done += len;
                    read_index.store(at + 4 * done as u64, Ordering::Release);
                }
                // The rest of a packet comes with the next doorbell.
                Ok(None) => break,
                Err(what) => {
                    log::event("unknown_packet", json!({ "queue_id": ring.id, "engine": "sdma", "what": what }));
                    return Err(PacketError::Unknown(what));
                }
            }
        }
        if done == 0 {
            idle.pause();
        }
        at += 4 * done as u64;
    }
}

/// The words of the ring from byte index `at` to `end`.
fn fetch(ring: &Ring, at: u64, end: u64) -> Result<Vec<u32>, PacketError> {
    let (base, size) = (ring.control.base.load(Ordering::Acquire), ring.control.size.load(Ordering::Acquire));
    let host = ring.session.reach(ring.gpu, base, size)?;
    let word = |index: u64| {
        // SAFETY: the ring is reachable as a whole, aligned, and the index is wrapped into it.
        unsafe { host.add((index & (size - 1)) as usize).cast::<u32>().read_volatile() }
    };
    Ok((at..end.min(at + size)).step_by(4).map(word).collect())
}

fn carry_out(ring: &Ring, packet: &Packet) -> Result<(), PacketError> {
    let word = |va: u64| -> Result<&'static AtomicU32, PacketError> {
        let host = ring.session.reach(ring.gpu, va & !3, 4)?;
        // SAFETY: reachable and aligned; the program may change it at any time, hence the atomic.
        Ok(unsafe { &*host.cast::<AtomicU32>() })
    };
    match packet {
        Packet::Nop => {}
        Packet::CacheControl { write_back: true, .. } => ring.gl2().release(),
        Packet::CacheControl { invalidate: true, .. } => ring.gl2().acquire(),
        Packet::CacheControl { .. } => {}
        Packet::Copy { from, to, len } => transfer::copy(ring, *from, *to, *len)?,
        Packet::CopyRect(rect) => transfer::copy_rect(ring, rect)?,
        Packet::Write { to, data } => {
            for (i, value) in data.iter().enumerate() {
                word(to + 4 * i as u64)?.store(*value, Ordering::Relaxed);
            }
        }
        Packet::Fill { to, word, len } => transfer::fill(ring, *to, *word, *len)?,
        Packet::Fence { to, word: value } => word(*to)?.store(*value, Ordering::Release),
        Packet::Trap { event } => {
            ring.session.events.set(*event);
        }
        Packet::Poll { from, mask, value, compare } => {
            ring.wait_until(|| Ok(compare.holds(word(*from)?.load(Ordering::Acquire) & mask, *value)))?;
        }
        Packet::Add { to, value } => {
            let target: &AtomicU64 = ring.word(*to)?;
            target.fetch_add(*value, Ordering::AcqRel);
        }
        Packet::Timestamp { to } => ring.word(*to)?.store(gpu_ticks(), Ordering::Release),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(words: &[u32]) -> (Packet, usize) {
        decode(words, 10).unwrap().unwrap()
    }

    #[test]
    fn a_linear_copy_counts_from_zero() {
        let (packet, len) = one(&[1, 0xff, 0, 0x1000, 0x7f, 0x2000, 0x7e]);
        assert_eq!(packet, Packet::Copy { from: 0x7f_0000_1000, to: 0x7e_0000_2000, len: 0x100 });
        assert_eq!(len, 7);
    }

    #[test]
    fn a_fill_counts_whole_words() {
        let (packet, _) = one(&[11 | 2 << 30, 0x1000, 0, 0xabcd, 0xfc]);
        assert_eq!(packet, Packet::Fill { to: 0x1000, word: 0xabcd, len: 0x100 });
    }

    #[test]
    fn polls_fences_traps_and_atomics_give_their_operands() {
        let poll = one(&[8 | 3 << 28 | 1 << 31, 0x10, 0, 7, 0xff, 0xfff0_0004]).0;
        assert_eq!(poll, Packet::Poll { from: 0x10, mask: 0xff, value: 7, compare: Compare::Equal });
        assert_eq!(one(&[5, 0x20, 0, 9]).0, Packet::Fence { to: 0x20, word: 9 });
        assert_eq!(one(&[6, 0x1234]).0, Packet::Trap { event: 0x1234 });
        let add = one(&[10 | 47 << 25, 0x30, 0, u32::MAX, u32::MAX, 0, 0, 0]).0;
        assert_eq!(add, Packet::Add { to: 0x30, value: u64::MAX });
        assert_eq!(one(&[13 | 2 << 8, 0x40, 1]).0, Packet::Timestamp { to: 0x1_0000_0040 });
    }

    #[test]
    fn a_poll_of_a_register_is_the_host_flush_and_does_nothing() {
        assert_eq!(one(&[8, 0, 0x8000_0000, 0, 0, 0]), (Packet::Nop, 6));
    }

    #[test]
    fn padding_and_cache_control_are_skipped_whole() {
        assert_eq!(one(&[0]), (Packet::Nop, 1));
        assert_eq!(one(&[2 << 16, 1, 2]), (Packet::Nop, 3));
        assert_eq!(
            one(&[17 | 1 << 8, 0, 1 << 30, 0, 0]),
            (Packet::CacheControl { write_back: false, invalidate: true }, 5)
        );
    }

    #[test]
    fn a_box_copy_is_in_elements_before_and_in_bytes_after() {
        // Elements of 4 bytes, source pitch 16 and slice 64 elements, offset x 1, 3 x 2 x 2 elements.
        let words = [1 | 4 << 8 | 2 << 29, 0x1000, 0, 1, 15 << 13, 63, 0x9000, 0, 0, 7 << 13, 31, 2 | 1 << 16, 1];
        let (packet, len) = one(&words);
        let expected = Rect {
            from: 0x1004,
            from_pitch: 64,
            from_slice: 256,
            to: 0x9000,
            to_pitch: 32,
            to_slice: 128,
            width: 12,
            height: 2,
            depth: 2,
        };
        assert_eq!((packet, len), (Packet::CopyRect(expected), 13));
    }

    #[test]
    fn a_packet_that_is_not_whole_waits() {
        assert_eq!(decode(&[1, 0xff, 0], 10), Ok(None));
        assert_eq!(decode(&[], 10), Ok(None));
    }

    #[test]
    fn an_unknown_packet_is_named() {
        assert_eq!(decode(&[99], 10), Err("operation 99.0".into()));
    }
}
