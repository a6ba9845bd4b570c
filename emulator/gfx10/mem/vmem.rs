//! FLAT, GLOBAL, SCRATCH and MUBUF: the same opcodes, with four ways to say where.

use std::ops::Range;

use super::access::{Part, Storage, atomic, merge, number, read, write};
use super::address::{addtid, location, saddr_is_off};
use super::format::formatted;
use crate::atomic::Atomic;
use crate::memory::Fault;
use crate::operands::{Segment, Vmem};
use crate::row::{Row, both, rdna2};
use crate::wave::{Wave, bits};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmemOp {
    Load {
        bytes: usize,
        signed: bool,
        part: Part,
    },
    Store {
        bytes: usize,
        high: bool,
    },
    Atomic {
        op: Atomic,
        wide: bool,
    },
    /// So many components of an element of a buffer; `d16`: as 16 bits each.
    LoadFormat {
        count: usize,
        d16: bool,
    },
    StoreFormat {
        count: usize,
        d16: bool,
    },
    /// A word for each lane, in a row.
    LoadAddTid,
    StoreAddTid,
    /// Cache control: there is no cache.
    Nothing,
}

impl VmemOp {
    /// Whether it is of buffers only, or (false) not of buffers.
    pub fn of_buffers(self) -> Option<bool> {
        match self {
            Self::LoadFormat { .. } | Self::StoreFormat { .. } | Self::Nothing => Some(true),
            Self::LoadAddTid | Self::StoreAddTid => Some(false),
            _ => None,
        }
    }
}

const fn load_format(count: usize, d16: bool) -> VmemOp {
    VmemOp::LoadFormat { count, d16 }
}

const fn store_format(count: usize, d16: bool) -> VmemOp {
    VmemOp::StoreFormat { count, d16 }
}

const fn load(bytes: usize) -> VmemOp {
    VmemOp::Load { bytes, signed: false, part: Part::Whole }
}

const fn signed(bytes: usize) -> VmemOp {
    VmemOp::Load { bytes, signed: true, part: Part::Whole }
}

const fn half(bytes: usize, signed: bool, part: Part) -> VmemOp {
    VmemOp::Load { bytes, signed, part }
}

const fn store(bytes: usize) -> VmemOp {
    VmemOp::Store { bytes, high: false }
}

const fn single(op: Atomic) -> VmemOp {
    VmemOp::Atomic { op, wide: false }
}

const fn double(op: Atomic) -> VmemOp {
    VmemOp::Atomic { op, wide: true }
}

