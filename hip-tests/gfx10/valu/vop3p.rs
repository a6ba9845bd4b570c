//! VOP3P: two halves at once, and mixed precision.

use half::f16;

use super::float::{max, min};
use super::map::Value;
use super::vop2::fma16;
use crate::inst::{Vector, VectorFn};
use crate::row::{Row, both};
use crate::wave::Wave;

pub static TABLE: &[Row<VectorFn>] = &[
    both(0x00, "v_pk_mad_i16", |w, i| integers(w, i, |a, b, c| a.wrapping_mul(b).wrapping_add(c))),
    both(0x01, "v_pk_mul_lo_u16", |w, i| integers(w, i, |a, b, _| a.wrapping_mul(b))),
    both(0x02, "v_pk_add_i16", |w, i| integers(w, i, |a, b, _| a.wrapping_add(b))),
    both(0x03, "v_pk_sub_i16", |w, i| integers(w, i, |a, b, _| a.wrapping_sub(b))),
    both(0x04, "v_pk_lshlrev_b16", |w, i| integers(w, i, |a, b, _| b << (a & 15))),
    both(0x05, "v_pk_lshrrev_b16", |w, i| integers(w, i, |a, b, _| b >> (a & 15))),
    both(0x06, "v_pk_ashrrev_i16", |w, i| integers(w, i, |a, b, _| (b as i16 >> (a & 15)) as u16)),
    both(0x07, "v_pk_max_i16", |w, i| integers(w, i, |a, b, _| (a as i16).max(b as i16) as u16)),
    both(0x08, "v_pk_min_i16", |w, i| integers(w, i, |a, b, _| (a as i16).min(b as i16) as u16)),
    both(0x09, "v_pk_mad_u16", |w, i| integers(w, i, |a, b, c| a.wrapping_mul(b).wrapping_add(c))),
    both(0x0a, "v_pk_add_u16", |w, i| integers(w, i, |a, b, _| a.wrapping_add(b))),
    both(0x0b, "v_pk_sub_u16", |w, i| integers(w, i, |a, b, _| a.wrapping_sub(b))),
    both(0x0c, "v_pk_max_u16", |w, i| integers(w, i, |a, b, _| a.max(b))),
    both(0x0d, "v_pk_min_u16", |w, i| integers(w, i, |a, b, _| a.min(b))),
    both(0x0e, "v_pk_fma_f16", |w, i| halves(w, i, fma16)),
    both(0x0f, "v_pk_add_f16", |w, i| halves(w, i, |a, b, _| f16::from_f32(a.to_f32() + b.to_f32()))),
    both(0x10, "v_pk_mul_f16", |w, i| halves(w, i, |a, b, _| f16::from_f32(a.to_f32() * b.to_f32()))),
    both(0x11, "v_pk_min_f16", |w, i| halves(w, i, |a, b, _| f16::from_f32(min(a.to_f32(), b.to_f32())))),
    both(0x12, "v_pk_max_f16", |w, i| halves(w, i, |a, b, _| f16::from_f32(max(a.to_f32(), b.to_f32())))),
    both(0x20, "v_fma_mix_f32", |w, i| {
        let results = mixed(w, i);
        f32::write(w, &plain(i), &results);
    }),
    both(0x21, "v_fma_mixlo_f16", |w, i| {
        let results = mixed(w, i).map(f16::from_f32);
        f16::write(w, &plain(i), &results);
    }),
    both(0x22, "v_fma_mixhi_f16", |w, i| {
        let results = mixed(w, i).map(f16::from_f32);
        f16::write(w, &Vector { op_sel: 8, ..plain(i) }, &results);
    }),
];

/// The operands without what selects halves.
fn plain(i: &Vector) -> Vector {
    Vector { op_sel: 0, neg: 0, abs: 0, ..*i }
}

/// Source `n` as the half that `select` names. A constant is in the lower half.
fn read(w: &Wave, i: &Vector, n: usize, select: u8) -> [u16; 64] {
    u16::read(w, &Vector { op_sel: select, ..plain(i) }, n)
}

fn pack(w: &mut Wave, i: &Vector, low: &[u16; 64], high: &[u16; 64]) {
    u32::write(w, &plain(i), &std::array::from_fn(|lane| u32::from(low[lane]) | u32::from(high[lane]) << 16));
}

fn integers(w: &mut Wave, i: &Vector, f: impl Fn(u16, u16, u16) -> u16) {
    if i.clamp {
        return w.trap("saturation of packed integers is not modelled");
    }
    let half = |select: u8| {
        let (a, b, c) = (read(w, i, 0, select), read(w, i, 1, select), read(w, i, 2, select));
        std::array::from_fn(|lane| f(a[lane], b[lane], c[lane]))
    };
    let (low, high) = (half(i.op_sel), half(i.op_sel_hi));
    pack(w, i, &low, &high);
}

fn halves(w: &mut Wave, i: &Vector, f: impl Fn(f16, f16, f16) -> f16) {
    let half = |select: u8, neg: u8| {
        let source = |n: usize| {
            let flip = if neg >> n & 1 != 0 { 0x8000 } else { 0 };
            read(w, i, n, select).map(|v| f16::from_bits(v ^ flip))
        };
        let (a, b, c) = (source(0), source(1), source(2));
        std::array::from_fn(|lane| {
            let result = f(a[lane], b[lane], c[lane]);
            let clamped = if result > f16::ZERO { result.min(f16::ONE) } else { f16::ZERO };
            if i.clamp { clamped } else { result }.to_bits()
        })
    };
    let (low, high) = (half(i.op_sel, i.neg), half(i.op_sel_hi, i.neg_hi));
    pack(w, i, &low, &high);
}

/// `a * b + c` in single precision; op_sel_hi makes a source a half, op_sel then says which one.
fn mixed(w: &Wave, i: &Vector) -> [f32; 64] {
    let source = |n: usize| {
        // neg_hi is where the encoding has the absolute values.
        let only = Vector { neg: i.neg, abs: i.neg_hi, op_sel: i.op_sel, ..*i };
        if i.op_sel_hi >> n & 1 != 0 { f16::read(w, &only, n).map(f16::to_f32) } else { f32::read(w, &only, n) }
    };
    let (a, b, c) = (source(0), source(1), source(2));
    std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
}
