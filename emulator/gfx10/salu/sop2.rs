//! SOP2: two sources, one destination.

use super::{ScalarFn, carry, field, logic, sources};
use crate::operands::Scalar;
use crate::row::{Row, both};
use crate::wave::{Sgpr, Wave};

pub static TABLE: &[Row<ScalarFn>] = &[
    both(0x00, "s_add_u32", |w, i| with(w, i, u32::overflowing_add)),
    both(0x01, "s_sub_u32", |w, i| with(w, i, u32::overflowing_sub)),
    both(0x02, "s_add_i32", |w, i| signed(w, i, i32::overflowing_add)),
    both(0x03, "s_sub_i32", |w, i| signed(w, i, i32::overflowing_sub)),
    both(0x04, "s_addc_u32", |w, i| {
        let scc = w.scc;
        with(w, i, |a, b| wide(u64::from(a) + u64::from(b) + u64::from(scc)));
    }),
    both(0x05, "s_subb_u32", |w, i| {
        let scc = w.scc;
        with(w, i, |a, b| wide(u64::from(a).wrapping_sub(u64::from(b) + u64::from(scc))));
    }),
    both(0x06, "s_min_i32", |w, i| signed(w, i, |a, b| (a.min(b), a < b))),
    both(0x07, "s_min_u32", |w, i| with(w, i, |a, b| (a.min(b), a < b))),
    both(0x08, "s_max_i32", |w, i| signed(w, i, |a, b| (a.max(b), a > b))),
    both(0x09, "s_max_u32", |w, i| with(w, i, |a, b| (a.max(b), a > b))),
    both(0x0a, "s_cselect_b32", select::<u32>),
    both(0x0b, "s_cselect_b64", select::<u64>),
    both(0x0e, "s_and_b32", |w, i| bits(w, i, |a: u32, b| a & b)),
    both(0x0f, "s_and_b64", |w, i| bits(w, i, |a: u64, b| a & b)),
    both(0x10, "s_or_b32", |w, i| bits(w, i, |a: u32, b| a | b)),
    both(0x11, "s_or_b64", |w, i| bits(w, i, |a: u64, b| a | b)),
    both(0x12, "s_xor_b32", |w, i| bits(w, i, |a: u32, b| a ^ b)),
    both(0x13, "s_xor_b64", |w, i| bits(w, i, |a: u64, b| a ^ b)),
    both(0x14, "s_andn2_b32", |w, i| bits(w, i, |a: u32, b| a & !b)),
    both(0x15, "s_andn2_b64", |w, i| bits(w, i, |a: u64, b| a & !b)),
    both(0x16, "s_orn2_b32", |w, i| bits(w, i, |a: u32, b| a | !b)),
    both(0x17, "s_orn2_b64", |w, i| bits(w, i, |a: u64, b| a | !b)),
    both(0x18, "s_nand_b32", |w, i| bits(w, i, |a: u32, b| !(a & b))),
    both(0x19, "s_nand_b64", |w, i| bits(w, i, |a: u64, b| !(a & b))),
    both(0x1a, "s_nor_b32", |w, i| bits(w, i, |a: u32, b| !(a | b))),
    both(0x1b, "s_nor_b64", |w, i| bits(w, i, |a: u64, b| !(a | b))),
    both(0x1c, "s_xnor_b32", |w, i| bits(w, i, |a: u32, b| !(a ^ b))),
    both(0x1d, "s_xnor_b64", |w, i| bits(w, i, |a: u64, b| !(a ^ b))),
    both(0x1e, "s_lshl_b32", |w, i| bits(w, i, |a: u32, b| a << (b & 31))),
    both(0x1f, "s_lshl_b64", |w, i| shift64(w, i, |a, b| a << b)),
    both(0x20, "s_lshr_b32", |w, i| bits(w, i, |a: u32, b| a >> (b & 31))),
    both(0x21, "s_lshr_b64", |w, i| shift64(w, i, |a, b| a >> b)),
    both(0x22, "s_ashr_i32", |w, i| bits(w, i, |a: u32, b| (a as i32 >> (b & 31)) as u32)),
    both(0x23, "s_ashr_i64", |w, i| shift64(w, i, |a, b| (a as i64 >> b) as u64)),
    both(0x24, "s_bfm_b32", |w, i| plain(w, i, |a, b| ((1 << (a & 31)) - 1) << (b & 31))),
    both(0x25, "s_bfm_b64", |w, i| {
        let (a, b): (u32, u32) = sources(w, i);
        w.set_s64(i.dst, ((1 << (a & 63)) - 1) << (b & 63));
    }),
    both(0x26, "s_mul_i32", |w, i| plain(w, i, u32::wrapping_mul)),
    both(0x27, "s_bfe_u32", |w, i| bits(w, i, |a: u32, b| field(a.into(), b, 32, false) as u32)),
    both(0x28, "s_bfe_i32", |w, i| bits(w, i, |a: u32, b| field(a.into(), b, 32, true) as u32)),
    both(0x29, "s_bfe_u64", |w, i| {
        let (a, b) = (w.src64(i.src[0]), w.src32(i.src[1]));
        logic(w, i, field(a, b, 64, false));
    }),
    both(0x2a, "s_bfe_i64", |w, i| {
        let (a, b) = (w.src64(i.src[0]), w.src32(i.src[1]));
        logic(w, i, field(a, b, 64, true));
    }),
    both(0x2c, "s_absdiff_i32", |w, i| bits(w, i, |a: u32, b| (a as i32).wrapping_sub(b as i32).unsigned_abs())),
    both(0x2e, "s_lshl1_add_u32", |w, i| with(w, i, |a, b| wide((u64::from(a) << 1) + u64::from(b)))),
    both(0x2f, "s_lshl2_add_u32", |w, i| with(w, i, |a, b| wide((u64::from(a) << 2) + u64::from(b)))),
    both(0x30, "s_lshl3_add_u32", |w, i| with(w, i, |a, b| wide((u64::from(a) << 3) + u64::from(b)))),
    both(0x31, "s_lshl4_add_u32", |w, i| with(w, i, |a, b| wide((u64::from(a) << 4) + u64::from(b)))),
    both(0x32, "s_pack_ll_b32_b16", |w, i| plain(w, i, |a, b| a & 0xffff | b << 16)),
    both(0x33, "s_pack_lh_b32_b16", |w, i| plain(w, i, |a, b| a & 0xffff | b & 0xffff_0000)),
    both(0x34, "s_pack_hh_b32_b16", |w, i| plain(w, i, |a, b| a >> 16 | b & 0xffff_0000)),
    both(0x35, "s_mul_hi_u32", |w, i| plain(w, i, |a, b| ((u64::from(a) * u64::from(b)) >> 32) as u32)),
    both(0x36, "s_mul_hi_i32", |w, i| plain(w, i, |a, b| ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32)),
];

