//! Scalar instructions.

pub mod sop1;
pub mod sop2;
pub mod sopc;
pub mod sopk;
pub mod sopp;

use crate::inst::Scalar;
use crate::wave::Wave;

/// The two sources as 32 bits.
fn two(w: &Wave, i: &Scalar) -> (u32, u32) {
    (w.src32(i.src[0]), w.src32(i.src[1]))
}

/// The two sources as 64 bits.
fn two64(w: &Wave, i: &Scalar) -> (u64, u64) {
    (w.src64(i.src[0]), w.src64(i.src[1]))
}

/// A 32-bit result; SCC says whether it is not zero.
fn logic32(w: &mut Wave, i: &Scalar, result: u32) {
    w.set_s32(i.dst, result);
    w.scc = result != 0;
}

/// A 64-bit result; SCC says whether it is not zero.
fn logic64(w: &mut Wave, i: &Scalar, result: u64) {
    w.set_s64(i.dst, result);
    w.scc = result != 0;
}

/// A 32-bit result and SCC.
fn carry(w: &mut Wave, i: &Scalar, (result, scc): (u32, bool)) {
    w.set_s32(i.dst, result);
    w.scc = scc;
}

/// Jumps `words` instruction words from the next instruction.
fn jump(w: &mut Wave, words: u16) {
    w.pc = w.pc.wrapping_add_signed(i64::from(words as i16) * 4);
}

/// A field given by its offset in bits 0 to 5 and its width in bits 16 to 22.
fn field(value: u64, spec: u32, bits: u32, signed: bool) -> u64 {
    let offset = spec & (bits - 1);
    let width = (spec >> 16 & 0x7f).min(bits - offset);
    if width == 0 {
        return 0;
    }
    let up = value << (64 - width - offset);
    if signed { (up as i64 >> (64 - width)) as u64 } else { up >> (64 - width) }
}
