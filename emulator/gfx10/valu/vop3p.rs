//! VOP3P: two halves at once, mixed precision and dot products.

use half::f16;

use super::VectorFn;
use super::int::{Integer, clamped};
use super::map::{Value, each, ieee};
use super::round::{Round, Rounds};
use crate::float::{greatest, least};
use crate::operands::Vector;
use crate::row::{Row, both, rdna2};
use crate::wave::{Pass, Wave};

pub static TABLE: &[Row<VectorFn>] = &[
    both(0x00, "v_pk_mad_i16", |w, i| integers::<i16>(w, i, |a, b, c| a * b + c)),
    both(0x01, "v_pk_mul_lo_u16", |w, i| integers::<u16>(w, i, |a, b, _| a * b)),
    both(0x02, "v_pk_add_i16", |w, i| integers::<i16>(w, i, |a, b, _| a + b)),
    both(0x03, "v_pk_sub_i16", |w, i| integers::<i16>(w, i, |a, b, _| a - b)),
    both(0x04, "v_pk_lshlrev_b16", |w, i| bits::<u16>(w, i, |a, b| b << (a & 15))),
    both(0x05, "v_pk_lshrrev_b16", |w, i| bits::<u16>(w, i, |a, b| b >> (a & 15))),
    both(0x06, "v_pk_ashrrev_i16", |w, i| bits::<i16>(w, i, |a, b| b >> (a & 15))),
    both(0x07, "v_pk_max_i16", |w, i| bits::<i16>(w, i, i16::max)),
    both(0x08, "v_pk_min_i16", |w, i| bits::<i16>(w, i, i16::min)),
    both(0x09, "v_pk_mad_u16", |w, i| integers::<u16>(w, i, |a, b, c| a * b + c)),
    both(0x0a, "v_pk_add_u16", |w, i| integers::<u16>(w, i, |a, b, _| a + b)),
    both(0x0b, "v_pk_sub_u16", |w, i| integers::<u16>(w, i, |a, b, _| a - b)),
    both(0x0c, "v_pk_max_u16", |w, i| bits::<u16>(w, i, u16::max)),
    both(0x0d, "v_pk_min_u16", |w, i| bits::<u16>(w, i, u16::min)),
    both(0x0e, "v_pk_fma_f16", |w, i| packed::<f16>(w, i, f16::fma)),
    both(0x0f, "v_pk_add_f16", |w, i| packed::<f16>(w, i, |a, b, _, r| a.plus(b, r))),
    both(0x10, "v_pk_mul_f16", |w, i| packed::<f16>(w, i, |a, b, _, r| a.times(b, r))),
    both(0x11, "v_pk_min_f16", |w, i| {
        let ieee = ieee(w);
        packed(w, i, |a: f16, b, _, _| least(ieee, a, b));
    }),
    both(0x12, "v_pk_max_f16", |w, i| {
        let ieee = ieee(w);
        packed(w, i, |a: f16, b, _, _| greatest(ieee, a, b));
    }),
    rdna2(0x13, "v_dot2_f32_f16", dot2_f32),
    rdna2(0x14, "v_dot2_i32_i16", |w, i| dot::<i32>(w, i, 16)),
    rdna2(0x15, "v_dot2_u32_u16", |w, i| dot::<u32>(w, i, 16)),
    rdna2(0x16, "v_dot4_i32_i8", |w, i| dot::<i32>(w, i, 8)),
    rdna2(0x17, "v_dot4_u32_u8", |w, i| dot::<u32>(w, i, 8)),
    rdna2(0x18, "v_dot8_i32_i4", |w, i| dot::<i32>(w, i, 4)),
    rdna2(0x19, "v_dot8_u32_u4", |w, i| dot::<u32>(w, i, 4)),
    both(0x20, "v_fma_mix_f32", |w, i| mixed(w, i, 0, |v, _| v)),
    both(0x21, "v_fma_mixlo_f16", |w, i| mixed(w, i, 0, |v, r| f16::from_double(v.into(), r))),
    both(0x22, "v_fma_mixhi_f16", |w, i| mixed(w, i, 8, |v, r| f16::from_double(v.into(), r))),
];

/// The operands without what selects halves.
fn plain(i: &Vector) -> Vector {
    Vector { op_sel: 0, neg: 0, abs: 0, ..*i }
}

