//! SOPC: compares two sources into SCC.

use super::{ScalarFn, sources};
use crate::operands::Scalar;
use crate::row::{Row, both};
use crate::wave::{Sgpr, Wave};

pub static TABLE: &[Row<ScalarFn>] = &[
    both(0x00, "s_cmp_eq_i32", |w, i| signed(w, i, |a, b| a == b)),
    both(0x01, "s_cmp_lg_i32", |w, i| signed(w, i, |a, b| a != b)),
    both(0x02, "s_cmp_gt_i32", |w, i| signed(w, i, |a, b| a > b)),
    both(0x03, "s_cmp_ge_i32", |w, i| signed(w, i, |a, b| a >= b)),
    both(0x04, "s_cmp_lt_i32", |w, i| signed(w, i, |a, b| a < b)),
    both(0x05, "s_cmp_le_i32", |w, i| signed(w, i, |a, b| a <= b)),
    both(0x06, "s_cmp_eq_u32", |w, i| unsigned(w, i, |a: u32, b| a == b)),
    both(0x07, "s_cmp_lg_u32", |w, i| unsigned(w, i, |a: u32, b| a != b)),
    both(0x08, "s_cmp_gt_u32", |w, i| unsigned(w, i, |a: u32, b| a > b)),
    both(0x09, "s_cmp_ge_u32", |w, i| unsigned(w, i, |a: u32, b| a >= b)),
    both(0x0a, "s_cmp_lt_u32", |w, i| unsigned(w, i, |a: u32, b| a < b)),
    both(0x0b, "s_cmp_le_u32", |w, i| unsigned(w, i, |a: u32, b| a <= b)),
    both(0x0c, "s_bitcmp0_b32", |w, i| unsigned(w, i, |a: u32, b| a >> (b & 31) & 1 == 0)),
    both(0x0d, "s_bitcmp1_b32", |w, i| unsigned(w, i, |a: u32, b| a >> (b & 31) & 1 == 1)),
    both(0x0e, "s_bitcmp0_b64", |w, i| w.scc = w.src64(i.src[0]) >> (w.src32(i.src[1]) & 63) & 1 == 0),
    both(0x0f, "s_bitcmp1_b64", |w, i| w.scc = w.src64(i.src[0]) >> (w.src32(i.src[1]) & 63) & 1 == 1),
    both(0x12, "s_cmp_eq_u64", |w, i| unsigned(w, i, |a: u64, b| a == b)),
    both(0x13, "s_cmp_lg_u64", |w, i| unsigned(w, i, |a: u64, b| a != b)),
];

fn signed(w: &mut Wave, i: &Scalar, f: impl Fn(i32, i32) -> bool) {
    unsigned(w, i, |a: u32, b| f(a as i32, b as i32));
}

fn unsigned<T: Sgpr>(w: &mut Wave, i: &Scalar, f: impl Fn(T, T) -> bool) {
    let (a, b) = sources(w, i);
    w.scc = f(a, b);
}
