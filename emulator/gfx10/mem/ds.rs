//! DS: local data share, and moving data between lanes.

use super::access::{Part, Storage, lds as at, merge, number, update};
use super::exchange::{Exchange, exchange};
use super::gws::{self, GwsOp};
use crate::atomic::Atomic;
use crate::operands::Ds;
use crate::row::{Row, both, rdna1};
use crate::wave::{Wave, bits, reg};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsOp {
    Read {
        bytes: usize,
        signed: bool,
        part: Part,
    },
    Write {
        bytes: usize,
        high: bool,
    },
    /// Two places, whose offsets count `unit` bytes.
    Read2 {
        bytes: usize,
        unit: usize,
    },
    Write2 {
        bytes: usize,
        unit: usize,
    },
    Atomic {
        op: Atomic,
        wide: bool,
        returns: bool,
    },
    /// Its first data is what to compare with, unlike that of memory.
    CmpSwap {
        op: Atomic,
        wide: bool,
        returns: bool,
    },
    /// Exchanges two places, whose offsets count `unit` bytes.
    Exchange2 {
        bytes: usize,
        unit: usize,
    },
    /// Exchanges each word whose new value has the highest bit set, which is not stored.
    ExchangeIf,
    /// An atomic operation whose data is in LDS, too.
    Src2 {
        op: Atomic,
        wide: bool,
    },
    /// Adds the number of active lanes to a word.
    Append,
    /// Subtracts it.
    Consume,
    /// A word for each lane, from M0 on.
    ReadAddTid,
    WriteAddTid,
    /// Exchanges registers between lanes.
    Exchange(Exchange),
    Nothing,
    /// Global wave sync, with the GDS bit.
    Gws(GwsOp),
}

const fn read(bytes: usize, signed: bool, part: Part) -> DsOp {
    DsOp::Read { bytes, signed, part }
}

const fn single(op: Atomic, returns: bool) -> DsOp {
    DsOp::Atomic { op, wide: false, returns }
}

const fn double(op: Atomic, returns: bool) -> DsOp {
    DsOp::Atomic { op, wide: true, returns }
}

const fn two(op: Atomic, wide: bool, returns: bool) -> DsOp {
    DsOp::CmpSwap { op, wide, returns }
}

const fn src2(op: Atomic) -> DsOp {
    DsOp::Src2 { op, wide: false }
}

const fn src2_wide(op: Atomic) -> DsOp {
    DsOp::Src2 { op, wide: true }
}

