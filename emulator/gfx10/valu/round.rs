//! Rounding as the MODE register asks for it.
//!
//! To nearest even is the processor's own. The other directions are computed here with integers, exactly and slowly: few
//! kernels use them.

use half::f16;

use super::map::{Value, map1, map2, map3};
use crate::float::{Float, ldexp32, ldexp64};
use crate::operands::{Src, Vector};
use crate::wave::Wave;

/// The directions by their numbers in MODE ("RDNA 2 ISA", "Mode register", FP_ROUND).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    NearestEven,
    Up,
    Down,
    ToZero,
}

impl Round {
    fn from_mode(bits: u32) -> Self {
        [Self::NearestEven, Self::Up, Self::Down, Self::ToZero][bits as usize & 3]
    }
}

/// A format of floating-point numbers.
#[derive(Clone, Copy)]
pub struct Format {
    /// Bits of the significand, with the hidden one.
    bits: i32,
    /// Exponents of normal numbers, least and highest.
    least: i32,
    highest: i32,
}

pub const HALF: Format = Format { bits: 11, least: -14, highest: 15 };
pub const SINGLE: Format = Format { bits: 24, least: -126, highest: 127 };
pub const DOUBLE: Format = Format { bits: 53, least: -1022, highest: 1023 };

/// A finite number: `m * 2^e`. Bit 0 of `m` may stand for all that lies below.
#[derive(Clone, Copy)]
struct Exact {
    negative: bool,
    m: u128,
    e: i32,
}

impl Exact {
    fn of(v: f64) -> Self {
        let biased = (v.to_bits() >> 52 & 0x7ff) as i32;
        let fraction = u128::from(v.to_bits() & ((1 << 52) - 1));
        let m = if biased == 0 { fraction } else { fraction | 1 << 52 };
        Self { negative: v.is_sign_negative(), m, e: biased.max(1) - 1075 }
    }

    fn times(self, other: Self) -> Self {
        Self { negative: self.negative != other.negative, m: self.m * other.m, e: self.e + other.e }
    }

    /// The highest bit moved to bit 125.
    fn raised(self) -> Self {
        let up = self.m.leading_zeros() as i32 - 2;
        Self { m: self.m << up, e: self.e - up, ..self }
    }

    /// Products have 106 bits and sums are of one product and one factor: where bits get lost below, nothing cancels.
    fn plus(self, other: Self, round: Round) -> Self {
        if self.m == 0 || other.m == 0 {
            let zero = self.m == 0 && other.m == 0;
            let either = if self.m == 0 { other } else { self };
            return if zero && self.negative != other.negative { Self::zero(round) } else { either };
        }
        let (a, b) = (self.raised(), other.raised());
        let (a, b) = if (a.e, a.m) < (b.e, b.m) { (b, a) } else { (a, b) };
        let down = (a.e - b.e) as u32;
        let small = match b.m.checked_shr(down) {
            Some(small) => small | u128::from(small << down != b.m),
            None => 1,
        };
        if a.negative == b.negative {
            Self { m: a.m + small, ..a }
        } else if a.m == small {
            Self::zero(round)
        } else {
            Self { m: a.m - small, ..a }
        }
    }

    /// What cancels out is positive, but for rounding down.
    fn zero(round: Round) -> Self {
        Self { negative: round == Round::Down, m: 0, e: 0 }
    }

    fn round(self, f: Format, round: Round) -> f64 {
        let sign = |v: f64| if self.negative { -v } else { v };
        if self.m == 0 {
            return sign(0.0);
        }
        let top = self.e + 127 - self.m.leading_zeros() as i32;
        // The weight of the result's last bit.
        let last = top.max(f.least) - (f.bits - 1);
        let down = last - self.e;
        let (mut q, rest_to_half) = if down <= 0 {
            (self.m << -down, None)
        } else {
            let q = self.m.checked_shr(down as u32).unwrap_or(0);
            let half = 1_u128.checked_shl(down as u32 - 1);
            let rest = if down < 128 { self.m & ((1 << down) - 1) } else { self.m };
            (q, (rest != 0).then(|| half.map_or(std::cmp::Ordering::Less, |half| rest.cmp(&half))))
        };
        if let Some(to_half) = rest_to_half {
            q += u128::from(match round {
                Round::NearestEven => to_half.is_gt() || to_half.is_eq() && q & 1 == 1,
                Round::Up => !self.negative,
                Round::Down => self.negative,
                Round::ToZero => false,
            });
        }
        let result = ldexp64(q as f64, last);
        let most = ldexp64(((1_u64 << f.bits) - 1) as f64, f.highest - f.bits + 1);
        if result <= most {
            return sign(result);
        }
        let inwards = match round {
            Round::NearestEven => false,
            Round::Up => self.negative,
            Round::Down => !self.negative,
            Round::ToZero => true,
        };
        sign(if inwards { most } else { f64::INFINITY })
    }
}

/// `a * b + c`, rounded once; NaN and infinities as the processor has them.
#[inline(never)]
pub fn fused(a: f64, b: f64, c: f64, f: Format, round: Round) -> f64 {
    if a.is_finite() && b.is_finite() && c.is_finite() {
        Exact::of(a).times(Exact::of(b)).plus(Exact::of(c), round).round(f, round)
    } else {
        a.mul_add(b, c)
    }
}

#[inline(never)]
fn scaled(a: f64, e: i32, f: Format, round: Round) -> f64 {
    let exact = Exact::of(a);
    if a.is_finite() { Exact { e: exact.e + e.clamp(-4000, 4000), ..exact }.round(f, round) } else { a }
}

