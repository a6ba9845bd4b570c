//! VOP2: two sources.

use half::f16;

use super::VectorFn;
use super::int::integer2;
use super::map::{Modified, Value, carry, each, lane_mask, lanewise, map2, max2, min2};
use super::round::{Round, Rounds, accumulate, round2, round3};
use super::vop3p::{dot, dot2_f32, packed};
use crate::operands::{Src, Vector};
use crate::row::{Row, both, rdna1, rdna2};
use crate::wave::PASS;

pub static TABLE: &[Row<VectorFn>] = &[
    both(0x01, "v_cndmask_b32", |w, i| {
        // The modifiers of floats work on it, but denormals stay.
        let mask = lane_mask(w, i.src[2]);
        each(w, i, |w, pass| {
            let (a, b) = (Modified::read(w, i, 0, pass), Modified::read(w, i, 1, pass));
            let mask = (mask >> (PASS * pass)) as u32;
            (lanewise(|lane| if mask & 1 << lane != 0 { b[lane] } else { a[lane] }), 0)
        });
    }),
    rdna2(0x02, "v_dot2c_f32_f16", |w, i| dot2_f32(w, &accumulating(i))),
    both(0x03, "v_add_f32", |w, i| round2(w, i, |a: f32, b: f32, r| a.plus(b, r))),
    both(0x04, "v_sub_f32", |w, i| round2(w, i, |a: f32, b: f32, r| a.plus(-b, r))),
    both(0x05, "v_subrev_f32", |w, i| round2(w, i, |a: f32, b: f32, r| b.plus(-a, r))),
    rdna1(0x06, "v_mac_legacy_f32", |w, i| accumulate(w, i, mad_legacy)),
    rdna2(0x06, "v_fmac_legacy_f32", |w, i| accumulate(w, i, fma_legacy)),
    both(0x07, "v_mul_legacy_f32", |w, i| round2(w, i, legacy)),
    both(0x08, "v_mul_f32", |w, i| round2(w, i, |a: f32, b: f32, r| a.times(b, r))),
    both(0x09, "v_mul_i32_i24", |w, i| map2(w, i, |a: u32, b: u32| signed24(a).wrapping_mul(signed24(b)) as u32)),
    both(0x0a, "v_mul_hi_i32_i24", |w, i| map2(w, i, |a: u32, b: u32| ((signed24(a) * signed24(b)) >> 32) as u32)),
    both(0x0b, "v_mul_u32_u24", |w, i| map2(w, i, |a: u32, b: u32| (unsigned24(a) * unsigned24(b)) as u32)),
    both(0x0c, "v_mul_hi_u32_u24", |w, i| map2(w, i, |a: u32, b: u32| ((unsigned24(a) * unsigned24(b)) >> 32) as u32)),
    rdna2(0x0d, "v_dot4c_i32_i8", |w, i| dot::<i32>(w, &accumulating(i), 8)),
    both(0x0f, "v_min_f32", min2::<f32>),
    both(0x10, "v_max_f32", max2::<f32>),
    both(0x11, "v_min_i32", |w, i| map2(w, i, |a: i32, b: i32| a.min(b))),
    both(0x12, "v_max_i32", |w, i| map2(w, i, |a: i32, b: i32| a.max(b))),
    both(0x13, "v_min_u32", |w, i| map2(w, i, |a: u32, b: u32| a.min(b))),
    both(0x14, "v_max_u32", |w, i| map2(w, i, |a: u32, b: u32| a.max(b))),
    both(0x16, "v_lshrrev_b32", |w, i| map2(w, i, |a: u32, b: u32| b >> (a & 31))),
    both(0x18, "v_ashrrev_i32", |w, i| map2(w, i, |a: u32, b: i32| b >> (a & 31))),
    both(0x1a, "v_lshlrev_b32", |w, i| map2(w, i, |a: u32, b: u32| b << (a & 31))),
    both(0x1b, "v_and_b32", |w, i| map2(w, i, |a: u32, b: u32| a & b)),
    both(0x1c, "v_or_b32", |w, i| map2(w, i, |a: u32, b: u32| a | b)),
    both(0x1d, "v_xor_b32", |w, i| map2(w, i, |a: u32, b: u32| a ^ b)),
    both(0x1e, "v_xnor_b32", |w, i| map2(w, i, |a: u32, b: u32| !(a ^ b))),
    rdna1(0x1f, "v_mac_f32", |w, i| accumulate(w, i, mad)),
    rdna1(MADMK, "v_madmk_f32", |w, i| round3(w, i, mad)),
    rdna1(MADAK, "v_madak_f32", |w, i| round3(w, i, mad)),
    both(0x25, "v_add_nc_u32", |w, i| integer2::<u32, u32>(w, i, |a, b| a + b)),
    both(0x26, "v_sub_nc_u32", |w, i| integer2::<u32, u32>(w, i, |a, b| a - b)),
    both(0x27, "v_subrev_nc_u32", |w, i| integer2::<u32, u32>(w, i, |a, b| b - a)),
    both(0x28, "v_add_co_ci_u32", |w, i| carry(w, i, true, |a, b, c| a + b + c)),
    both(0x29, "v_sub_co_ci_u32", |w, i| carry(w, i, true, |a, b, c| a.wrapping_sub(b + c))),
    both(0x2a, "v_subrev_co_ci_u32", |w, i| carry(w, i, true, |a, b, c| b.wrapping_sub(a + c))),
    both(0x2b, "v_fmac_f32", |w, i| accumulate(w, i, f32::fma)),
    both(FMAMK, "v_fmamk_f32", |w, i| round3(w, i, f32::fma)),
    both(FMAAK, "v_fmaak_f32", |w, i| round3(w, i, f32::fma)),
    both(0x2f, "v_cvt_pkrtz_f16_f32", |w, i| {
        let half = |v: f32| u32::from(f16::from_double(v.into(), Round::ToZero).to_bits());
        map2(w, i, |a: f32, b: f32| half(a) | half(b) << 16);
    }),
    both(0x32, "v_add_f16", |w, i| round2(w, i, |a: f16, b: f16, r| a.plus(b, r))),
    both(0x33, "v_sub_f16", |w, i| round2(w, i, |a: f16, b: f16, r| a.plus(-b, r))),
    both(0x34, "v_subrev_f16", |w, i| round2(w, i, |a: f16, b: f16, r| b.plus(-a, r))),
    both(0x35, "v_mul_f16", |w, i| round2(w, i, |a: f16, b: f16, r| a.times(b, r))),
    both(0x36, "v_fmac_f16", |w, i| accumulate(w, i, f16::fma)),
    both(FMAMK16, "v_fmamk_f16", |w, i| round3(w, i, f16::fma)),
    both(FMAAK16, "v_fmaak_f16", |w, i| round3(w, i, f16::fma)),
    both(0x39, "v_max_f16", max2::<f16>),
    both(0x3a, "v_min_f16", min2::<f16>),
    both(0x3b, "v_ldexp_f16", |w, i| round2(w, i, |a: f16, b: i16, r| a.ldexp(b.into(), r))),
    both(0x3c, "v_pk_fmac_f16", |w, i| packed::<f16>(w, &Vector { op_sel_hi: 7, ..accumulating(i) }, f16::fma)),
];

