//! VOP1: one source.

use half::f16;

use super::VectorFn;
use super::map::map1;
use super::relative::{self, ALL, HIGH, LOW, NONE, Steps};
use super::round::{Rounds, round1};
use crate::float::{fract32, fract64, frexp32, frexp64};
use crate::operands::{Src, Vector};
use crate::row::{Row, both};
use crate::wave::Wave;

pub static TABLE: &[Row<VectorFn>] = &[
    both(0x00, "v_nop", |_, _| {}),
    both(0x01, "v_mov_b32", |w, i| map1(w, i, |a: u32| a)),
    both(0x02, "v_readfirstlane_b32", |w, i| {
        let first = w.exec().trailing_zeros() as usize % 64;
        let value = lane(w, i.src[0], first);
        w.set_s32(i.dst, value);
    }),
    both(0x03, "v_cvt_i32_f64", |w, i| map1(w, i, |a: f64| a as i32)),
    both(0x04, "v_cvt_f64_i32", |w, i| map1(w, i, |a: i32| f64::from(a))),
    both(0x05, "v_cvt_f32_i32", |w, i| round1(w, i, |a: i32, r| f32::from_double(a.into(), r))),
    both(0x06, "v_cvt_f32_u32", |w, i| round1(w, i, |a: u32, r| f32::from_double(a.into(), r))),
    both(0x07, "v_cvt_u32_f32", |w, i| map1(w, i, |a: f32| a as u32)),
    both(0x08, "v_cvt_i32_f32", |w, i| map1(w, i, |a: f32| a as i32)),
    both(0x0a, "v_cvt_f16_f32", |w, i| round1(w, i, |a: f32, r| f16::from_double(a.into(), r))),
    both(0x0b, "v_cvt_f32_f16", |w, i| map1(w, i, f16::to_f32)),
    both(0x0c, "v_cvt_rpi_i32_f32", |w, i| map1(w, i, |a: f32| (a + 0.5).floor() as i32)),
    both(0x0d, "v_cvt_flr_i32_f32", |w, i| map1(w, i, |a: f32| a.floor() as i32)),
    both(0x0e, "v_cvt_off_f32_i4", |w, i| map1(w, i, |a: u32| ((a << 28) as i32 >> 28) as f32 / 16.0)),
    both(0x0f, "v_cvt_f32_f64", |w, i| round1(w, i, |a: f64, r| f32::from_double(a, r))),
    both(0x10, "v_cvt_f64_f32", |w, i| map1(w, i, |a: f32| f64::from(a))),
    both(0x11, "v_cvt_f32_ubyte0", |w, i| map1(w, i, |a: u32| (a & 0xff) as f32)),
    both(0x12, "v_cvt_f32_ubyte1", |w, i| map1(w, i, |a: u32| (a >> 8 & 0xff) as f32)),
    both(0x13, "v_cvt_f32_ubyte2", |w, i| map1(w, i, |a: u32| (a >> 16 & 0xff) as f32)),
    both(0x14, "v_cvt_f32_ubyte3", |w, i| map1(w, i, |a: u32| (a >> 24) as f32)),
    both(0x15, "v_cvt_u32_f64", |w, i| map1(w, i, |a: f64| a as u32)),
    both(0x16, "v_cvt_f64_u32", |w, i| map1(w, i, |a: u32| f64::from(a))),
    both(0x17, "v_trunc_f64", |w, i| map1(w, i, f64::trunc)),
    both(0x18, "v_ceil_f64", |w, i| map1(w, i, f64::ceil)),
    both(0x19, "v_rndne_f64", |w, i| map1(w, i, f64::round_ties_even)),
    both(0x1a, "v_floor_f64", |w, i| map1(w, i, f64::floor)),
    both(0x1b, "v_pipeflush", |_, _| {}),
    both(0x20, "v_fract_f32", |w, i| map1(w, i, fract32)),
    both(0x21, "v_trunc_f32", |w, i| map1(w, i, f32::trunc)),
    both(0x22, "v_ceil_f32", |w, i| map1(w, i, f32::ceil)),
    both(0x23, "v_rndne_f32", |w, i| map1(w, i, f32::round_ties_even)),
    both(0x24, "v_floor_f32", |w, i| map1(w, i, f32::floor)),
    both(0x25, "v_exp_f32", |w, i| through_double(w, i, f64::exp2)),
    both(0x27, "v_log_f32", |w, i| through_double(w, i, f64::log2)),
    both(0x2a, "v_rcp_f32", |w, i| map1(w, i, f32::recip)),
    both(0x2b, "v_rcp_iflag_f32", |w, i| map1(w, i, f32::recip)),
    both(0x2e, "v_rsq_f32", |w, i| through_double(w, i, |a| a.sqrt().recip())),
    both(0x2f, "v_rcp_f64", |w, i| map1(w, i, f64::recip)),
    both(0x31, "v_rsq_f64", |w, i| map1(w, i, |a: f64| a.sqrt().recip())),
    both(0x33, "v_sqrt_f32", |w, i| map1(w, i, f32::sqrt)),
    both(0x34, "v_sqrt_f64", |w, i| map1(w, i, f64::sqrt)),
    both(0x35, "v_sin_f32", |w, i| through_double(w, i, |a| (turn(a) * std::f64::consts::TAU).sin())),
    both(0x36, "v_cos_f32", |w, i| through_double(w, i, |a| (turn(a) * std::f64::consts::TAU).cos())),
    both(0x37, "v_not_b32", |w, i| map1(w, i, |a: u32| !a)),
    both(0x38, "v_bfrev_b32", |w, i| map1(w, i, u32::reverse_bits)),
    both(0x39, "v_ffbh_u32", |w, i| map1(w, i, |a: u32| if a == 0 { u32::MAX } else { a.leading_zeros() })),
    both(0x3a, "v_ffbl_b32", |w, i| map1(w, i, |a: u32| if a == 0 { u32::MAX } else { a.trailing_zeros() })),
    both(0x3b, "v_ffbh_i32", |w, i| {
        map1(w, i, |a: i32| if a == 0 || a == -1 { u32::MAX } else { (a ^ a >> 31).leading_zeros() });
    }),
    both(0x3c, "v_frexp_exp_i32_f64", |w, i| map1(w, i, |a: f64| frexp64(a).1)),
    both(0x3d, "v_frexp_mant_f64", |w, i| map1(w, i, |a: f64| frexp64(a).0)),
    both(0x3e, "v_fract_f64", |w, i| map1(w, i, fract64)),
    both(0x3f, "v_frexp_exp_i32_f32", |w, i| map1(w, i, |a: f32| frexp32(a).1)),
    both(0x40, "v_frexp_mant_f32", |w, i| map1(w, i, |a: f32| frexp32(a).0)),
    both(0x41, "v_clrexcp", |_, _| {}),
    both(0x42, "v_movreld_b32", |w, i| relative::copy(w, i, &Steps { to: ALL, from: NONE })),
    both(0x43, "v_movrels_b32", |w, i| relative::copy(w, i, &Steps { to: NONE, from: ALL })),
    both(0x44, "v_movrelsd_b32", |w, i| relative::copy(w, i, &Steps { to: ALL, from: ALL })),
    both(0x48, "v_movrelsd_2_b32", |w, i| relative::copy(w, i, &Steps { to: HIGH, from: LOW })),
    both(0x50, "v_cvt_f16_u16", |w, i| round1(w, i, |a: u16, r| f16::from_double(a.into(), r))),
    both(0x51, "v_cvt_f16_i16", |w, i| round1(w, i, |a: i16, r| f16::from_double(a.into(), r))),
    both(0x52, "v_cvt_u16_f16", |w, i| map1(w, i, |a: f16| a.to_f32() as u16)),
    both(0x53, "v_cvt_i16_f16", |w, i| map1(w, i, |a: f16| a.to_f32() as i16)),
    both(0x54, "v_rcp_f16", |w, i| half(w, i, f32::recip)),
    both(0x55, "v_sqrt_f16", |w, i| half(w, i, f32::sqrt)),
    both(0x56, "v_rsq_f16", |w, i| half(w, i, |a| a.sqrt().recip())),
    both(0x57, "v_log_f16", |w, i| half(w, i, f32::log2)),
    both(0x58, "v_exp_f16", |w, i| half(w, i, f32::exp2)),
    both(0x59, "v_frexp_mant_f16", |w, i| half(w, i, |a| frexp32(a).0)),
    both(0x5a, "v_frexp_exp_i16_f16", |w, i| map1(w, i, |a: f16| frexp32(a.to_f32()).1 as i16)),
    both(0x5b, "v_floor_f16", |w, i| half(w, i, f32::floor)),
    both(0x5c, "v_ceil_f16", |w, i| half(w, i, f32::ceil)),
    both(0x5d, "v_trunc_f16", |w, i| half(w, i, f32::trunc)),
    both(0x5e, "v_rndne_f16", |w, i| half(w, i, f32::round_ties_even)),
    both(0x5f, "v_fract_f16", |w, i| half(w, i, |a| (a - a.floor()).min(0.999_511_7))),
    both(0x60, "v_sin_f16", |w, i| half(w, i, |a| (turn(a.into()) * std::f64::consts::TAU).sin() as f32)),
    both(0x61, "v_cos_f16", |w, i| half(w, i, |a| (turn(a.into()) * std::f64::consts::TAU).cos() as f32)),
    both(0x62, "v_sat_pk_u8_i16", |w, i| {
        let byte = |v: u32| (v as i16).clamp(0, 255) as u16;
        map1(w, i, |a: u32| byte(a) | byte(a >> 16) << 8);
    }),
    both(0x63, "v_cvt_norm_i16_f16", |w, i| map1(w, i, |a: f16| norm_i16(a.to_f64()))),
    both(0x64, "v_cvt_norm_u16_f16", |w, i| map1(w, i, |a: f16| norm_u16(a.to_f64()))),
    both(0x65, "v_swap_b32", |w, i| relative::swap(w, i, &Steps { to: NONE, from: NONE })),
    both(0x68, "v_swaprel_b32", |w, i| relative::swap(w, i, &Steps { to: HIGH, from: LOW })),
];

/// -1 to 1 as the whole range of a signed number of 16 bits.
pub fn norm_i16(a: f64) -> i16 {
    (a.clamp(-1.0, 1.0) * 32767.0).round_ties_even() as i16
}

/// 0 to 1 as the whole range of 16 bits.
pub fn norm_u16(a: f64) -> u16 {
    (a.clamp(0.0, 1.0) * 65535.0).round_ties_even() as u16
}

/// One lane of a source.
pub fn lane(w: &Wave, src: Src, lane: usize) -> u32 {
    src.as_vgpr().map_or_else(|| w.src32(src), |r| w.v[r][lane % w.lanes])
}

/// Better than the card's own approximation, which is good to about one unit of the last place.
fn through_double(w: &mut Wave, i: &Vector, f: impl Fn(f64) -> f64) {
    map1(w, i, |a: f32| f(a.into()) as f32);
}

/// The sine's argument counts turns.
fn turn(a: f64) -> f64 {
    a - a.trunc()
}

fn half(w: &mut Wave, i: &Vector, f: impl Fn(f32) -> f32) {
    map1(w, i, |a: f16| f16::from_f32(f(a.to_f32())));
}
