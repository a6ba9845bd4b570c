//! VOPC: compares.

#![allow(
    clippy::double_comparisons,
    clippy::neg_cmp_op_on_partial_ord,
    clippy::nonminimal_bool,
    reason = "a compare with NaN is not the opposite of another"
)]

use half::f16;

use super::VectorFn;
use super::map::compare;
use crate::float::{class16, class32, class64};
use crate::operands::Vector;
use crate::row::{Row, both};
use crate::wave::Wave;

/// Sixteen compares of floats into `$to_exec`, from opcode `$op`, as the type `$t` that `$name` names.
macro_rules! floats {
    ($table:ident, $low:expr, $high:expr, $prefix:literal, $name:literal, $t:ty, $exec:literal) => {
        const $table: [Row<VectorFn>; 16] = [
            both($low, concat!($prefix, "_f_", $name), |w, i| compare(w, i, $exec, |_: $t, _: $t| false)),
            both($low + 1, concat!($prefix, "_lt_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a < b)),
            both($low + 2, concat!($prefix, "_eq_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a == b)),
            both($low + 3, concat!($prefix, "_le_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a <= b)),
            both($low + 4, concat!($prefix, "_gt_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a > b)),
            both($low + 5, concat!($prefix, "_lg_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a < b || a > b)),
            both($low + 6, concat!($prefix, "_ge_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a >= b)),
            both($low + 7, concat!($prefix, "_o_", $name), |w, i| {
                compare(w, i, $exec, |a: $t, b: $t| !a.is_nan() && !b.is_nan());
            }),
            both($high, concat!($prefix, "_u_", $name), |w, i| {
                compare(w, i, $exec, |a: $t, b: $t| a.is_nan() || b.is_nan());
            }),
            both($high + 1, concat!($prefix, "_nge_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| !(a >= b))),
            both($high + 2, concat!($prefix, "_nlg_", $name), |w, i| {
                compare(w, i, $exec, |a: $t, b: $t| !(a < b || a > b));
            }),
            both($high + 3, concat!($prefix, "_ngt_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| !(a > b))),
            both($high + 4, concat!($prefix, "_nle_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| !(a <= b))),
            both($high + 5, concat!($prefix, "_neq_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a != b)),
            both($high + 6, concat!($prefix, "_nlt_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| !(a < b))),
            both($high + 7, concat!($prefix, "_tru_", $name), |w, i| compare(w, i, $exec, |_: $t, _: $t| true)),
        ];
    };
}

/// Six compares of integers.
macro_rules! integers {
    ($table:ident, $op:expr, $prefix:literal, $name:literal, $t:ty, $exec:literal) => {
        const $table: [Row<VectorFn>; 6] = [
            both($op + 1, concat!($prefix, "_lt_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a < b)),
            both($op + 2, concat!($prefix, "_eq_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a == b)),
            both($op + 3, concat!($prefix, "_le_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a <= b)),
            both($op + 4, concat!($prefix, "_gt_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a > b)),
            both($op + 5, concat!($prefix, "_ne_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a != b)),
            both($op + 6, concat!($prefix, "_ge_", $name), |w, i| compare(w, i, $exec, |a: $t, b: $t| a >= b)),
        ];
    };
}

/// Never and always; and the classes.
macro_rules! others {
    ($table:ident, $op:expr, $prefix:literal, $exec:literal) => {
        const $table: [Row<VectorFn>; 11] = [
            both($op, concat!($prefix, "_f_i32"), |w, i| compare(w, i, $exec, |_: u32, _: u32| false)),
            both($op + 0x07, concat!($prefix, "_t_i32"), |w, i| compare(w, i, $exec, |_: u32, _: u32| true)),
            both($op + 0x08, concat!($prefix, "_class_f32"), |w, i| {
                compare(w, i, $exec, |a: f32, b: u32| class32(a.to_bits()) & b != 0);
            }),
            both($op + 0x0f, concat!($prefix, "_class_f16"), |w, i| {
                compare(w, i, $exec, |a: f16, b: u32| class16(a.to_bits()) & b != 0);
            }),
            both($op + 0x20, concat!($prefix, "_f_i64"), |w, i| compare(w, i, $exec, |_: u64, _: u64| false)),
            both($op + 0x27, concat!($prefix, "_t_i64"), |w, i| compare(w, i, $exec, |_: u64, _: u64| true)),
            both($op + 0x28, concat!($prefix, "_class_f64"), |w, i| class_f64(w, i, $exec)),
            both($op + 0x40, concat!($prefix, "_f_u32"), |w, i| compare(w, i, $exec, |_: u32, _: u32| false)),
            both($op + 0x47, concat!($prefix, "_t_u32"), |w, i| compare(w, i, $exec, |_: u32, _: u32| true)),
            both($op + 0x60, concat!($prefix, "_f_u64"), |w, i| compare(w, i, $exec, |_: u64, _: u64| false)),
            both($op + 0x67, concat!($prefix, "_t_u64"), |w, i| compare(w, i, $exec, |_: u64, _: u64| true)),
        ];
    };
}

fn class_f64(w: &mut Wave, i: &Vector, to_exec: bool) {
    compare(w, i, to_exec, |a: f64, b: u32| class64(a.to_bits()) & b != 0);
}

floats!(F32, 0x00, 0x08, "v_cmp", "f32", f32, false);
floats!(F32X, 0x10, 0x18, "v_cmpx", "f32", f32, true);
floats!(F64, 0x20, 0x28, "v_cmp", "f64", f64, false);
floats!(F64X, 0x30, 0x38, "v_cmpx", "f64", f64, true);
floats!(F16, 0xc8, 0xe8, "v_cmp", "f16", f16, false);
floats!(F16X, 0xd8, 0xf8, "v_cmpx", "f16", f16, true);
integers!(I32, 0x80, "v_cmp", "i32", i32, false);
integers!(I32X, 0x90, "v_cmpx", "i32", i32, true);
integers!(I16, 0x88, "v_cmp", "i16", i16, false);
integers!(I16X, 0x98, "v_cmpx", "i16", i16, true);
integers!(I64, 0xa0, "v_cmp", "i64", i64, false);
integers!(I64X, 0xb0, "v_cmpx", "i64", i64, true);
integers!(U16, 0xa8, "v_cmp", "u16", u16, false);
integers!(U16X, 0xb8, "v_cmpx", "u16", u16, true);
integers!(U32, 0xc0, "v_cmp", "u32", u32, false);
integers!(U32X, 0xd0, "v_cmpx", "u32", u32, true);
integers!(U64, 0xe0, "v_cmp", "u64", u64, false);
integers!(U64X, 0xf0, "v_cmpx", "u64", u64, true);
others!(OTHER, 0x80, "v_cmp", false);
others!(OTHERX, 0x90, "v_cmpx", true);

const COUNT: usize = 6 * 16 + 12 * 6 + 2 * 11;

pub static TABLE: &[Row<VectorFn>] = &{
    let parts: [&[Row<VectorFn>]; 20] = [
        &F32, &F32X, &F64, &F64X, &F16, &F16X, &I32, &I32X, &I16, &I16X, &I64, &I64X, &U16, &U16X, &U32, &U32X, &U64,
        &U64X, &OTHER, &OTHERX,
    ];
    let mut all = [const { both(0, "", (|_, _| {}) as VectorFn) }; COUNT];
    let (mut part, mut at, mut to) = (0, 0, 0);
    while part < parts.len() {
        while at < parts[part].len() {
            let row = &parts[part][at];
            all[to] = both(row.op, row.name, row.run);
            at += 1;
            to += 1;
        }
        part += 1;
        at = 0;
    }
    assert!(to == COUNT);
    all
};
