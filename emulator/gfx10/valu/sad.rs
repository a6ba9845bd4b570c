//! Sums of absolute differences of bytes.

use super::map::{Value, each, map3};
use crate::operands::{Src, Vector};
use crate::wave::{Pass, Wave};

fn byte(a: u32, n: u32) -> u32 {
    a >> (8 * n) & 0xff
}

/// Of four bytes.
pub fn plain(a: u32, b: u32) -> u32 {
    (0..4).map(|n| byte(a, n).abs_diff(byte(b, n))).sum()
}

/// Of those of four bytes where `b` is not zero.
pub fn masked(a: u32, b: u32) -> u32 {
    (0..4).filter(|&n| byte(b, n) != 0).map(|n| byte(a, n).abs_diff(byte(b, n))).sum()
}

/// The four bytes of `a` from byte `n` on.
fn window(a: u64, n: usize) -> u32 {
    (a >> (8 * n)) as u32
}

/// Four sums, of each four bytes in a row of source 0, each added to 16 bits of source 2.
pub fn quad16(w: &mut Wave, i: &Vector, sad: fn(u32, u32) -> u32) {
    map3(w, i, |a: u64, b: u32, c: u64| {
        let sum = |n: usize| (c >> (16 * n)).wrapping_add(sad(window(a, n), b).into()) & 0xffff;
        (0..4).fold(0, |all, n| all | sum(n) << (16 * n))
    });
}

/// The same, added to four registers, into four registers.
pub fn quad32(w: &mut Wave, i: &Vector, sad: fn(u32, u32) -> u32) {
    let third = |n: usize| i.src[2].as_vgpr().map_or(i.src[2], |r| Src { code: 256 + (r + n) as u16, literal: 0 });
    let parts: Vec<(Vector, Vec<Pass<u32>>)> = (0..4)
        .map(|n| {
            let part = Vector { dst: i.dst.wrapping_add(n as u8), src: [i.src[0], i.src[1], third(n)], ..*i };
            let sums = (0..w.passes()).map(|pass| {
                let (a, b, c) =
                    (u64::read(w, &part, 0, pass), u32::read(w, &part, 1, pass), u32::read(w, &part, 2, pass));
                std::array::from_fn(|lane| sad(window(a[lane], n), b[lane]).wrapping_add(c[lane]))
            });
            (part, sums.collect())
        })
        .collect();
    for (part, sums) in parts {
        each(w, &part, |_, pass| (sums[pass], 0));
    }
}
