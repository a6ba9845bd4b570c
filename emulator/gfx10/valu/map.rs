//! From what an opcode does to one lane to what it does to a wave.

use half::f16;

use super::lanes::{read32, write_mask, write16, write32};
use crate::float::{Float, greatest, least};
use crate::operands::{Src, Vector};
use crate::wave::{PASS, Pass, Wave, reg};

/// What a lane's operand can be.
pub trait Value: Copy {
    /// What registers hold of it: 32 or 64 bits.
    type Bits: Copy + Default;
    fn of(bits: Self::Bits) -> Self;
    fn bits(self) -> Self::Bits;
    /// Source `n` of the lanes of a pass: the register itself, or what is made of it in `room`.
    fn source<'a>(
        w: &'a Wave,
        i: &Vector,
        n: usize,
        pass: usize,
        room: &'a mut Pass<Self::Bits>,
    ) -> &'a Pass<Self::Bits>;
    /// Writes results, which it may change.
    fn store(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<Self::Bits>);

    /// Source `n` of the lanes of a pass.
    fn read(w: &Wave, i: &Vector, n: usize, pass: usize) -> Pass<Self> {
        let mut room = Default::default();
        let bits = Self::source(w, i, n, pass, &mut room);
        std::array::from_fn(|lane| Self::of(bits[lane]))
    }

    /// Writes the lanes of a pass.
    fn write(w: &mut Wave, i: &Vector, pass: usize, results: &Pass<Self>) {
        Self::store(w, i, pass, &mut std::array::from_fn(|lane| results[lane].bits()));
    }
}

macro_rules! integer {
    ($t:ty, $bits:ty, $source:path, $store:path) => {
        impl Value for $t {
            type Bits = $bits;

            #[inline(always)]
            fn of(bits: $bits) -> Self {
                bits as $t
            }

            #[inline(always)]
            fn bits(self) -> $bits {
                self as $bits
            }

            #[inline(always)]
            fn source<'a>(
                w: &'a Wave,
                i: &Vector,
                n: usize,
                pass: usize,
                room: &'a mut Pass<$bits>,
            ) -> &'a Pass<$bits> {
                $source(w, i, n, pass, room)
            }

            #[inline(always)]
            fn store(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<$bits>) {
                $store(w, i, pass, results);
            }
        }
    };
}

integer!(u32, u32, source32, write32);
integer!(i32, u32, source32, write32);
integer!(u16, u32, source16, write16);
integer!(i16, u32, source16, write16);
integer!(u64, u64, source64, write64);
integer!(i64, u64, source_i64, write64);

fn source32<'a>(w: &'a Wave, i: &Vector, n: usize, pass: usize, room: &'a mut Pass<u32>) -> &'a Pass<u32> {
    read32(w, i, n, pass, Wave::src32, room)
}

/// 16 bits, from the half that op_sel names.
fn source16<'a>(w: &'a Wave, i: &Vector, n: usize, pass: usize, room: &'a mut Pass<u32>) -> &'a Pass<u32> {
    if i.op_sel >> n & 1 == 0 {
        return read32(w, i, n, pass, Wave::src16, room);
    }
    let mut whole = [0; PASS];
    let whole = read32(w, i, n, pass, Wave::src16, &mut whole);
    *room = whole.map(|v| v >> 16);
    room
}

/// 64 bits: two registers, or a constant that `constant` makes.
fn read64<'a>(
    w: &Wave,
    i: &Vector,
    n: usize,
    pass: usize,
    constant: impl Fn(&Wave, Src) -> u64,
    room: &'a mut Pass<u64>,
) -> &'a Pass<u64> {
    match i.src[n].as_vgpr() {
        Some(r) => {
            let (low, high) = (w.v_of(r, pass), w.v_of(r + 1, pass));
            for (lane, to) in room.iter_mut().enumerate() {
                *to = u64::from(low[lane]) | u64::from(high[lane]) << 32;
            }
        }
        None => room.fill(constant(w, i.src[n])),
    }
    room
}

