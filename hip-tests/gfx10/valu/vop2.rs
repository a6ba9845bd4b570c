//! VOP2: two sources.

use half::f16;

use super::float::{max, min};
use super::map::{Value, accumulate, carry, lane_mask, map2, map3};
use crate::inst::{Vector, VectorFn};
use crate::row::{Row, both, rdna1};
use crate::wave::Wave;

pub static TABLE: &[Row<VectorFn>] = &[
    both(0x01, "v_cndmask_b32", |w, i| {
        // The modifiers of floats work on it.
        let (a, b) = (f32::read(w, i, 0).map(f32::to_bits), f32::read(w, i, 1).map(f32::to_bits));
        let mask = lane_mask(w, i.src[2]);
        u32::write(w, i, &std::array::from_fn(|lane| if mask >> lane & 1 != 0 { b[lane] } else { a[lane] }));
    }),
    both(0x03, "v_add_f32", |w, i| map2(w, i, |a: f32, b: f32| a + b)),
    both(0x04, "v_sub_f32", |w, i| map2(w, i, |a: f32, b: f32| a - b)),
    both(0x05, "v_subrev_f32", |w, i| map2(w, i, |a: f32, b: f32| b - a)),
    rdna1(0x06, "v_mac_legacy_f32", |w, i| {
        accumulate(w, i, |a, b, c| flushed(legacy(flushed(a), flushed(b)) + flushed(c)))
    }),
    both(0x07, "v_mul_legacy_f32", |w, i| map2(w, i, legacy)),
    both(0x08, "v_mul_f32", |w, i| map2(w, i, |a: f32, b: f32| a * b)),
    both(0x09, "v_mul_i32_i24", |w, i| map2(w, i, |a: u32, b: u32| signed24(a).wrapping_mul(signed24(b)) as u32)),
    both(0x0a, "v_mul_hi_i32_i24", |w, i| map2(w, i, |a: u32, b: u32| ((signed24(a) * signed24(b)) >> 32) as u32)),
    both(0x0b, "v_mul_u32_u24", |w, i| map2(w, i, |a: u32, b: u32| (unsigned24(a) * unsigned24(b)) as u32)),
    both(0x0c, "v_mul_hi_u32_u24", |w, i| map2(w, i, |a: u32, b: u32| ((unsigned24(a) * unsigned24(b)) >> 32) as u32)),
    both(0x0f, "v_min_f32", |w, i| map2(w, i, min::<f32>)),
    both(0x10, "v_max_f32", |w, i| map2(w, i, max::<f32>)),
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
    rdna1(MADMK, "v_madmk_f32", |w, i| map3(w, i, mad)),
    rdna1(MADAK, "v_madak_f32", |w, i| map3(w, i, mad)),
    both(0x25, "v_add_nc_u32", |w, i| saturating(w, i, |a, b| a + b)),
    both(0x26, "v_sub_nc_u32", |w, i| saturating(w, i, |a, b| a - b)),
    both(0x27, "v_subrev_nc_u32", |w, i| saturating(w, i, |a, b| b - a)),
    both(0x28, "v_add_co_ci_u32", |w, i| carry(w, i, true, |a, b, c| a + b + c)),
    both(0x29, "v_sub_co_ci_u32", |w, i| carry(w, i, true, |a, b, c| a.wrapping_sub(b + c))),
    both(0x2a, "v_subrev_co_ci_u32", |w, i| carry(w, i, true, |a, b, c| b.wrapping_sub(a + c))),
    both(0x2b, "v_fmac_f32", |w, i| accumulate(w, i, f32::mul_add)),
    both(FMAMK, "v_fmamk_f32", |w, i| map3(w, i, |a: f32, k, b| a.mul_add(k, b))),
    both(FMAAK, "v_fmaak_f32", |w, i| map3(w, i, |a: f32, b, k| a.mul_add(b, k))),
    both(0x2f, "v_cvt_pkrtz_f16_f32", |w, i| map2(w, i, |a: f32, b: f32| towards_zero(a) | towards_zero(b) << 16)),
    both(0x32, "v_add_f16", |w, i| half(w, i, |a, b| a + b)),
    both(0x33, "v_sub_f16", |w, i| half(w, i, |a, b| a - b)),
    both(0x34, "v_subrev_f16", |w, i| half(w, i, |a, b| b - a)),
    both(0x35, "v_mul_f16", |w, i| half(w, i, |a, b| a * b)),
    both(0x36, "v_fmac_f16", |w, i| accumulate(w, i, fma16)),
    both(FMAMK16, "v_fmamk_f16", |w, i| map3(w, i, fma16)),
    both(FMAAK16, "v_fmaak_f16", |w, i| map3(w, i, fma16)),
    both(0x39, "v_max_f16", |w, i| half(w, i, max)),
    both(0x3a, "v_min_f16", |w, i| half(w, i, min)),
    both(0x3b, "v_ldexp_f16", |w, i| {
        map2(w, i, |a: f16, b: i16| f16::from_f64(super::float::ldexp64(a.to_f64(), b.into())));
    }),
];

pub const MADMK: u16 = 0x20;
pub const MADAK: u16 = 0x21;
pub const FMAMK: u16 = 0x2c;
pub const FMAAK: u16 = 0x2d;
pub const FMAMK16: u16 = 0x37;
pub const FMAAK16: u16 = 0x38;

/// Zero times anything is zero.
pub fn legacy(a: f32, b: f32) -> f32 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

/// The old multiply-add of RDNA1: two roundings, and denormals are always flushed.
pub fn mad(a: f32, b: f32, c: f32) -> f32 {
    flushed(flushed(flushed(a) * flushed(b)) + flushed(c))
}

pub fn flushed(a: f32) -> f32 {
    if a.is_subnormal() { 0.0_f32.copysign(a) } else { a }
}

pub fn signed24(a: u32) -> i64 {
    i64::from((a << 8) as i32 >> 8)
}

pub fn unsigned24(a: u32) -> u64 {
    (a & 0xff_ffff).into()
}

/// `clamp` saturates to the range of u32.
fn saturating(w: &mut Wave, i: &Vector, f: impl Fn(i64, i64) -> i64) {
    let clamp = i.clamp;
    map2(w, i, |a: u32, b: u32| {
        let exact = f(a.into(), b.into());
        if clamp { exact.clamp(0, u32::MAX.into()) as u32 } else { exact as u32 }
    });
}

fn half(w: &mut Wave, i: &Vector, f: impl Fn(f32, f32) -> f32) {
    map2(w, i, |a: f16, b: f16| f16::from_f32(f(a.to_f32(), b.to_f32())));
}

/// In double precision the product is exact and the sum nearly always.
pub fn fma16(a: f16, b: f16, c: f16) -> f16 {
    f16::from_f64(a.to_f64().mul_add(b.to_f64(), c.to_f64()))
}

/// To half precision, towards zero: nothing but infinity becomes infinite.
fn towards_zero(a: f32) -> u32 {
    let near = f16::from_f32(a);
    let too_far = near.to_f32().abs() > a.abs();
    u32::from(near.to_bits()) - u32::from(too_far)
}
