//! AQL packets (HSA Platform System Architecture 1.2, section 2.9; AMD's own: hsa_ext_amd.h).

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use serde_json::json;

use crate::clock::gpu_ticks;
use crate::dispatch::{self, Dispatch, Slot};
use crate::log;
use crate::queue::{Idle, NEVER_RUNG};
use crate::ring::{PacketError, Ring};

/// Bytes of a packet.
const PACKET: u64 = 64;
/// `HSA_PACKET_TYPE_INVALID`.
const INVALID: u8 = 1;

/// `hsa_signal_condition_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Equal,
    NotEqual,
    Less,
    GreaterOrEqual,
}

impl Condition {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// A packet. Signals are GPU addresses of `amd_signal_t`; 0 is no signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A kernel dispatch.
    Dispatch(Dispatch),
    /// Waits for all signals to be zero.
    BarrierAnd([u64; 5]),
    /// Waits for one signal to be zero.
    BarrierOr([u64; 5]),
    /// Waits for `(signal & mask) condition value`.
    BarrierValue { signal: u64, value: i64, mask: i64, condition: Condition },
    /// Commands for the command processor itself: ROCr invalidates the caches that may hold code, GL2 among them
    /// (amd_gpu_agent.cpp, `InvalidateCodeCaches`).
    Pm4,
}

/// What a packet's header asks for besides its type ("HSA Runtime", `hsa_packet_header_t`): whether its acquire and its
/// release fence have system scope. Those of narrower scope are about caches that are not modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fences {
    acquire: bool,
    release: bool,
}

impl Fences {
    fn of(header: u16) -> Self {
        /// `HSA_FENCE_SCOPE_SYSTEM`.
        const SYSTEM: u16 = 2;
        Self { acquire: header >> 9 & 3 == SYSTEM, release: header >> 11 & 3 == SYSTEM }
    }
}

/// Reads a packet, without its completion signal.
fn decode(bytes: &[u8; 64]) -> Result<Packet, String> {
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let signals = || std::array::from_fn(|i| u64_at(8 + 8 * i));
    Ok(match (bytes[0], bytes[2]) {
        (0, 1) => Packet::Pm4,
        (0, 2) => Packet::BarrierValue {
            signal: u64_at(8),
            value: u64_at(16) as i64,
            mask: u64_at(24) as i64,
            condition: match u32_at(32) {
                0 => Condition::Equal,
                1 => Condition::NotEqual,
                2 => Condition::Less,
                3 => Condition::GreaterOrEqual,
                other => return Err(format!("barrier-value condition {other}")),
            },
        },
        (0, format) => return Err(format!("vendor packet of format {format}")),
        (2, _) => Packet::Dispatch(Dispatch {
            workgroup: [u16_at(4), u16_at(6), u16_at(8)],
            grid: [u32_at(12), u32_at(16), u32_at(20)],
            private_bytes: u32_at(24),
            group_bytes: u32_at(28),
            kernel_object: u64_at(32),
            kernarg: u64_at(40),
        }),
        (3, _) => Packet::BarrierAnd(signals()),
        (5, _) => Packet::BarrierOr(signals()),
        (other, _) => return Err(format!("packet type {other}")),
    })
}

/// Runs the queue until it is destroyed or a packet cannot be carried out.
pub fn run(ring: &Ring) -> Result<(), PacketError> {
    let read_index = ring.word(ring.read_pointer)?;
    let mut index = read_index.load(Ordering::Relaxed);
    let mut rung = 0;
    let mut idle = Idle::default();
    loop {
        let bell = ring.doorbell();
        if bell != NEVER_RUNG {
            rung = rung.max(bell.wrapping_add(1));
        }
        if !ring.may_run()? || index >= rung || !step(ring, index)? {
            idle.pause();
            continue;
        }
        index += 1;
        read_index.store(index, Ordering::Release);
        idle.reset();
    }
}

/// Carries out packet `index`; false while the program has not finished writing it.
fn step(ring: &Ring, index: u64) -> Result<bool, PacketError> {
    let slots = ring.control.size.load(Ordering::Acquire) / PACKET;
    let va = ring.control.base.load(Ordering::Acquire) + index % slots * PACKET;
    let host = ring.session.reach(ring.gpu, va, PACKET)?;
    // SAFETY: reachable, and packets are aligned to their size.
    let header = unsafe { &*host.cast::<AtomicU16>() };
    if header.load(Ordering::Acquire) as u8 == INVALID {
        return Ok(false);
    }
    // SAFETY: 64 reachable bytes; once the header is valid the program leaves the packet alone.
    let bytes = unsafe { host.cast::<[u8; 64]>().read() };
    let fences = Fences::of(u16::from_le_bytes([bytes[0], bytes[1]]));
    let completion = u64::from_le_bytes(std::array::from_fn(|i| bytes[56 + i]));
    let started = gpu_ticks();
    match decode(&bytes) {
        Ok(packet) => {
            // A kernel starts after its fence; of a barrier, what it waits for comes first.
            let kernel = matches!(packet, Packet::Dispatch(_));
            if kernel && fences.acquire {
                ring.gl2().acquire();
            }
            carry_out(ring, &packet, Slot { va, index })?;
            if !kernel && fences.acquire {
                ring.gl2().acquire();
            }
            if fences.release {
                ring.gl2().release();
            }
        }
        Err(what) => {
            let fields = json!({ "queue_id": ring.id, "engine": "aql", "what": what });
            log::event("unknown_packet", fields);
        }
    }
    header.store(u16::from(INVALID), Ordering::Release);
    if completion != 0 {
        complete(ring, completion, started)?;
    }
    Ok(true)
}