fn source64<'a>(w: &'a Wave, i: &Vector, n: usize, pass: usize, room: &'a mut Pass<u64>) -> &'a Pass<u64> {
    read64(w, i, n, pass, Wave::src64, room)
}

/// Literals are extended with their sign.
fn source_i64<'a>(w: &'a Wave, i: &Vector, n: usize, pass: usize, room: &'a mut Pass<u64>) -> &'a Pass<u64> {
    let constant = |w: &Wave, src: Src| match src.code {
        Src::LITERAL => src.literal as i32 as u64,
        _ => w.src64(src),
    };
    read64(w, i, n, pass, constant, room)
}

fn write64(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<u64>) {
    let mask = w.exec_of(pass);
    w.set_v_of(i.dst.into(), pass, &results.map(|v| v as u32), mask);
    w.set_v_of(usize::from(i.dst) + 1, pass, &results.map(|v| (v >> 32) as u32), mask);
}

/// Bits of MODE: what is let through of denormals, for singles and for doubles and halves; clamping NaN to 0; what
/// signalling NaN do.
mod mode {
    pub const SINGLE_IN: u32 = 1 << 4;
    pub const SINGLE_OUT: u32 = 1 << 5;
    pub const OTHER_IN: u32 = 1 << 6;
    pub const OTHER_OUT: u32 = 1 << 7;
    pub const DX10_CLAMP: u32 = 1 << 8;
    pub const IEEE: u32 = 1 << 9;
}

/// Whether signalling NaN are to become quiet ones.
pub fn ieee(w: &Wave) -> bool {
    w.mode & mode::IEEE != 0
}

/// 2 to the power that omod means.
fn times(omod: u8) -> f32 {
    [1.0, 2.0, 4.0, 0.5][usize::from(omod & 3)]
}

/// Between 0 and 1; NaN becomes 0 or stays.
fn clamped(v: f64, w: &Wave) -> f64 {
    if v.is_nan() && w.mode & mode::DX10_CLAMP == 0 {
        v
    } else if v > 0.0 {
        v.min(1.0)
    } else {
        0.0
    }
}

/// A format of floating-point numbers as registers hold it, with its modifiers. `$exponent` are the bits that are zero in
/// denormals.
macro_rules! float {
    ($t:ty, $bits:ty, $raw:ty, $exponent:literal, $in:expr, $out:expr, $read:expr, $store:path, $double:expr, $single:expr) => {
        impl Value for $t {
            type Bits = $bits;

            #[inline(always)]
            fn of(bits: $bits) -> Self {
                <$t>::from_bits(bits as $raw)
            }

            #[inline(always)]
            fn bits(self) -> $bits {
                self.to_bits() as $bits
            }

            #[inline(always)]
            fn source<'a>(
                w: &'a Wave,
                i: &Vector,
                n: usize,
                pass: usize,
                room: &'a mut Pass<$bits>,
            ) -> &'a Pass<$bits> {
                const SIGN: $bits = 1 << (<$raw>::BITS - 1);
                let (abs, neg, flush) = (i.abs >> n & 1 != 0, i.neg >> n & 1 != 0, w.mode & $in == 0);
                if !(abs || neg || flush) {
                    return $read(w, i, n, pass, room);
                }
                #[inline(never)]
                fn modified(from: &Pass<$bits>, abs: bool, neg: bool, flush: bool) -> Pass<$bits> {
                    let keep = if abs { !SIGN } else { !0 };
                    let flip = if neg { SIGN } else { 0 };
                    from.map(|from| {
                        let v = from & keep ^ flip;
                        if flush && v & $exponent == 0 { v & SIGN } else { v }
                    })
                }
                let mut plain = [0; PASS];
                *room = modified($read(w, i, n, pass, &mut plain), abs, neg, flush);
                room
            }

            #[inline(always)]
            fn store(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<$bits>) {
                if i.omod != 0 || i.clamp || w.mode & $out == 0 {
                    #[inline(never)]
                    fn finish(w: &Wave, i: &Vector, results: &mut Pass<$bits>) {
                        const SIGN: $bits = 1 << (<$raw>::BITS - 1);
                        // Output modifiers are not for IEEE mode nor for denormals, and -0 becomes +0.
                        let scales = i.omod != 0 && w.mode & (mode::IEEE | $out) == 0;
                        if scales || i.clamp {
                            for v in results.iter_mut() {
                                let exact = $double(<$t>::of(*v));
                                let scaled = if scales { exact * f64::from(times(i.omod)) + 0.0 } else { exact };
                                *v = $single(if i.clamp { clamped(scaled, w) } else { scaled }).bits();
                            }
                        }
                        if w.mode & $out == 0 {
                            results.iter_mut().for_each(|v| *v = if *v & $exponent == 0 { *v & SIGN } else { *v });
                        }
                    }
                    finish(w, i, results);
                }
                $store(w, i, pass, results);
            }
        }
    };
}