/// The operands with what selects and negates the lower halves, and the upper ones.
fn lower_upper(i: &Vector) -> [Vector; 2] {
    [Vector { abs: 0, ..*i }, Vector { op_sel: i.op_sel_hi, neg: i.neg_hi, abs: 0, ..*i }]
}

/// Does `f` with the lower halves and with the upper ones.
#[inline]
pub fn packed<T: Value>(w: &mut Wave, i: &Vector, f: impl Fn(T, T, T, Round) -> T) {
    let round = f16::direction(w.mode);
    for pass in 0..w.passes() {
        let results = lower_upper(i).map(|part| -> Pass<T> {
            let [a, b, c] = [0, 1, 2].map(|n| T::read(w, &part, n, pass));
            std::array::from_fn(|lane| f(a[lane], b[lane], c[lane], round))
        });
        for (result, op_sel) in results.iter().zip([0, 8]) {
            T::write(w, &Vector { op_sel, ..plain(i) }, pass, result);
        }
    }
}

#[inline]
fn integers<T: Integer>(w: &mut Wave, i: &Vector, f: impl Fn(i64, i64, i64) -> i64) {
    let fit = if i.clamp { clamped } else { T::truncate };
    packed(w, i, |a: T, b: T, c: T, _| fit(f(a.into(), b.into(), c.into())));
}

#[inline]
fn bits<T: Value>(w: &mut Wave, i: &Vector, f: impl Fn(T, T) -> T) {
    packed(w, i, |a: T, b: T, _, _| f(a, b));
}

/// The sum of the products of fields of `bits` bits, signed as `T` is, and of source 2.
#[inline]
pub fn dot<T: Integer>(w: &mut Wave, i: &Vector, bits: u32) {
    let chosen = |v: u32, n: u32| {
        let half = |select: u8| v >> (16 * (select >> n & 1)) & 0xffff;
        if bits == 16 { half(i.op_sel) | half(i.op_sel_hi) << 16 } else { v }
    };
    let field = |v: u32, n: u32| {
        let top = v << (32 - bits - n * bits);
        if T::LEAST < 0 { i64::from(top as i32 >> (32 - bits)) } else { i64::from(top >> (32 - bits)) }
    };
    each(w, &plain(i), |w, pass| {
        let (a, b, c) = (u32::read(w, i, 0, pass), u32::read(w, i, 1, pass), T::read(w, i, 2, pass));
        let sum = |lane: usize| {
            let (a, b) = (chosen(a[lane], 0), chosen(b[lane], 1));
            let products = (0..32 / bits).map(|n| field(a, n) * field(b, n));
            let exact = products.sum::<i64>() + c[lane].into();
            if i.clamp { clamped(exact) } else { T::truncate(exact) }
        };
        (std::array::from_fn(sum), 0)
    });
}

/// The sum of the products of halves and of a single, rounded once: how the card rounds in between is not documented.
#[inline]
pub fn dot2_f32(w: &mut Wave, i: &Vector) {
    each(w, &plain(i), |w, pass| {
        let [low, high] = lower_upper(i).map(|part| [0, 1].map(|n| f16::read(w, &part, n, pass).map(f16::to_f64)));
        let c = f32::read(w, &Vector { abs: 0, ..*i }, 2, pass);
        let sum = |n: usize| low[0][n] * low[1][n] + high[0][n] * high[1][n] + f64::from(c[n]);
        (std::array::from_fn(|lane| sum(lane) as f32), 0)
    });
}

/// `a * b + c` in single precision; op_sel_hi makes a source a half, op_sel then says which one.
#[inline]
fn mixed<R: Value>(w: &mut Wave, i: &Vector, op_sel: u8, f: impl Fn(f32, Round) -> R) {
    let round = f32::direction(w.mode);
    // neg_hi is where the encoding has the absolute values.
    let from = Vector { abs: i.neg_hi, ..*i };
    each(w, &Vector { op_sel, ..plain(i) }, |w, pass| {
        let [a, b, c] = [0, 1, 2].map(|n| {
            if i.op_sel_hi >> n & 1 != 0 {
                f16::read(w, &from, n, pass).map(f16::to_f32)
            } else {
                f32::read(w, &from, n, pass)
            }
        });
        (std::array::from_fn(|lane| f(a[lane].fma(b[lane], c[lane], round), f16::direction(w.mode))), 0)
    });
}