/// Names without the prefix that says where.
pub static TABLE: &[Row<VmemOp>] = &[
    both(0x00, "load_format_x", load_format(1, false)),
    both(0x01, "load_format_xy", load_format(2, false)),
    both(0x02, "load_format_xyz", load_format(3, false)),
    both(0x03, "load_format_xyzw", load_format(4, false)),
    both(0x04, "store_format_x", store_format(1, false)),
    both(0x05, "store_format_xy", store_format(2, false)),
    both(0x06, "store_format_xyz", store_format(3, false)),
    both(0x07, "store_format_xyzw", store_format(4, false)),
    both(0x08, "load_ubyte", load(1)),
    both(0x09, "load_sbyte", signed(1)),
    both(0x0a, "load_ushort", load(2)),
    both(0x0b, "load_sshort", signed(2)),
    both(0x0c, "load_dword", load(4)),
    both(0x0d, "load_dwordx2", load(8)),
    both(0x0e, "load_dwordx4", load(16)),
    both(0x0f, "load_dwordx3", load(12)),
    rdna2(0x16, "load_dword_addtid", VmemOp::LoadAddTid),
    rdna2(0x17, "store_dword_addtid", VmemOp::StoreAddTid),
    both(0x18, "store_byte", store(1)),
    both(0x19, "store_byte_d16_hi", VmemOp::Store { bytes: 1, high: true }),
    both(0x1a, "store_short", store(2)),
    both(0x1b, "store_short_d16_hi", VmemOp::Store { bytes: 2, high: true }),
    both(0x1c, "store_dword", store(4)),
    both(0x1d, "store_dwordx2", store(8)),
    both(0x1e, "store_dwordx4", store(16)),
    both(0x1f, "store_dwordx3", store(12)),
    both(0x20, "load_ubyte_d16", half(1, false, Part::Low)),
    both(0x21, "load_ubyte_d16_hi", half(1, false, Part::High)),
    both(0x22, "load_sbyte_d16", half(1, true, Part::Low)),
    both(0x23, "load_sbyte_d16_hi", half(1, true, Part::High)),
    both(0x24, "load_short_d16", half(2, false, Part::Low)),
    both(0x25, "load_short_d16_hi", half(2, false, Part::High)),
    both(0x30, "atomic_swap", single(Atomic::Swap)),
    both(0x31, "atomic_cmpswap", single(Atomic::CmpSwap)),
    both(0x32, "atomic_add", single(Atomic::Add)),
    both(0x33, "atomic_sub", single(Atomic::Sub)),
    rdna2(0x34, "atomic_csub", single(Atomic::CSub)),
    both(0x35, "atomic_smin", single(Atomic::SMin)),
    both(0x36, "atomic_umin", single(Atomic::UMin)),
    both(0x37, "atomic_smax", single(Atomic::SMax)),
    both(0x38, "atomic_umax", single(Atomic::UMax)),
    both(0x39, "atomic_and", single(Atomic::And)),
    both(0x3a, "atomic_or", single(Atomic::Or)),
    both(0x3b, "atomic_xor", single(Atomic::Xor)),
    both(0x3c, "atomic_inc", single(Atomic::Inc)),
    both(0x3d, "atomic_dec", single(Atomic::Dec)),
    both(0x3e, "atomic_fcmpswap", single(Atomic::FCmpSwap)),
    both(0x3f, "atomic_fmin", single(Atomic::FMin)),
    both(0x40, "atomic_fmax", single(Atomic::FMax)),
    both(0x50, "atomic_swap_x2", double(Atomic::Swap)),
    both(0x51, "atomic_cmpswap_x2", double(Atomic::CmpSwap)),
    both(0x52, "atomic_add_x2", double(Atomic::Add)),
    both(0x53, "atomic_sub_x2", double(Atomic::Sub)),
    both(0x55, "atomic_smin_x2", double(Atomic::SMin)),
    both(0x56, "atomic_umin_x2", double(Atomic::UMin)),
    both(0x57, "atomic_smax_x2", double(Atomic::SMax)),
    both(0x58, "atomic_umax_x2", double(Atomic::UMax)),
    both(0x59, "atomic_and_x2", double(Atomic::And)),
    both(0x5a, "atomic_or_x2", double(Atomic::Or)),
    both(0x5b, "atomic_xor_x2", double(Atomic::Xor)),
    both(0x5c, "atomic_inc_x2", double(Atomic::Inc)),
    both(0x5d, "atomic_dec_x2", double(Atomic::Dec)),
    both(0x5e, "atomic_fcmpswap_x2", double(Atomic::FCmpSwap)),
    both(0x5f, "atomic_fmin_x2", double(Atomic::FMin)),
    both(0x60, "atomic_fmax_x2", double(Atomic::FMax)),
    // MUBUF only.
    both(0x71, "gl0_inv", VmemOp::Nothing),
    both(0x72, "gl1_inv", VmemOp::Nothing),
    both(0x80, "load_format_d16_x", load_format(1, true)),
    both(0x81, "load_format_d16_xy", load_format(2, true)),
    both(0x82, "load_format_d16_xyz", load_format(3, true)),
    both(0x83, "load_format_d16_xyzw", load_format(4, true)),
    both(0x84, "store_format_d16_x", store_format(1, true)),
    both(0x85, "store_format_d16_xy", store_format(2, true)),
    both(0x86, "store_format_d16_xyz", store_format(3, true)),
    both(0x87, "store_format_d16_xyzw", store_format(4, true)),
];