fn with(w: &mut Wave, i: &Scalar, f: impl Fn(u32, u32) -> (u32, bool)) {
    let (a, b) = sources(w, i);
    carry(w, i, f(a, b));
}

fn signed(w: &mut Wave, i: &Scalar, f: impl Fn(i32, i32) -> (i32, bool)) {
    with(w, i, |a, b| {
        let (result, scc) = f(a as i32, b as i32);
        (result as u32, scc)
    });
}

fn plain(w: &mut Wave, i: &Scalar, f: impl Fn(u32, u32) -> u32) {
    let (a, b) = sources(w, i);
    w.set_s32(i.dst, f(a, b));
}

fn bits<T: Sgpr>(w: &mut Wave, i: &Scalar, f: impl Fn(T, T) -> T) {
    let (a, b) = sources(w, i);
    logic(w, i, f(a, b));
}

fn select<T: Sgpr>(w: &mut Wave, i: &Scalar) {
    let (a, b) = sources::<T>(w, i);
    if w.scc { a } else { b }.write(w, i.dst);
}

fn shift64(w: &mut Wave, i: &Scalar, f: impl Fn(u64, u32) -> u64) {
    let (a, b) = (w.src64(i.src[0]), w.src32(i.src[1]) & 63);
    logic(w, i, f(a, b));
}

/// The lower half, and whether there is anything in the upper.
fn wide(sum: u64) -> (u32, bool) {
    (sum as u32, sum >> 32 != 0)
}