pub const MADMK: u16 = 0x20;
pub const MADAK: u16 = 0x21;
pub const FMAMK: u16 = 0x2c;
pub const FMAAK: u16 = 0x2d;
pub const FMAMK16: u16 = 0x37;
pub const FMAAK16: u16 = 0x38;

/// Zero times anything is zero.
pub fn legacy(a: f32, b: f32, round: Round) -> f32 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a.times(b, round) }
}

/// The old multiply-add of RDNA1: two roundings, and denormals are always flushed.
pub fn mad(a: f32, b: f32, c: f32, round: Round) -> f32 {
    flushed(flushed(flushed(a).times(flushed(b), round)).plus(flushed(c), round))
}

/// [`mad`] with zero times anything as zero.
pub fn mad_legacy(a: f32, b: f32, c: f32, round: Round) -> f32 {
    flushed(flushed(legacy(flushed(a), flushed(b), round)).plus(flushed(c), round))
}

/// A fused multiply-add with zero times anything as zero.
pub fn fma_legacy(a: f32, b: f32, c: f32, round: Round) -> f32 {
    if a == 0.0 || b == 0.0 { c.plus(0.0, round) } else { a.fma(b, c, round) }
}

fn flushed(a: f32) -> f32 {
    if a.is_subnormal() { 0.0_f32.copysign(a) } else { a }
}

pub fn signed24(a: u32) -> i64 {
    i64::from((a << 8) as i32 >> 8)
}

pub fn unsigned24(a: u32) -> u64 {
    (a & 0xff_ffff).into()
}

/// The operands with the old value of the destination as the third.
fn accumulating(i: &Vector) -> Vector {
    Vector { src: [i.src[0], i.src[1], Src::vgpr(i.dst)], op_sel_hi: 3, ..*i }
}