/// Numbers whose operations round by MODE.
pub trait Rounds: Value + Float {
    /// The direction that MODE asks for.
    fn direction(mode: u32) -> Round;
    fn plus(self, other: Self, round: Round) -> Self;
    fn times(self, other: Self, round: Round) -> Self;
    fn fma(self, factor: Self, addend: Self, round: Round) -> Self;
    /// Times a power of two.
    fn ldexp(self, e: i32, round: Round) -> Self;
    fn from_double(v: f64, round: Round) -> Self;
}

macro_rules! rounds {
    ($t:ty, $format:expr, $shift:literal, $wide:ident, $plus:expr, $times:expr, $fma:expr, $ldexp:expr, $narrow:expr) => {
        impl Rounds for $t {
            #[inline]
            fn direction(mode: u32) -> Round {
                Round::from_mode(mode >> $shift)
            }

            #[inline(always)]
            fn plus(self, other: Self, round: Round) -> Self {
                if round == Round::NearestEven {
                    return $plus(self, other);
                }
                $narrow(fused($wide(self), 1.0, $wide(other), $format, round))
            }

            #[inline(always)]
            fn times(self, other: Self, round: Round) -> Self {
                if round == Round::NearestEven {
                    return $times(self, other);
                }
                let (a, b) = ($wide(self), $wide(other));
                // A zero that keeps the sign of a product of zero.
                $narrow(fused(a, b, 0.0_f64.copysign(a) * 1.0_f64.copysign(b), $format, round))
            }

            #[inline(always)]
            fn fma(self, factor: Self, addend: Self, round: Round) -> Self {
                if round == Round::NearestEven {
                    return $fma(self, factor, addend);
                }
                $narrow(fused($wide(self), $wide(factor), $wide(addend), $format, round))
            }

            #[inline(always)]
            fn ldexp(self, e: i32, round: Round) -> Self {
                if round == Round::NearestEven {
                    return $ldexp(self, e);
                }
                $narrow(scaled($wide(self), e, $format, round))
            }

            #[inline(always)]
            fn from_double(v: f64, round: Round) -> Self {
                if round == Round::NearestEven { $narrow(v) } else { $narrow(scaled(v, 0, $format, round)) }
            }
        }
    };
}

rounds!(f32, SINGLE, 0, f64_of, |a, b| a + b, |a, b| a * b, f32::mul_add, ldexp32, |v: f64| v as f32);
rounds!(f64, DOUBLE, 2, same, |a, b| a + b, |a, b| a * b, f64::mul_add, ldexp64, same);
rounds!(
    f16,
    HALF,
    2,
    double,
    |a: f16, b: f16| f16::from_f32(a.to_f32() + b.to_f32()),
    |a: f16, b: f16| f16::from_f32(a.to_f32() * b.to_f32()),
    // In double precision the product is exact, and the sum wherever it is near the middle between two halves.
    |a: f16, b: f16, c: f16| f16::from_f64(a.to_f64().mul_add(b.to_f64(), c.to_f64())),
    |a: f16, e| f16::from_f64(ldexp64(a.to_f64(), e)),
    f16::from_f64
);

fn f64_of(v: f32) -> f64 {
    v.into()
}

fn same(v: f64) -> f64 {
    v
}

fn double(v: f16) -> f64 {
    v.to_f64()
}

// The other directions go through a pointer, so that the loop is there once and not for every opcode.

/// [`map1`] of what rounds to `R`.
#[inline]
pub fn round1<A: Value, R: Rounds>(w: &mut Wave, i: &Vector, f: impl Fn(A, Round) -> R) {
    match R::direction(w.mode) {
        Round::NearestEven => map1(w, i, |a| f(a, Round::NearestEven)),
        round => {
            let rare: &dyn Fn(A) -> R = &|a| f(a, round);
            map1(w, i, rare);
        }
    }
}

/// [`map2`] of what rounds to `R`.
#[inline]
pub fn round2<A: Value, B: Value, R: Rounds>(w: &mut Wave, i: &Vector, f: impl Fn(A, B, Round) -> R) {
    match R::direction(w.mode) {
        Round::NearestEven => map2(w, i, |a, b| f(a, b, Round::NearestEven)),
        round => {
            let rare: &dyn Fn(A, B) -> R = &|a, b| f(a, b, round);
            map2(w, i, rare);
        }
    }
}

/// [`map3`] of what rounds to `T`.
#[inline]
pub fn round3<T: Rounds>(w: &mut Wave, i: &Vector, f: impl Fn(T, T, T, Round) -> T) {
    match T::direction(w.mode) {
        Round::NearestEven => map3(w, i, |a, b, c| f(a, b, c, Round::NearestEven)),
        round => {
            let rare: &dyn Fn(T, T, T) -> T = &|a, b, c| f(a, b, c, round);
            map3(w, i, rare);
        }
    }
}

/// As [`round3`], with the old value of the destination as the last.
#[inline]
pub fn accumulate<T: Rounds>(w: &mut Wave, i: &Vector, f: impl Fn(T, T, T, Round) -> T) {
    let src = [i.src[0], i.src[1], Src::vgpr(i.dst)];
    // The destination's half is the old value's.
    round3(w, &Vector { src, op_sel: i.op_sel & 11 | i.op_sel >> 1 & 4, neg: i.neg & 3, abs: i.abs & 3, ..*i }, f);
}