pub static TABLE: &[Row<DsOp>] = &[
    both(0x00, "ds_add_u32", single(Atomic::Add, false)),
    both(0x01, "ds_sub_u32", single(Atomic::Sub, false)),
    both(0x02, "ds_rsub_u32", single(Atomic::RSub, false)),
    both(0x03, "ds_inc_u32", single(Atomic::Inc, false)),
    both(0x04, "ds_dec_u32", single(Atomic::Dec, false)),
    both(0x05, "ds_min_i32", single(Atomic::SMin, false)),
    both(0x06, "ds_max_i32", single(Atomic::SMax, false)),
    both(0x07, "ds_min_u32", single(Atomic::UMin, false)),
    both(0x08, "ds_max_u32", single(Atomic::UMax, false)),
    both(0x09, "ds_and_b32", single(Atomic::And, false)),
    both(0x0a, "ds_or_b32", single(Atomic::Or, false)),
    both(0x0b, "ds_xor_b32", single(Atomic::Xor, false)),
    both(0x0c, "ds_mskor_b32", two(Atomic::MaskOr, false, false)),
    both(0x0d, "ds_write_b32", DsOp::Write { bytes: 4, high: false }),
    both(0x0e, "ds_write2_b32", DsOp::Write2 { bytes: 4, unit: 4 }),
    both(0x0f, "ds_write2st64_b32", DsOp::Write2 { bytes: 4, unit: 256 }),
    both(0x10, "ds_cmpst_b32", two(Atomic::CmpSwap, false, false)),
    both(0x11, "ds_cmpst_f32", two(Atomic::FCmpSwap, false, false)),
    both(0x12, "ds_min_f32", single(Atomic::FMin, false)),
    both(0x13, "ds_max_f32", single(Atomic::FMax, false)),
    both(0x14, "ds_nop", DsOp::Nothing),
    both(0x15, "ds_add_f32", single(Atomic::FAdd, false)),
    both(0x19, "ds_gws_init", DsOp::Gws(GwsOp::Init)),
    both(0x1d, "ds_gws_barrier", DsOp::Gws(GwsOp::Barrier)),
    both(0x1e, "ds_write_b8", DsOp::Write { bytes: 1, high: false }),
    both(0x1f, "ds_write_b16", DsOp::Write { bytes: 2, high: false }),
    both(0x20, "ds_add_rtn_u32", single(Atomic::Add, true)),
    both(0x21, "ds_sub_rtn_u32", single(Atomic::Sub, true)),
    both(0x22, "ds_rsub_rtn_u32", single(Atomic::RSub, true)),
    both(0x23, "ds_inc_rtn_u32", single(Atomic::Inc, true)),
    both(0x24, "ds_dec_rtn_u32", single(Atomic::Dec, true)),
    both(0x25, "ds_min_rtn_i32", single(Atomic::SMin, true)),
    both(0x26, "ds_max_rtn_i32", single(Atomic::SMax, true)),
    both(0x27, "ds_min_rtn_u32", single(Atomic::UMin, true)),
    both(0x28, "ds_max_rtn_u32", single(Atomic::UMax, true)),
    both(0x29, "ds_and_rtn_b32", single(Atomic::And, true)),
    both(0x2a, "ds_or_rtn_b32", single(Atomic::Or, true)),
    both(0x2b, "ds_xor_rtn_b32", single(Atomic::Xor, true)),
    both(0x2c, "ds_mskor_rtn_b32", two(Atomic::MaskOr, false, true)),
    both(0x2d, "ds_wrxchg_rtn_b32", single(Atomic::Swap, true)),
    both(0x2e, "ds_wrxchg2_rtn_b32", DsOp::Exchange2 { bytes: 4, unit: 4 }),
    both(0x2f, "ds_wrxchg2st64_rtn_b32", DsOp::Exchange2 { bytes: 4, unit: 256 }),
    both(0x30, "ds_cmpst_rtn_b32", two(Atomic::CmpSwap, false, true)),
    both(0x31, "ds_cmpst_rtn_f32", two(Atomic::FCmpSwap, false, true)),
    both(0x32, "ds_min_rtn_f32", single(Atomic::FMin, true)),
    both(0x33, "ds_max_rtn_f32", single(Atomic::FMax, true)),
    both(0x34, "ds_wrap_rtn_b32", two(Atomic::Wrap, false, true)),
    both(0x35, "ds_swizzle_b32", DsOp::Exchange(Exchange::Swizzle)),
    both(0x36, "ds_read_b32", read(4, false, Part::Whole)),
    both(0x37, "ds_read2_b32", DsOp::Read2 { bytes: 4, unit: 4 }),
    both(0x38, "ds_read2st64_b32", DsOp::Read2 { bytes: 4, unit: 256 }),
    both(0x39, "ds_read_i8", read(1, true, Part::Whole)),
    both(0x3a, "ds_read_u8", read(1, false, Part::Whole)),
    both(0x3b, "ds_read_i16", read(2, true, Part::Whole)),
    both(0x3c, "ds_read_u16", read(2, false, Part::Whole)),
    both(0x3d, "ds_consume", DsOp::Consume),
    both(0x3e, "ds_append", DsOp::Append),
    both(0x40, "ds_add_u64", double(Atomic::Add, false)),
    both(0x41, "ds_sub_u64", double(Atomic::Sub, false)),
    both(0x42, "ds_rsub_u64", double(Atomic::RSub, false)),
    both(0x43, "ds_inc_u64", double(Atomic::Inc, false)),
    both(0x44, "ds_dec_u64", double(Atomic::Dec, false)),
    both(0x45, "ds_min_i64", double(Atomic::SMin, false)),
    both(0x46, "ds_max_i64", double(Atomic::SMax, false)),
    both(0x47, "ds_min_u64", double(Atomic::UMin, false)),
    both(0x48, "ds_max_u64", double(Atomic::UMax, false)),
    both(0x49, "ds_and_b64", double(Atomic::And, false)),
    both(0x4a, "ds_or_b64", double(Atomic::Or, false)),
    both(0x4b, "ds_xor_b64", double(Atomic::Xor, false)),
    both(0x4c, "ds_mskor_b64", two(Atomic::MaskOr, true, false)),
    both(0x4d, "ds_write_b64", DsOp::Write { bytes: 8, high: false }),
    both(0x4e, "ds_write2_b64", DsOp::Write2 { bytes: 8, unit: 8 }),
    both(0x4f, "ds_write2st64_b64", DsOp::Write2 { bytes: 8, unit: 512 }),
    both(0x50, "ds_cmpst_b64", two(Atomic::CmpSwap, true, false)),
    both(0x51, "ds_cmpst_f64", two(Atomic::FCmpSwap, true, false)),
    both(0x52, "ds_min_f64", double(Atomic::FMin, false)),
    both(0x53, "ds_max_f64", double(Atomic::FMax, false)),
    both(0x55, "ds_add_rtn_f32", single(Atomic::FAdd, true)),
    both(0x60, "ds_add_rtn_u64", double(Atomic::Add, true)),
    both(0x61, "ds_sub_rtn_u64", double(Atomic::Sub, true)),
    both(0x62, "ds_rsub_rtn_u64", double(Atomic::RSub, true)),
    both(0x63, "ds_inc_rtn_u64", double(Atomic::Inc, true)),
    both(0x64, "ds_dec_rtn_u64", double(Atomic::Dec, true)),
    both(0x65, "ds_min_rtn_i64", double(Atomic::SMin, true)),
    both(0x66, "ds_max_rtn_i64", double(Atomic::SMax, true)),
    both(0x67, "ds_min_rtn_u64", double(Atomic::UMin, true)),
    both(0x68, "ds_max_rtn_u64", double(Atomic::UMax, true)),
    both(0x69, "ds_and_rtn_b64", double(Atomic::And, true)),
    both(0x6a, "ds_or_rtn_b64", double(Atomic::Or, true)),
    both(0x6b, "ds_xor_rtn_b64", double(Atomic::Xor, true)),
    both(0x6c, "ds_mskor_rtn_b64", two(Atomic::MaskOr, true, true)),
    both(0x6d, "ds_wrxchg_rtn_b64", double(Atomic::Swap, true)),
    both(0x6e, "ds_wrxchg2_rtn_b64", DsOp::Exchange2 { bytes: 8, unit: 8 }),
    both(0x6f, "ds_wrxchg2st64_rtn_b64", DsOp::Exchange2 { bytes: 8, unit: 512 }),
    both(0x70, "ds_cmpst_rtn_b64", two(Atomic::CmpSwap, true, true)),
    both(0x71, "ds_cmpst_rtn_f64", two(Atomic::FCmpSwap, true, true)),
    both(0x72, "ds_min_rtn_f64", double(Atomic::FMin, true)),
    both(0x73, "ds_max_rtn_f64", double(Atomic::FMax, true)),
    both(0x76, "ds_read_b64", read(8, false, Part::Whole)),
    both(0x77, "ds_read2_b64", DsOp::Read2 { bytes: 8, unit: 8 }),
    both(0x78, "ds_read2st64_b64", DsOp::Read2 { bytes: 8, unit: 512 }),
    both(0x7e, "ds_condxchg32_rtn_b64", DsOp::ExchangeIf),
    rdna1(0x80, "ds_add_src2_u32", src2(Atomic::Add)),
    rdna1(0x81, "ds_sub_src2_u32", src2(Atomic::Sub)),
    rdna1(0x82, "ds_rsub_src2_u32", src2(Atomic::RSub)),
    rdna1(0x83, "ds_inc_src2_u32", src2(Atomic::Inc)),
    rdna1(0x84, "ds_dec_src2_u32", src2(Atomic::Dec)),
    rdna1(0x85, "ds_min_src2_i32", src2(Atomic::SMin)),
    rdna1(0x86, "ds_max_src2_i32", src2(Atomic::SMax)),
    rdna1(0x87, "ds_min_src2_u32", src2(Atomic::UMin)),
    rdna1(0x88, "ds_max_src2_u32", src2(Atomic::UMax)),
    rdna1(0x89, "ds_and_src2_b32", src2(Atomic::And)),
    rdna1(0x8a, "ds_or_src2_b32", src2(Atomic::Or)),
    rdna1(0x8b, "ds_xor_src2_b32", src2(Atomic::Xor)),
    rdna1(0x8d, "ds_write_src2_b32", src2(Atomic::Swap)),
    rdna1(0x92, "ds_min_src2_f32", src2(Atomic::FMin)),
    rdna1(0x93, "ds_max_src2_f32", src2(Atomic::FMax)),
    rdna1(0x95, "ds_add_src2_f32", src2(Atomic::FAdd)),
    both(0xa0, "ds_write_b8_d16_hi", DsOp::Write { bytes: 1, high: true }),
    both(0xa1, "ds_write_b16_d16_hi", DsOp::Write { bytes: 2, high: true }),
    both(0xa2, "ds_read_u8_d16", read(1, false, Part::Low)),
    both(0xa3, "ds_read_u8_d16_hi", read(1, false, Part::High)),
    both(0xa4, "ds_read_i8_d16", read(1, true, Part::Low)),
    both(0xa5, "ds_read_i8_d16_hi", read(1, true, Part::High)),
    both(0xa6, "ds_read_u16_d16", read(2, false, Part::Low)),
    both(0xa7, "ds_read_u16_d16_hi", read(2, false, Part::High)),
    both(0xb0, "ds_write_addtid_b32", DsOp::WriteAddTid),
    both(0xb1, "ds_read_addtid_b32", DsOp::ReadAddTid),
    both(0xb2, "ds_permute_b32", DsOp::Exchange(Exchange::Permute)),
    both(0xb3, "ds_bpermute_b32", DsOp::Exchange(Exchange::BPermute)),
    rdna1(0xc0, "ds_add_src2_u64", src2_wide(Atomic::Add)),
    rdna1(0xc1, "ds_sub_src2_u64", src2_wide(Atomic::Sub)),
    rdna1(0xc2, "ds_rsub_src2_u64", src2_wide(Atomic::RSub)),
    rdna1(0xc3, "ds_inc_src2_u64", src2_wide(Atomic::Inc)),
    rdna1(0xc4, "ds_dec_src2_u64", src2_wide(Atomic::Dec)),
    rdna1(0xc5, "ds_min_src2_i64", src2_wide(Atomic::SMin)),
    rdna1(0xc6, "ds_max_src2_i64", src2_wide(Atomic::SMax)),
    rdna1(0xc7, "ds_min_src2_u64", src2_wide(Atomic::UMin)),
    rdna1(0xc8, "ds_max_src2_u64", src2_wide(Atomic::UMax)),
    rdna1(0xc9, "ds_and_src2_b64", src2_wide(Atomic::And)),
    rdna1(0xca, "ds_or_src2_b64", src2_wide(Atomic::Or)),
    rdna1(0xcb, "ds_xor_src2_b64", src2_wide(Atomic::Xor)),
    rdna1(0xcd, "ds_write_src2_b64", src2_wide(Atomic::Swap)),
    rdna1(0xd2, "ds_min_src2_f64", src2_wide(Atomic::FMin)),
    rdna1(0xd3, "ds_max_src2_f64", src2_wide(Atomic::FMax)),
    both(0xde, "ds_write_b96", DsOp::Write { bytes: 12, high: false }),
    both(0xdf, "ds_write_b128", DsOp::Write { bytes: 16, high: false }),
    both(0xfe, "ds_read_b96", read(12, false, Part::Whole)),
    both(0xff, "ds_read_b128", read(16, false, Part::Whole)),
];

