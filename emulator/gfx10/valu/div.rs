//! The steps of a division: scaling what would over- or underflow, and the special cases.
//!
//! "RDNA 2 ISA", V_DIV_SCALE and V_DIV_FIXUP. V_DIV_FMAS (vop3) scales back by the sign of the quotient's
//! exponent, as the RDNA3 document words it: the older text's single power does not undo either scaling.

use super::map::{Value, each, gather};
use crate::float::ldexp64;
use crate::operands::Vector;
use crate::wave::{PASS, Pass, Wave, reg};

/// What differs between the two precisions.
#[derive(Clone, Copy)]
pub struct Format {
    /// Exponents further apart than this overflow or nearly so.
    apart: i32,
    /// Numerators with a biased exponent up to this lose bits.
    tiny: i32,
    /// Power of two to scale by.
    scale: i32,
    /// Least exponent of a normal number.
    least: i32,
    /// Exponents further apart than this underflow.
    under: i32,
    highest: i32,
}

pub const SINGLE: Format = Format { apart: 96, tiny: 23, scale: 64, least: -126, under: -150, highest: 128 };
pub const DOUBLE: Format = Format { apart: 768, tiny: 53, scale: 128, least: -1022, under: -1075, highest: 1024 };

/// Only for [`fixup`]: nothing is scaled.
pub const HALF: Format = Format { apart: 0, tiny: 0, scale: 0, least: -14, under: -1000, highest: 16 };

/// Both precisions are worked on as doubles, which hold singles and their quotients' exponents.
pub trait Precision: Value + Into<f64> {
    const FORMAT: Format;
    fn from_double(v: f64) -> Self;
    /// Whether `a / b` is denormal.
    fn quotient_is_denormal(a: Self, b: Self) -> bool;
}

impl Precision for f32 {
    const FORMAT: Format = SINGLE;

    fn from_double(v: f64) -> Self {
        v as f32
    }

    fn quotient_is_denormal(a: Self, b: Self) -> bool {
        (a / b).is_subnormal()
    }
}

impl Precision for f64 {
    const FORMAT: Format = DOUBLE;

    fn from_double(v: f64) -> Self {
        v
    }

    fn quotient_is_denormal(a: Self, b: Self) -> bool {
        (a / b).is_subnormal()
    }
}

/// Biased exponent as the format has it, 0 for denormals.
fn exponent(v: f64, f: Format) -> i32 {
    if v == 0.0 {
        return 0;
    }
    if !v.is_finite() {
        return f.highest - f.least + 1;
    }
    let unbiased = crate::float::frexp64(v).1 - 1;
    (unbiased - f.least + 1).max(0)
}

/// Scales source 0, which is the numerator (source 2) or the denominator (source 1); the mask says where the
/// quotient is to be scaled back.
pub fn scale<T: Precision>(w: &mut Wave, i: &Vector) {
    let back = each(w, i, |w, pass| {
        let [s0, d, n] = [0, 1, 2].map(|source| T::read(w, i, source, pass));
        let results: Pass<(T, bool)> = std::array::from_fn(|lane| scaled(s0[lane], d[lane], n[lane]));
        (results.map(|(result, _)| result), gather(|lane| results[lane].1))
    });
    w.set_mask(i.sdst, back);
}

/// A fused multiply-add; `scaled` back where VCC says so.
pub fn fmas<T: Value>(w: &mut Wave, i: &Vector, fma: impl Fn(T, T, T) -> T, scaled: impl Fn(T, T, T) -> T) {
    let mask = w.mask(reg::VCC);
    each(w, i, |w, pass| {
        let [a, b, c] = [0, 1, 2].map(|source| T::read(w, i, source, pass));
        let result = |lane: usize| {
            let back = mask >> (PASS * pass + lane) & 1 != 0;
            if back { scaled(a[lane], b[lane], c[lane]) } else { fma(a[lane], b[lane], c[lane]) }
        };
        (std::array::from_fn(result), 0)
    });
}

fn scaled<T: Precision>(s0: T, d: T, n: T) -> (T, bool) {
    let f = T::FORMAT;
    let (v, den, num) = (s0.into(), d.into(), n.into());
    let by = |power: i32| T::from_double(ldexp64(v, power));
    let is = |other: f64| v == other;
    let one = T::from_double(1.0);
    if num == 0.0 || den == 0.0 {
        return (T::from_double(f64::NAN), false);
    }
    let (inverse, quotient) = (T::quotient_is_denormal(one, d), T::quotient_is_denormal(n, d));
    if exponent(num, f) - exponent(den, f) >= f.apart {
        (if is(den) { by(f.scale) } else { s0 }, true)
    } else if exponent(den, f) == 0 {
        (by(f.scale), false)
    } else if inverse && quotient {
        // The document scales the denominator up, which a denominator of this size does not survive.
        (if is(den) { by(-f.scale) } else { s0 }, true)
    } else if inverse {
        (by(-f.scale), false)
    } else if quotient {
        (if is(num) { by(f.scale) } else { s0 }, true)
    } else if exponent(num, f) <= f.tiny {
        (by(f.scale), false)
    } else {
        (s0, false)
    }
}

/// The quotient `q` of `n / d`, or what IEEE 754 wants instead.
pub fn fixup(q: f64, d: f64, n: f64, f: Format) -> f64 {
    let sign = if d.is_sign_negative() != n.is_sign_negative() { -1.0_f64 } else { 1.0 };
    if n.is_nan() {
        n
    } else if d.is_nan() {
        d
    } else if (d == 0.0 && n == 0.0) || (d.is_infinite() && n.is_infinite()) {
        f64::NAN
    } else if d == 0.0 || n.is_infinite() {
        f64::INFINITY * sign
    } else if d.is_infinite() || n == 0.0 || exponent(n, f) - exponent(d, f) < f.under {
        0.0_f64.copysign(sign)
    } else if q.is_nan() {
        // The steps before have subtracted infinities: the quotient overflows.
        f64::INFINITY * sign
    } else {
        q.abs().copysign(sign)
    }
}
