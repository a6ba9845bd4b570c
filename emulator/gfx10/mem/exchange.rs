//! DS instructions that exchange registers between lanes.

use crate::operands::Ds;
use crate::wave::{Wave, bits};

/// How lanes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    Swizzle,
    Permute,
    BPermute,
}

/// Lanes exchange registers within groups of 32; LDS itself is not touched.
pub fn exchange(w: &mut Wave, i: &Ds, op: Exchange) {
    let exec = w.exec();
    let address = w.v[usize::from(i.addr)];
    let data = w.v[usize::from(i.data[0])];
    let mut results = [0; 64];
    for lane in bits(exec) {
        let byte = |v: u32| (v.wrapping_add(i.offset.into()) >> 2) as usize & 31 | lane & !31;
        match op {
            Exchange::Permute => results[byte(address[lane])] = data[lane],
            Exchange::BPermute => {
                let from = byte(address[lane]);
                results[lane] = if exec >> from & 1 != 0 { data[from] } else { 0 };
            }
            Exchange::Swizzle => {
                let from = swizzled(i.offset, lane);
                results[lane] = if exec >> from & 1 != 0 { address[from] } else { 0 };
            }
        }
    }
    w.set_v(i.dst.into(), &results, exec);
}

/// The lane that `ds_swizzle_b32` reads ("RDNA 2 ISA", DS_SWIZZLE_B32).
fn swizzled(offset: u16, lane: usize) -> usize {
    let n = |shift: u32| usize::from(offset >> shift & 31);
    let keep = |from: usize| lane & !31 | (lane & n(0) | from & !n(0)) & 31;
    if offset >= 0xe000 {
        // The order of a fast Fourier transformation.
        let reversed = (lane as u32 & 31).reverse_bits() >> 27 >> (n(0).count_ones());
        return lane & !31 | (reversed as usize | lane & n(0)) & 31;
    }
    if offset >= 0xc000 {
        let by = if offset >> 10 & 1 != 0 { 32 - n(5) } else { n(5) };
        return keep(lane + by);
    }
    if offset & 0x8000 != 0 {
        return lane & !3 | usize::from(offset >> (2 * (lane & 3)) & 3);
    }
    lane & !31 | (lane & n(0) | n(5)) & 31 ^ n(10)
}
