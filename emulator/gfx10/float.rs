//! Floating-point operations that are not the processor's.

use half::f16;

/// What these functions need of the three formats.
pub trait Float: Copy + PartialOrd {
    fn nan(self) -> bool;
    fn negative(self) -> bool;
    /// Whether it is a signalling NaN.
    fn signals(self) -> bool;
    /// A NaN that does not signal.
    fn quiet(self) -> Self;
}

macro_rules! float {
    ($t:ty, $quiet:literal) => {
        impl Float for $t {
            fn nan(self) -> bool {
                self.is_nan()
            }

            fn negative(self) -> bool {
                self.is_sign_negative()
            }

            fn signals(self) -> bool {
                self.is_nan() && self.to_bits() & $quiet == 0
            }

            fn quiet(self) -> Self {
                <$t>::from_bits(self.to_bits() | $quiet)
            }
        }
    };
}

float!(f16, 0x200);
float!(f32, 0x40_0000);
float!(f64, 0x8_0000_0000_0000);

/// The smaller; of a number and a NaN the number; -0 is below +0.
pub fn min<T: Float>(a: T, b: T) -> T {
    if a.nan() || b < a || (b == a && b.negative()) { b } else { a }
}

/// The greater, as [`min`].
pub fn max<T: Float>(a: T, b: T) -> T {
    if a.nan() || b > a || (b == a && !b.negative()) { b } else { a }
}

/// [`min`], but in IEEE mode a signalling NaN is the result, quiet.
pub fn least<T: Float>(ieee: bool, a: T, b: T) -> T {
    if ieee && (a.signals() || b.signals()) { signalled(a, b) } else { min(a, b) }
}

/// [`max`], with NaN as [`least`].
pub fn greatest<T: Float>(ieee: bool, a: T, b: T) -> T {
    if ieee && (a.signals() || b.signals()) { signalled(a, b) } else { max(a, b) }
}

fn signalled<T: Float>(a: T, b: T) -> T {
    if a.signals() { a.quiet() } else { b.quiet() }
}

/// The middle one; with a NaN the least of the others.
pub fn med3<T: Float>(ieee: bool, a: T, b: T, c: T) -> T {
    if a.nan() || b.nan() || c.nan() {
        return least(ieee, least(ieee, a, b), c);
    }
    max(min(a, b), min(max(a, b), c))
}

/// `v * 2^e` with one rounding.
pub fn ldexp64(mut v: f64, e: i32) -> f64 {
    let power = |e: i32| f64::from_bits(((e + 1023) as u64) << 52);
    let mut e = e.clamp(-2200, 2200);
    while e > 1023 {
        v *= power(1023);
        e -= 1023;
    }
    // Steps of less than the whole range: what they round to a denormal ends as zero anyhow.
    while e < -1022 {
        v *= power(-969);
        e += 969;
    }
    v * power(e)
}

/// `v * 2^e` with one rounding.
pub fn ldexp32(v: f32, e: i32) -> f32 {
    // Every product of a single and one of these powers is exact in double precision.
    (f64::from(v) * 2_f64.powi(e.clamp(-400, 400))) as f32
}

/// Mantissa of magnitude 0.5 to 1, and exponent; zeros, infinities and NaN come back with 0.
pub fn frexp64(v: f64) -> (f64, i32) {
    if v == 0.0 || !v.is_finite() {
        return (v, 0);
    }
    let (v, adjust) = if v.abs() < f64::MIN_POSITIVE { (v * 2_f64.powi(64), -64) } else { (v, 0) };
    let exponent = (v.to_bits() >> 52 & 0x7ff) as i32 - 1022;
    (f64::from_bits(v.to_bits() & !(0x7ff << 52) | 1022 << 52), exponent + adjust)
}

/// As [`frexp64`]; a single is never denormal as a double.
pub fn frexp32(v: f32) -> (f32, i32) {
    let (mantissa, exponent) = frexp64(v.into());
    (mantissa as f32, exponent)
}

/// The fraction, below one even after rounding.
pub fn fract32(v: f32) -> f32 {
    let fraction = v - v.floor();
    if fraction >= 1.0 { 1.0 - f32::EPSILON / 2.0 } else { fraction }
}

/// As [`fract32`].
pub fn fract64(v: f64) -> f64 {
    let fraction = v - v.floor();
    if fraction >= 1.0 { 1.0 - f64::EPSILON / 2.0 } else { fraction }
}

/// The class of `v_cmp_class`: signalling and quiet NaN, then from -inf to +inf.
pub fn class64(bits: u64) -> u32 {
    class(bits >> 63 != 0, bits << 1 >> 53 == 0x7ff, bits << 1 >> 53 == 0, bits << 12, 63)
}

/// As [`class64`].
pub fn class32(bits: u32) -> u32 {
    let exponent = bits >> 23 & 0xff;
    class(bits >> 31 != 0, exponent == 0xff, exponent == 0, (bits << 9).into(), 31)
}

/// As [`class64`].
pub fn class16(bits: u16) -> u32 {
    let exponent = bits >> 10 & 0x1f;
    class(bits >> 15 != 0, exponent == 0x1f, exponent == 0, (bits << 6).into(), 15)
}

/// `mantissa` is shifted to the top of its word, whose highest bit has the number `top`.
fn class(negative: bool, highest: bool, lowest: bool, mantissa: u64, top: u32) -> u32 {
    let bit = match (highest, lowest, mantissa == 0) {
        (true, _, false) => return 1 << (mantissa >> top & 1),
        (true, _, true) => 0,
        (_, true, true) => 3,
        (_, true, false) => 2,
        _ => 1,
    };
    1 << if negative { 2 + bit } else { 9 - bit }
}
