//! From what an opcode does to one lane to what it does to a wave.

use half::f16;

use super::lanes::{read32, write16, write32};
use crate::inst::{Src, Vector};
use crate::wave::{Wave, reg};

/// What a lane's operand can be.
pub trait Value: Copy {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64];
    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]);
}

impl Value for u32 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        read32(w, i, n, Wave::src32)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        write32(w, i, results);
    }
}

impl Value for i32 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        u32::read(w, i, n).map(|v| v as i32)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        write32(w, i, &results.map(|v| v as u32));
    }
}

impl Value for f32 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        let mut bits = u32::read(w, i, n);
        if i.abs >> n & 1 != 0 {
            bits.iter_mut().for_each(|v| *v &= 0x7fff_ffff);
        }
        if i.neg >> n & 1 != 0 {
            bits.iter_mut().for_each(|v| *v ^= 0x8000_0000);
        }
        // MODE bit 4: denormal inputs are let through.
        if w.mode & 0x10 == 0 {
            bits.iter_mut().for_each(|v| *v = flush32(*v));
        }
        bits.map(f32::from_bits)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        let mut results = *results;
        if i.omod != 0 {
            results.iter_mut().for_each(|v| *v *= [1.0, 2.0, 4.0, 0.5][usize::from(i.omod)]);
        }
        if i.clamp {
            results.iter_mut().for_each(|v| *v = if *v > 0.0 { v.min(1.0) } else { 0.0 });
        }
        let mut bits = results.map(f32::to_bits);
        if w.mode & 0x20 == 0 {
            bits.iter_mut().for_each(|v| *v = flush32(*v));
        }
        write32(w, i, &bits);
    }
}

/// A denormal becomes a zero of its sign.
fn flush32(bits: u32) -> u32 {
    if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits }
}

impl Value for u16 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        let upper = i.op_sel >> n & 1 != 0;
        read32(w, i, n, |w, src| w.src16(src).into()).map(|v| if upper { (v >> 16) as u16 } else { v as u16 })
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        write16(w, i, results);
    }
}

impl Value for i16 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        u16::read(w, i, n).map(|v| v as i16)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        write16(w, i, &results.map(|v| v as u16));
    }
}

impl Value for f16 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        let mut bits = u16::read(w, i, n);
        if i.abs >> n & 1 != 0 {
            bits.iter_mut().for_each(|v| *v &= 0x7fff);
        }
        if i.neg >> n & 1 != 0 {
            bits.iter_mut().for_each(|v| *v ^= 0x8000);
        }
        bits.map(f16::from_bits)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        let finish = |v: f16| {
            let scaled = f16::from_f32(v.to_f32() * [1.0, 2.0, 4.0, 0.5][usize::from(i.omod)]);
            let zero_to_one = if scaled > f16::ZERO { scaled.min(f16::ONE) } else { f16::ZERO };
            if i.clamp { zero_to_one } else { scaled }
        };
        let results = if i.omod == 0 && !i.clamp { *results } else { results.map(finish) };
        write16(w, i, &results.map(f16::to_bits));
    }
}

/// 64 bits: two registers, or a constant that `constant` makes.
fn read64(w: &Wave, i: &Vector, n: usize, constant: impl Fn(&Wave, Src) -> u64) -> [u64; 64] {
    match i.src[n].as_vgpr() {
        Some(r) => std::array::from_fn(|lane| u64::from(w.v[r][lane]) | u64::from(w.v[r + 1][lane]) << 32),
        None => [constant(w, i.src[n]); 64],
    }
}

fn write64(w: &mut Wave, i: &Vector, results: &[u64; 64]) {
    let mask = w.exec();
    w.set_v(i.dst.into(), &results.map(|v| v as u32), mask);
    w.set_v(usize::from(i.dst) + 1, &results.map(|v| (v >> 32) as u32), mask);
}

impl Value for u64 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        read64(w, i, n, Wave::src64)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        write64(w, i, results);
    }
}

impl Value for i64 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        let constant = |w: &Wave, src: Src| match src.code {
            Src::LITERAL => src.literal as i32 as u64,
            _ => w.src64(src),
        };
        read64(w, i, n, constant).map(|v| v as i64)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        write64(w, i, &results.map(|v| v as u64));
    }
}