fn carry_out(ring: &Ring, packet: &Packet, slot: Slot) -> Result<(), PacketError> {
    let zero = |signal: u64| Ok::<_, PacketError>(signal == 0 || value(ring, signal)? == 0);
    match packet {
        Packet::Pm4 => {
            ring.gl2().acquire();
            Ok(())
        }
        Packet::Dispatch(dispatch) => dispatch::execute(ring, dispatch, slot),
        Packet::BarrierAnd(signals) => ring.wait_until(|| signals.iter().try_fold(true, |all, &s| Ok(all && zero(s)?))),
        Packet::BarrierOr(signals) => {
            let signals: Vec<u64> = signals.iter().copied().filter(|&s| s != 0).collect();
            ring.wait_until(|| {
                signals.iter().try_fold(signals.is_empty(), |any, &s| Ok::<_, PacketError>(any || zero(s)?))
            })
        }
        Packet::BarrierValue { signal: 0, .. } => Ok(()),
        Packet::BarrierValue { signal, value: reference, mask, condition } => {
            ring.wait_until(|| Ok(condition.holds(value(ring, *signal)? & mask, *reference)))
        }
    }
}

/// Offset of the value in `amd_signal_t` (amd_hsa_signal.h), and of what else is used below.
const VALUE: u64 = 8;
const MAILBOX: u64 = 16;
const EVENT_ID: u64 = 24;
const START: u64 = 32;
const END: u64 = 40;

fn value(ring: &Ring, signal: u64) -> Result<i64, PacketError> {
    Ok(ring.word(signal + VALUE)?.load(Ordering::Acquire) as i64)
}

/// Writes the times, decrements the value, and raises the event of an interrupt signal.
fn complete(ring: &Ring, signal: u64, started: u64) -> Result<(), PacketError> {
    // Once the value has changed the program may free the signal: read everything before.
    let mailbox = ring.word(signal + MAILBOX)?.load(Ordering::Relaxed);
    let event = ring.word(signal + EVENT_ID)?.load(Ordering::Relaxed) as u32;
    ring.word(signal + START)?.store(started, Ordering::Relaxed);
    ring.word(signal + END)?.store(gpu_ticks(), Ordering::Relaxed);
    ring.word(signal + VALUE)?.fetch_sub(1, Ordering::AcqRel);
    if mailbox != 0 {
        ring.word(mailbox)?.store(event.into(), Ordering::Release);
        ring.session.events.set(event);
    }
    Ok(())
}

// Signals are read as atomics of these sizes.
const _: () = assert!(size_of::<AtomicU64>() == 8 && size_of::<AtomicU32>() == 4);

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(words: &[(usize, &[u8])]) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (at, word) in words {
            bytes[*at..at + word.len()].copy_from_slice(word);
        }
        bytes
    }

    #[test]
    fn a_dispatch_gives_its_kernel_and_grid() {
        let bytes = packet(&[
            (0, &[2, 0x15, 2, 0]),
            (4, &[64, 0, 2, 0, 1, 0]),
            (12, &[0, 1, 0, 0, 6, 0, 0, 0, 1]),
            (24, &[16, 0, 0, 0, 32]),
            (32, &[0, 0x10, 0, 0, 0x7f]),
            (40, &[0, 0x20]),
        ]);
        let expected = Dispatch {
            workgroup: [64, 2, 1],
            grid: [256, 6, 1],
            private_bytes: 16,
            group_bytes: 32,
            kernel_object: 0x7f_0000_1000,
            kernarg: 0x2000,
        };
        assert_eq!(decode(&bytes), Ok(Packet::Dispatch(expected)));
    }

    #[test]
    fn a_header_gives_its_fences_of_system_scope() {
        // hsa_packet_header_t: acquire scope in bits 9 and 10, release scope in 11 and 12; 1 is agent, 2 is system.
        assert_eq!(Fences::of(2 | 1 << 8 | 2 << 9 | 1 << 11), Fences { acquire: true, release: false });
        assert_eq!(Fences::of(3 | 1 << 9 | 2 << 11), Fences { acquire: false, release: true });
    }

    #[test]
    fn barriers_give_their_five_signals() {
        let bytes = packet(&[(0, &[3]), (8, &[1]), (40, &[5])]);
        assert_eq!(decode(&bytes), Ok(Packet::BarrierAnd([1, 0, 0, 0, 5])));
        let bytes = packet(&[(0, &[5]), (16, &[2])]);
        assert_eq!(decode(&bytes), Ok(Packet::BarrierOr([0, 2, 0, 0, 0])));
    }

    #[test]
    fn amd_barrier_value_gives_its_comparison() {
        let bytes = packet(&[(0, &[0, 0, 2, 0]), (8, &[0x40]), (16, &[0xff; 8]), (24, &[0xff; 8]), (32, &[3])]);
        let expected = Packet::BarrierValue { signal: 0x40, value: -1, mask: -1, condition: Condition::GreaterOrEqual };
        assert_eq!(decode(&bytes), Ok(expected));
        assert!(Condition::Less.holds(-1, 0) && !Condition::Less.holds(0, 0));
    }

    #[test]
    fn an_unknown_packet_is_named() {
        assert_eq!(decode(&packet(&[(0, &[4])])), Err("packet type 4".into()));
        assert_eq!(decode(&packet(&[(0, &[0, 0, 9])])), Err("vendor packet of format 9".into()));
    }
}