float!(f16, u32, u16, 0x7c00, mode::OTHER_IN, mode::OTHER_OUT, source16, write16, f16::to_f64, f16::from_f64);
float!(f32, u32, u32, 0x7f80_0000, mode::SINGLE_IN, mode::SINGLE_OUT, source32, write32, f64::from, |v| v as f32);
float!(
    f64,
    u64,
    u64,
    0x7ff0_0000_0000_0000,
    mode::OTHER_IN,
    mode::OTHER_OUT,
    source_f64,
    write64,
    |v: f64| v,
    |v: f64| v
);

/// A literal is the upper half.
fn source_f64<'a>(w: &'a Wave, i: &Vector, n: usize, pass: usize, room: &'a mut Pass<u64>) -> &'a Pass<u64> {
    let constant = |w: &Wave, src: Src| match src.code {
        Src::LITERAL => u64::from(src.literal) << 32,
        _ => w.src64(src),
    };
    read64(w, i, n, pass, constant, room)
}

/// Bits that have the modifiers of singles, but whose denormals stay.
#[derive(Clone, Copy)]
pub struct Modified(pub u32);

impl Value for Modified {
    type Bits = u32;

    fn of(bits: u32) -> Self {
        Self(bits)
    }

    fn bits(self) -> u32 {
        self.0
    }

    fn source<'a>(w: &'a Wave, i: &Vector, n: usize, pass: usize, room: &'a mut Pass<u32>) -> &'a Pass<u32> {
        if (i.abs | i.neg) >> n & 1 == 0 {
            return source32(w, i, n, pass, room);
        }
        let mut plain = [0; PASS];
        let keep = if i.abs >> n & 1 != 0 { 0x7fff_ffff } else { !0 };
        let flip = u32::from(i.neg >> n & 1) << 31;
        *room = source32(w, i, n, pass, &mut plain).map(|v| v & keep ^ flip);
        room
    }

    fn store(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<u32>) {
        write32(w, i, pass, results);
    }
}

/// What `f` gives for each lane, with all that the processor can do at once.
#[inline(always)]
pub fn lanewise<R>(f: impl Fn(usize) -> R) -> Pass<R> {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn with<R>(f: impl Fn(usize) -> R) -> Pass<R> {
            std::array::from_fn(f)
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has both.
            #[allow(unsafe_code, reason = "the only way to code for a processor that is not every amd64 one")]
            return unsafe { with(f) };
        }
    }
    std::array::from_fn(f)
}

/// Writes what `f` gives for the lanes of each pass, with a bit for each lane; all the bits of active lanes.
#[inline(always)]
pub fn each<R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(&Wave, usize) -> (Pass<R>, u32)) -> u64 {
    let mut bits = 0;
    for pass in 0..w.passes() {
        let (results, mask) = f(w, pass);
        R::write(w, i, pass, &results);
        bits |= u64::from(mask & w.exec_of(pass)) << (PASS * pass);
    }
    bits
}

/// Results are computed for every lane and write_mask for the active ones: `f` must not panic.
#[inline]
pub fn map1<A: Value, R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(A) -> R) {
    for pass in 0..w.passes() {
        let mut room = Default::default();
        let a = A::source(w, i, 0, pass, &mut room);
        let mut results = lanewise(|lane| f(A::of(a[lane])).bits());
        R::store(w, i, pass, &mut results);
    }
}