impl Value for f64 {
    fn read(w: &Wave, i: &Vector, n: usize) -> [Self; 64] {
        // A literal is the upper half.
        let constant = |w: &Wave, src: Src| match src.code {
            Src::LITERAL => u64::from(src.literal) << 32,
            _ => w.src64(src),
        };
        let mut bits = read64(w, i, n, constant);
        if i.abs >> n & 1 != 0 {
            bits.iter_mut().for_each(|v| *v &= u64::MAX >> 1);
        }
        if i.neg >> n & 1 != 0 {
            bits.iter_mut().for_each(|v| *v ^= 1 << 63);
        }
        bits.map(f64::from_bits)
    }

    fn write(w: &mut Wave, i: &Vector, results: &[Self; 64]) {
        let mut results = *results;
        if i.omod != 0 {
            results.iter_mut().for_each(|v| *v *= [1.0, 2.0, 4.0, 0.5][usize::from(i.omod)]);
        }
        if i.clamp {
            results.iter_mut().for_each(|v| *v = if *v > 0.0 { v.min(1.0) } else { 0.0 });
        }
        write64(w, i, &results.map(f64::to_bits));
    }
}

/// Results are computed for every lane and written for the active ones: `f` must not panic.
pub fn map1<A: Value, R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(A) -> R) {
    let a = A::read(w, i, 0);
    R::write(w, i, &a.map(f));
}

pub fn map2<A: Value, B: Value, R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(A, B) -> R) {
    let (a, b) = (A::read(w, i, 0), B::read(w, i, 1));
    R::write(w, i, &std::array::from_fn(|lane| f(a[lane], b[lane])));
}

pub fn map3<A: Value, B: Value, C: Value, R: Value>(w: &mut Wave, i: &Vector, f: impl Fn(A, B, C) -> R) {
    let (a, b, c) = (A::read(w, i, 0), B::read(w, i, 1), C::read(w, i, 2));
    R::write(w, i, &std::array::from_fn(|lane| f(a[lane], b[lane], c[lane])));
}

/// As [`map2`], with the old value of the destination.
pub fn accumulate<T: Value>(w: &mut Wave, i: &Vector, f: impl Fn(T, T, T) -> T) {
    let old = Vector { src: [Src::vgpr(i.dst); 3], op_sel: i.op_sel >> 3, ..Vector::default() };
    let (a, b, c) = (T::read(w, i, 0), T::read(w, i, 1), T::read(w, &old, 0));
    T::write(w, i, &std::array::from_fn(|lane| f(a[lane], b[lane], c[lane])));
}

/// Adds or subtracts with a carry out to `sdst`, and in from the mask in source 2 where `takes`.
pub fn carry(w: &mut Wave, i: &Vector, takes: bool, f: impl Fn(u64, u64, u64) -> u64) {
    let (a, b) = (u32::read(w, i, 0), u32::read(w, i, 1));
    let carries = if takes { lane_mask(w, i.src[2]) } else { 0 };
    let mut out = 0;
    let mut results = [0; 64];
    for lane in 0..w.lanes {
        let sum = f(a[lane].into(), b[lane].into(), carries >> lane & 1);
        out |= u64::from(sum >> 32 != 0) << lane;
        results[lane] = sum as u32;
    }
    if i.clamp {
        // Saturates: an addition upwards, a subtraction at zero.
        let adds = f(1, 0, 0) == 1 && f(0, 1, 0) == 1;
        for lane in bits_of(out) {
            results[lane] = if adds { u32::MAX } else { 0 };
        }
    }
    write32(w, i, &results);
    w.set_mask(i.sdst, out & w.exec());
}

fn bits_of(mask: u64) -> impl Iterator<Item = usize> {
    crate::wave::bits(mask)
}

/// A source that holds a bit for each lane.
pub fn lane_mask(w: &Wave, src: Src) -> u64 {
    if w.lanes == 64 { w.src64(src) } else { w.src32(src).into() }
}

/// Compares the lanes: into `sdst`, or into EXEC.
pub fn compare<A: Value, B: Value>(w: &mut Wave, i: &Vector, to_exec: bool, f: impl Fn(A, B) -> bool) {
    let (a, b) = (A::read(w, i, 0), B::read(w, i, 1));
    let mut mask = 0;
    for lane in 0..w.lanes {
        mask |= u64::from(f(a[lane], b[lane])) << lane;
    }
    mask &= w.exec();
    w.set_mask(if to_exec { reg::EXEC } else { i.sdst }, mask);
}