pub fn run(w: &mut Wave, i: &Ds, op: DsOp, storage: &mut Storage<'_>) {
    match op {
        DsOp::Nothing => return,
        DsOp::Gws(op) => return gws::run(w, i, op, storage),
        DsOp::Exchange(op) => return exchange(w, i, op),
        DsOp::Append | DsOp::Consume => return count(w, i, op, storage),
        _ => {}
    }
    for lane in bits(w.exec()) {
        let base = w.v[usize::from(i.addr)][lane];
        let address = |offset: usize| u64::from(base.wrapping_add(offset as u32));
        let whole = address(i.offset.into());
        let places = |unit: usize| [i.offset & 0xff, i.offset >> 8].map(|n| address(usize::from(n) * unit));
        match op {
            // Words are what most kernels read and write.
            DsOp::Read { bytes: 4, .. } => {
                let data = number(at(storage.lds, whole, 4, &mut [0; 16]));
                w.v[usize::from(i.dst)][lane] = data as u32;
            }
            DsOp::Write { bytes: 4, .. } => {
                let data = w.v[usize::from(i.data[0])][lane].to_le_bytes();
                at(storage.lds, whole, 4, &mut [0; 16]).copy_from_slice(&data);
            }
            DsOp::Read { bytes, signed, part } => {
                let none = &mut [0; 16];
                let data = at(storage.lds, whole, bytes, none);
                if bytes < 4 {
                    let value = number(data);
                    let wide =
                        if signed { (value << (64 - 8 * bytes)) as i64 >> (64 - 8 * bytes) } else { value as i64 };
                    merge(&mut w.v[usize::from(i.dst)][lane], wide as u32, part);
                } else {
                    set(w, i.dst, lane, data);
                }
            }
            DsOp::Write { bytes, high } => {
                let data = get(w, i.data[0], lane, high);
                at(storage.lds, whole, bytes, &mut [0; 16]).copy_from_slice(&data[..bytes]);
            }
            DsOp::Read2 { bytes, unit } => {
                let mut both = [0; 16];
                for (n, place) in places(unit).into_iter().enumerate() {
                    both[n * bytes..(n + 1) * bytes].copy_from_slice(at(storage.lds, place, bytes, &mut [0; 16]));
                }
                set(w, i.dst, lane, &both[..2 * bytes]);
            }
            DsOp::Write2 { bytes, unit } => {
                for (place, register) in places(unit).into_iter().zip(i.data) {
                    let data = get(w, register, lane, false);
                    at(storage.lds, place, bytes, &mut [0; 16]).copy_from_slice(&data[..bytes]);
                }
            }
            DsOp::Atomic { op, wide, returns } | DsOp::CmpSwap { op, wide, returns } => {
                let bytes = if wide { 8 } else { 4 };
                let [first, second] = i.data.map(|r| number(&get(w, r, lane, false)[..bytes]));
                let (data, compare) = if op.compares() { (second, first) } else { (first, 0) };
                let old = update(at(storage.lds, whole, bytes, &mut [0; 16]), op, data, compare);
                if returns {
                    set(w, i.dst, lane, &old.to_le_bytes()[..bytes]);
                }
            }
            DsOp::Exchange2 { bytes, unit } => {
                let mut old = [0; 16];
                for (n, (place, register)) in places(unit).into_iter().zip(i.data).enumerate() {
                    let new = get(w, register, lane, false);
                    let none = &mut [0; 16];
                    let place = at(storage.lds, place, bytes, none);
                    old[n * bytes..(n + 1) * bytes].copy_from_slice(place);
                    place.copy_from_slice(&new[..bytes]);
                }
                set(w, i.dst, lane, &old[..2 * bytes]);
            }
            DsOp::ExchangeIf => {
                let new = get(w, i.data[0], lane, false);
                let none = &mut [0; 16];
                let place = at(storage.lds, whole, 8, none);
                let old: [u8; 8] = std::array::from_fn(|n| place[n]);
                for (word, new) in place.chunks_exact_mut(4).zip(new.chunks_exact(4)) {
                    let new = number(new) as u32;
                    if new >> 31 != 0 {
                        word.copy_from_slice(&(new & 0x7fff_ffff).to_le_bytes());
                    }
                }
                set(w, i.dst, lane, &old);
            }
            DsOp::Src2 { op, wide } => {
                let bytes = if wide { 8 } else { 4 };
                let words =
                    if i.offset >> 15 != 0 { base as i32 >> 17 } else { i32::from((i.offset << 1) as i16 >> 1) };
                let from = u64::from(base.wrapping_add_signed(4 * words));
                let data = number(at(storage.lds, from, bytes, &mut [0; 16]));
                update(at(storage.lds, base.into(), bytes, &mut [0; 16]), op, data, 0);
            }
            DsOp::ReadAddTid => {
                let data = number(at(storage.lds, addtid(w, i, lane), 4, &mut [0; 16])) as u32;
                w.v[usize::from(i.dst)][lane] = data;
            }
            DsOp::WriteAddTid => {
                let data = get(w, i.data[0], lane, false);
                at(storage.lds, addtid(w, i, lane), 4, &mut [0; 16]).copy_from_slice(&data[..4]);
            }
            DsOp::Exchange(_) | DsOp::Append | DsOp::Consume | DsOp::Nothing | DsOp::Gws(_) => {}
        }
    }
}

