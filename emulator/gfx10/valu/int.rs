//! Integers whose results may be clamped to their range.

use super::map::{Value, map2, map3};
use crate::operands::Vector;
use crate::wave::Wave;

/// An integer of a register or of half of one.
pub trait Integer: Value + Into<i64> {
    const LEAST: i64;
    const HIGHEST: i64;
    /// The lowest bits.
    fn truncate(exact: i64) -> Self;
}

macro_rules! integer {
    ($($t:ty)*) => {
        $(impl Integer for $t {
            const LEAST: i64 = <$t>::MIN as i64;
            const HIGHEST: i64 = <$t>::MAX as i64;

            #[inline(always)]
            fn truncate(exact: i64) -> Self {
                exact as $t
            }
        })*
    };
}

integer!(u16 i16 u32 i32);

/// What `f` makes of two numbers: its lowest bits, or if the instruction clamps, the nearest number there is.
#[inline]
pub fn integer2<A: Integer, R: Integer>(w: &mut Wave, i: &Vector, f: impl Fn(i64, i64) -> i64) {
    if i.clamp {
        let rare: &dyn Fn(A, A) -> R = &|a, b| clamped(f(a.into(), b.into()));
        map2(w, i, rare);
    } else {
        map2(w, i, |a: A, b: A| R::truncate(f(a.into(), b.into())));
    }
}

/// The same of three, the last of the result's type.
#[inline]
pub fn integer3<A: Integer, R: Integer>(w: &mut Wave, i: &Vector, f: impl Fn(i64, i64, i64) -> i64) {
    if i.clamp {
        let rare: &dyn Fn(A, A, R) -> R = &|a, b, c| clamped(f(a.into(), b.into(), c.into()));
        map3(w, i, rare);
    } else {
        map3(w, i, |a: A, b: A, c: R| R::truncate(f(a.into(), b.into(), c.into())));
    }
}

/// The nearest number of the range.
pub fn clamped<T: Integer>(exact: i64) -> T {
    T::truncate(exact.clamp(T::LEAST, T::HIGHEST))
}