pub fn run(w: &mut Wave, i: &Vmem, op: VmemOp, storage: &mut Storage<'_>) -> Result<(), Fault> {
    if let VmemOp::LoadFormat { count, d16 } | VmemOp::StoreFormat { count, d16 } = op {
        return formatted(w, i, matches!(op, VmemOp::LoadFormat { .. }), count, d16, storage);
    }
    if let (Segment::Global, VmemOp::Load { bytes: 4, .. } | VmemOp::Store { bytes: 4, .. }) = (i.segment, op) {
        return words(w, i, matches!(op, VmemOp::Load { .. }), storage);
    }
    for lane in bits(w.exec()) {
        match op {
            VmemOp::Nothing | VmemOp::LoadFormat { .. } | VmemOp::StoreFormat { .. } => {}
            VmemOp::LoadAddTid => {
                let mut data = [0; 4];
                storage.memory.load(addtid(w, i, lane), &mut data)?;
                w.v[usize::from(i.dst)][lane] = u32::from_le_bytes(data);
            }
            VmemOp::StoreAddTid => {
                let data = w.v[usize::from(i.data)][lane].to_le_bytes();
                storage.memory.store(addtid(w, i, lane), &data)?;
            }
            VmemOp::Load { bytes, signed, part } => {
                let mut data = [0; 16];
                for (i, bytes) in checked(i, bytes) {
                    let at = location(w, &i, lane, bytes.len() as u64);
                    read(w, lane, at, &mut data[bytes], storage)?;
                }
                if part == Part::Whole && bytes >= 4 {
                    for n in 0..bytes / 4 {
                        w.v[usize::from(i.dst) + n][lane] = number(&data[4 * n..4 * n + 4]) as u32;
                    }
                } else {
                    let value = number(&data[..bytes]);
                    let wide =
                        if signed { (value << (64 - 8 * bytes)) as i64 >> (64 - 8 * bytes) } else { value as i64 };
                    merge(&mut w.v[usize::from(i.dst)][lane], wide as u32, part);
                }
            }
            VmemOp::Store { bytes, high } => {
                let mut data = [0; 16];
                for n in 0..bytes.div_ceil(4) {
                    let value = w.v[usize::from(i.data) + n][lane] >> if high { 16 } else { 0 };
                    data[4 * n..4 * n + 4].copy_from_slice(&value.to_le_bytes());
                }
                for (i, bytes) in checked(i, bytes) {
                    let at = location(w, &i, lane, bytes.len() as u64);
                    write(w, lane, at, &data[bytes], storage)?;
                }
            }
            VmemOp::Atomic { op, wide } => {
                let get = |n: usize| {
                    let r = usize::from(i.data) + n * (1 + usize::from(wide));
                    u64::from(w.v[r][lane]) | if wide { u64::from(w.v[r + 1][lane]) << 32 } else { 0 }
                };
                let (data, compare) = (get(0), if op.compares() { get(1) } else { 0 });
                let at = location(w, i, lane, if wide { 8 } else { 4 });
                let old = atomic(w, lane, at, wide, op, data, compare, storage)?;
                if i.returns {
                    w.v[usize::from(i.dst)][lane] = old as u32;
                    if wide {
                        w.v[usize::from(i.dst) + 1][lane] = (old >> 32) as u32;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The parts of an access that are in a buffer or beyond its end each for itself: its words ("RDNA 2 ISA", 8.1.5, "Range
/// Checking"; atomic and formatted accesses are so as a whole).
fn checked(i: &Vmem, bytes: usize) -> impl Iterator<Item = (Vmem, Range<usize>)> {
    let step = if i.segment == Segment::Buffer { bytes.min(4) } else { bytes };
    (0..bytes).step_by(step).map(move |at| (Vmem { offset: i.offset + at as i32, ..*i }, at..at + step))
}

/// Words of global memory: what most kernels load and store.
fn words(w: &mut Wave, i: &Vmem, loads: bool, storage: &mut Storage<'_>) -> Result<(), Fault> {
    let low = w.v[usize::from(i.addr)];
    let (base, high) =
        if saddr_is_off(i.saddr) { (0, w.v[usize::from(i.addr) + 1]) } else { (w.s64(i.saddr), [0; 64]) };
    let base = base.wrapping_add_signed(i.offset.into());
    for lane in bits(w.exec()) {
        let va = base.wrapping_add(u64::from(low[lane]) | u64::from(high[lane]) << 32);
        if loads {
            let mut data = [0; 4];
            storage.memory.load(va, &mut data)?;
            w.v[usize::from(i.dst)][lane] = u32::from_le_bytes(data);
        } else {
            storage.memory.store(va, &w.v[usize::from(i.data)][lane].to_le_bytes())?;
        }
    }
    Ok(())
}
