//! FLAT, GLOBAL, SCRATCH and MUBUF: the same opcodes, with four ways to say where.

use super::format::formatted;
use super::{Reach, number, slice};
use crate::inst::Src;
use crate::memory::{Atomic, Fault};
use crate::row::{Row, both, rdna2};
use crate::wave::{PRIVATE_APERTURE, SHARED_APERTURE, Wave, bits, reg};

/// Which part of a register a narrow load fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    Whole,
    Low,
    High,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmemOp {
    Load {
        bytes: usize,
        signed: bool,
        into: Into,
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
    LoadLanes,
    StoreLanes,
    /// Cache control: there is no cache.
    Nothing,
}

impl VmemOp {
    /// Whether it is of buffers only, or (false) not of buffers.
    pub fn of_buffers(self) -> Option<bool> {
        match self {
            Self::LoadFormat { .. } | Self::StoreFormat { .. } | Self::Nothing => Some(true),
            Self::LoadLanes | Self::StoreLanes => Some(false),
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
    VmemOp::Load { bytes, signed: false, into: Into::Whole }
}

const fn signed(bytes: usize) -> VmemOp {
    VmemOp::Load { bytes, signed: true, into: Into::Whole }
}

const fn half(bytes: usize, signed: bool, into: Into) -> VmemOp {
    VmemOp::Load { bytes, signed, into }
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
    rdna2(0x16, "load_dword_addtid", VmemOp::LoadLanes),
    rdna2(0x17, "store_dword_addtid", VmemOp::StoreLanes),
    both(0x18, "store_byte", store(1)),
    both(0x19, "store_byte_d16_hi", VmemOp::Store { bytes: 1, high: true }),
    both(0x1a, "store_short", store(2)),
    both(0x1b, "store_short_d16_hi", VmemOp::Store { bytes: 2, high: true }),
    both(0x1c, "store_dword", store(4)),
    both(0x1d, "store_dwordx2", store(8)),
    both(0x1e, "store_dwordx4", store(16)),
    both(0x1f, "store_dwordx3", store(12)),
    both(0x20, "load_ubyte_d16", half(1, false, Into::Low)),
    both(0x21, "load_ubyte_d16_hi", half(1, false, Into::High)),
    both(0x22, "load_sbyte_d16", half(1, true, Into::Low)),
    both(0x23, "load_sbyte_d16_hi", half(1, true, Into::High)),
    both(0x24, "load_short_d16", half(2, false, Into::Low)),
    both(0x25, "load_short_d16_hi", half(2, false, Into::High)),
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

/// How the address is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Segment {
    #[default]
    Flat,
    Global,
    Scratch,
    Buffer,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Vmem {
    pub segment: Segment,
    pub dst: u8,
    pub data: u8,
    pub addr: u8,
    /// A scalar address or null; of a buffer, its resource.
    pub saddr: u8,
    pub offset: i32,
    /// An atomic gives back the old value.
    pub returns: bool,
    /// Of buffers only, as the two below: the address register holds an offset.
    pub offen: bool,
    /// It holds an index.
    pub idxen: bool,
    pub soffset: Src,
    /// The format's number, where the instruction and not the resource has it.
    pub format: Option<u8>,
}

/// Where one lane's access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Memory(u64),
    /// Offset in LDS.
    Shared(u64),
    /// Offset in the lane's scratch.
    Private(u64),
    /// Beyond a buffer's end: loads give 0, stores do nothing.
    Nowhere,
}

/// Bits of a buffer resource's second and fourth word: between whose elements others lie, and to which the lane's number
/// is added.
const SWIZZLED: u32 = 1 << 31;
const ADD_TID: u32 = 1 << 23;

/// SADDR code 0x7f, like null, means none (gfx10.1 documents one, gfx10.3 the other).
fn no_saddr(r: u8) -> bool {
    r == reg::NULL || r == 0x7f
}

#[inline]
pub fn place(w: &Wave, i: &Vmem, lane: usize, bytes: u64) -> Where {
    let low = |r: u8| w.v[usize::from(r)][lane];
    let pair = |r: u8| u64::from(low(r)) | u64::from(w.v[usize::from(r) + 1][lane]) << 32;
    match i.segment {
        Segment::Flat => {
            let va = pair(i.addr).wrapping_add_signed(i.offset.into());
            match va >> 32 {
                high if high == SHARED_APERTURE >> 32 => Where::Shared(va & 0xffff_ffff),
                high if high == PRIVATE_APERTURE >> 32 => Where::Private(va & 0xffff_ffff),
                _ => Where::Memory(va),
            }
        }
        Segment::Global if no_saddr(i.saddr) => Where::Memory(pair(i.addr).wrapping_add_signed(i.offset.into())),
        Segment::Global => {
            Where::Memory(w.s64(i.saddr).wrapping_add(low(i.addr).into()).wrapping_add_signed(i.offset.into()))
        }
        Segment::Scratch => {
            let base = if no_saddr(i.saddr) { low(i.addr) } else { w.s32(i.saddr) };
            Where::Private(u64::from(base.wrapping_add_signed(i.offset)))
        }
        Segment::Buffer => buffer(w, i, lane, bytes),
    }
}

pub fn resource(w: &Wave, i: &Vmem) -> [u32; 4] {
    std::array::from_fn(|n| w.s32(i.saddr + n as u8))
}

/// "RDNA 2 ISA", 8.1.5, buffer addressing; but for scratch without swizzling, which [`run`] refuses.
fn buffer(w: &Wave, i: &Vmem, lane: usize, bytes: u64) -> Where {
    let resource = resource(w, i);
    let base = u64::from(resource[0]) | u64::from(resource[1] & 0xffff) << 32;
    let address = usize::from(i.addr);
    let (index, voffset) = match (i.idxen, i.offen) {
        (true, true) => (w.v[address][lane], w.v[address + 1][lane]),
        (true, false) => (w.v[address][lane], 0),
        (false, true) => (0, w.v[address][lane]),
        (false, false) => (0, 0),
    };
    let soffset = w.src32(i.soffset);
    let inner = u64::from(voffset) + i.offset as u64;
    // Scratch is swizzled between the lanes: what is added to its base counts for all lanes together.
    if is_private(resource) {
        let whole = base - PRIVATE_RESOURCE + u64::from(soffset);
        return Where::Private((whole / w.lanes as u64 + inner) & 0xffff_ffff);
    }
    let stride = u64::from(resource[1] >> 16 & 0x3fff);
    let records = u64::from(resource[2]);
    let offset = inner + stride * u64::from(index);
    // OOB_SELECT; without index or stride the first is like the last, which counts bytes.
    let outside = match resource[3] >> 28 & 3 {
        0 if stride != 0 && i.idxen => u64::from(index) >= records || inner + bytes > stride,
        0 => offset + bytes > records * stride.max(1),
        1 => u64::from(index) >= records,
        2 => records == 0,
        _ => offset + bytes > records,
    };
    if outside { Where::Nowhere } else { Where::Memory(base + offset + u64::from(soffset)) }
}

/// Base of the buffer resource that a kernel gets for scratch, of 48 bits.
pub const PRIVATE_RESOURCE: u64 = 0x8000_0000_0000;

/// The resource itself: swizzled, without an end.
pub const SCRATCH_RESOURCE: [u32; 4] = [0, (PRIVATE_RESOURCE >> 32) as u32 | 1 << 31, u32::MAX, 0];

/// Whether it is scratch that is reached through a buffer resource.
fn is_private(resource: [u32; 4]) -> bool {
    resource[1] & 0xffff >= (PRIVATE_RESOURCE >> 32) as u32 && resource[1] & SWIZZLED != 0
}

pub fn run(w: &mut Wave, i: &Vmem, op: VmemOp, reach: &mut Reach<'_>) -> Result<(), Fault> {
    if i.segment == Segment::Buffer && op != VmemOp::Nothing {
        let resource = resource(w, i);
        if !is_private(resource) && (resource[1] & SWIZZLED != 0 || resource[3] & ADD_TID != 0) {
            w.trap("a swizzled buffer other than scratch is not modelled");
            return Ok(());
        }
    }
    if let VmemOp::LoadFormat { count, d16 } | VmemOp::StoreFormat { count, d16 } = op {
        return formatted(w, i, matches!(op, VmemOp::LoadFormat { .. }), count, d16, reach);
    }
    if let (Segment::Global, VmemOp::Load { bytes: 4, .. } | VmemOp::Store { bytes: 4, .. }) = (i.segment, op) {
        return words(w, i, matches!(op, VmemOp::Load { .. }), reach);
    }
    for lane in bits(w.exec()) {
        match op {
            VmemOp::Nothing | VmemOp::LoadFormat { .. } | VmemOp::StoreFormat { .. } => {}
            VmemOp::LoadLanes => {
                let mut data = [0; 4];
                reach.memory.load(row_of_lanes(w, i, lane), &mut data)?;
                w.v[usize::from(i.dst)][lane] = u32::from_le_bytes(data);
            }
            VmemOp::StoreLanes => {
                let data = w.v[usize::from(i.data)][lane].to_le_bytes();
                reach.memory.store(row_of_lanes(w, i, lane), &data)?;
            }
            VmemOp::Load { bytes, signed, into } => {
                let mut data = [0; 16];
                let at = place(w, i, lane, bytes as u64);
                read(w, lane, at, &mut data[..bytes], reach)?;
                if into == Into::Whole && bytes >= 4 {
                    for n in 0..bytes / 4 {
                        w.v[usize::from(i.dst) + n][lane] = number(&data[4 * n..4 * n + 4]) as u32;
                    }
                } else {
                    let value = number(&data[..bytes]);
                    let wide =
                        if signed { (value << (64 - 8 * bytes)) as i64 >> (64 - 8 * bytes) } else { value as i64 };
                    merge(&mut w.v[usize::from(i.dst)][lane], wide as u32, into);
                }
            }
            VmemOp::Store { bytes, high } => {
                let mut data = [0; 16];
                for n in 0..bytes.div_ceil(4) {
                    let value = w.v[usize::from(i.data) + n][lane] >> if high { 16 } else { 0 };
                    data[4 * n..4 * n + 4].copy_from_slice(&value.to_le_bytes());
                }
                let at = place(w, i, lane, bytes as u64);
                write(w, lane, at, &data[..bytes], reach)?;
            }
            VmemOp::Atomic { op, wide } => {
                let get = |n: usize| {
                    let r = usize::from(i.data) + n * (1 + usize::from(wide));
                    u64::from(w.v[r][lane]) | if wide { u64::from(w.v[r + 1][lane]) << 32 } else { 0 }
                };
                let (data, compare) = (get(0), if op.compares() { get(1) } else { 0 });
                let at = place(w, i, lane, if wide { 8 } else { 4 });
                let old = atomic(w, lane, at, wide, op, data, compare, reach)?;
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

/// Words of global memory: what most kernels load and store.
fn words(w: &mut Wave, i: &Vmem, loads: bool, reach: &mut Reach<'_>) -> Result<(), Fault> {
    let low = w.v[usize::from(i.addr)];
    let (base, high) = if no_saddr(i.saddr) { (0, w.v[usize::from(i.addr) + 1]) } else { (w.s64(i.saddr), [0; 64]) };
    let base = base.wrapping_add_signed(i.offset.into());
    for lane in bits(w.exec()) {
        let va = base.wrapping_add(u64::from(low[lane]) | u64::from(high[lane]) << 32);
        if loads {
            let mut data = [0; 4];
            reach.memory.load(va, &mut data)?;
            w.v[usize::from(i.dst)][lane] = u32::from_le_bytes(data);
        } else {
            reach.memory.store(va, &w.v[usize::from(i.data)][lane].to_le_bytes())?;
        }
    }
    Ok(())
}

/// Where a lane's word is that no vector register says.
fn row_of_lanes(w: &Wave, i: &Vmem, lane: usize) -> u64 {
    let base = if no_saddr(i.saddr) { 0 } else { w.s64(i.saddr) };
    base.wrapping_add_signed(i.offset.into()).wrapping_add(4 * lane as u64)
}

/// Puts a narrow value where it belongs in a register.
pub fn merge(register: &mut u32, value: u32, into: Into) {
    *register = match into {
        Into::Whole => value,
        Into::Low => *register & 0xffff_0000 | value & 0xffff,
        Into::High => *register & 0xffff | value << 16,
    };
}

/// The lane's scratch at `offset`, and the address that a fault names.
fn private(w: &mut Wave, lane: usize, offset: u64, len: usize) -> Result<&mut [u8], Fault> {
    let va = PRIVATE_APERTURE + offset;
    let bytes = u64::from(w.private_bytes);
    if offset + len as u64 > bytes {
        return Err(Fault { va });
    }
    slice(&mut w.scratch, lane as u64 * bytes + offset, len, va)
}

pub fn read(w: &mut Wave, lane: usize, at: Where, into: &mut [u8], reach: &mut Reach<'_>) -> Result<(), Fault> {
    match at {
        Where::Memory(va) => return reach.memory.load(va, into),
        Where::Shared(at) => into.copy_from_slice(slice(reach.lds, at, into.len(), SHARED_APERTURE + at)?),
        Where::Private(at) => into.copy_from_slice(private(w, lane, at, into.len())?),
        Where::Nowhere => {}
    }
    Ok(())
}

pub fn write(w: &mut Wave, lane: usize, at: Where, from: &[u8], reach: &mut Reach<'_>) -> Result<(), Fault> {
    match at {
        Where::Memory(va) => return reach.memory.store(va, from),
        Where::Shared(at) => slice(reach.lds, at, from.len(), SHARED_APERTURE + at)?.copy_from_slice(from),
        Where::Private(at) => private(w, lane, at, from.len())?.copy_from_slice(from),
        Where::Nowhere => {}
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the parts of one access")]
fn atomic(
    w: &mut Wave,
    lane: usize,
    at: Where,
    wide: bool,
    op: Atomic,
    data: u64,
    compare: u64,
    reach: &mut Reach<'_>,
) -> Result<u64, Fault> {
    let len = if wide { 8 } else { 4 };
    match at {
        Where::Memory(va) => reach.memory.atomic(va, wide, op, data, compare),
        Where::Shared(at) => Ok(update(slice(reach.lds, at, len, SHARED_APERTURE + at)?, op, data, compare)),
        Where::Private(at) => Ok(update(private(w, lane, at, len)?, op, data, compare)),
        Where::Nowhere => Ok(0),
    }
}

/// An atomic operation on memory that only this thread sees.
pub fn update(bytes: &mut [u8], op: Atomic, data: u64, compare: u64) -> u64 {
    let old = number(bytes);
    let new = op.apply(bytes.len() == 8, old, data, compare);
    bytes.copy_from_slice(&new.to_le_bytes()[..bytes.len()]);
    old
}