/// Where a lane's word is that no register says.
fn addtid(w: &Wave, i: &Ds, lane: usize) -> u64 {
    u64::from((w.s32(reg::M0) & 0xffff) + u32::from(i.offset)) + 4 * lane as u64
}

/// Appends to or consumes from a buffer: its word of LDS, found as compilers set M0, changes by the number of lanes.
fn count(w: &mut Wave, i: &Ds, op: DsOp, storage: &mut Storage<'_>) {
    let exec = w.exec();
    if exec == 0 {
        return;
    }
    let op = if op == DsOp::Append { Atomic::Add } else { Atomic::Sub };
    let none = &mut [0; 16];
    let place = at(storage.lds, addtid(w, i, 0), 4, none);
    let old = update(place, op, exec.count_ones().into(), 0);
    w.set_v(i.dst.into(), &[old as u32; 64], exec);
}

/// Up to four registers as bytes.
fn get(w: &Wave, r: u8, lane: usize, high: bool) -> [u8; 16] {
    let mut data = [0; 16];
    for (n, bytes) in data.chunks_exact_mut(4).enumerate() {
        let value = w.v.get(usize::from(r) + n).map_or(0, |v| v[lane]);
        bytes.copy_from_slice(&(value >> if high { 16 } else { 0 }).to_le_bytes());
    }
    data
}

fn set(w: &mut Wave, r: u8, lane: usize, data: &[u8]) {
    for (n, bytes) in data.chunks_exact(4).enumerate() {
        w.v[usize::from(r) + n][lane] = number(bytes) as u32;
    }
}