#[inline]
pub fn map2<A: Value, B: Value, R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(A, B) -> R) {
    for pass in 0..w.passes() {
        let (mut for_a, mut for_b) = Default::default();
        let (a, b) = (A::source(w, i, 0, pass, &mut for_a), B::source(w, i, 1, pass, &mut for_b));
        let mut results = lanewise(|lane| f(A::of(a[lane]), B::of(b[lane])).bits());
        R::store(w, i, pass, &mut results);
    }
}

#[inline]
pub fn map3<A: Value, B: Value, C: Value, R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(A, B, C) -> R) {
    for pass in 0..w.passes() {
        let (mut for_a, mut for_b, mut for_c) = Default::default();
        let (a, b) = (A::source(w, i, 0, pass, &mut for_a), B::source(w, i, 1, pass, &mut for_b));
        let c = C::source(w, i, 2, pass, &mut for_c);
        let mut results = lanewise(|lane| f(A::of(a[lane]), B::of(b[lane]), C::of(c[lane])).bits());
        R::store(w, i, pass, &mut results);
    }
}

#[inline]
pub fn min2<T: Value + Float>(w: &mut Wave, i: &Vector) {
    let ieee = ieee(w);
    map2(w, i, |a: T, b: T| least(ieee, a, b));
}

#[inline]
pub fn max2<T: Value + Float>(w: &mut Wave, i: &Vector) {
    let ieee = ieee(w);
    map2(w, i, |a: T, b: T| greatest(ieee, a, b));
}

/// The lanes of a pass for which `f` holds, as a mask.
#[inline(always)]
pub fn gather(f: impl Fn(usize) -> bool) -> u32 {
    lanewise(|lane| if f(lane) { 1 << lane } else { 0 }).into_iter().fold(0, |all, bit| all | bit)
}

/// Adds or subtracts with a carry out to `sdst`, and in from the mask in source 2 where `carry_in`.
#[inline]
pub fn carry(w: &mut Wave, i: &Vector, carry_in: bool, f: impl Fn(u64, u64, u64) -> u64) {
    let carries = if carry_in { lane_mask(w, i.src[2]) } else { 0 };
    // Saturates: an addition upwards, a subtraction at zero.
    let limit = if f(0, 1, 0) == 1 && f(1, 0, 0) == 1 { u32::MAX } else { 0 };
    let out = each(w, i, |w, pass| {
        let (a, b) = (u32::read(w, i, 0, pass), u32::read(w, i, 1, pass));
        let sums: Pass<u64> = std::array::from_fn(|n| f(a[n].into(), b[n].into(), carries >> (PASS * pass + n) & 1));
        let over = |n: usize| sums[n] >> 32 != 0;
        (std::array::from_fn(|n| if i.clamp && over(n) { limit } else { sums[n] as u32 }), gather(over))
    });
    w.set_mask(i.sdst, out);
}

/// A source that holds a bit for each lane.
pub fn lane_mask(w: &Wave, src: Src) -> u64 {
    if w.lanes == 64 { w.src64(src) } else { w.src32(src).into() }
}

/// Compares the lanes: into `sdst`, or into EXEC.
#[inline]
pub fn compare<A: Value, B: Value>(w: &mut Wave, i: &Vector, to_exec: bool, f: impl Fn(A, B) -> bool) {
    let mut mask = 0;
    for pass in 0..w.passes() {
        let (mut for_a, mut for_b) = Default::default();
        let (a, b) = (A::source(w, i, 0, pass, &mut for_a), B::source(w, i, 1, pass, &mut for_b));
        let holds = gather(|lane| f(A::of(a[lane]), B::of(b[lane])));
        mask |= u64::from(holds & write_mask(w, i, pass)) << (PASS * pass);
    }
    w.set_mask(if to_exec { reg::EXEC } else { i.sdst }, mask);
}
