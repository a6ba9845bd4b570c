//! Scalar instructions.

pub mod sop1;
pub mod sop2;
pub mod sopc;
pub mod sopk;
pub mod sopp;

use crate::operands::Scalar;
use crate::wave::{Sgpr, Wave};

/// What an opcode does.
pub type ScalarFn = fn(&mut Wave, &Scalar);

/// The two sources.
fn sources<T: Sgpr>(w: &Wave, i: &Scalar) -> (T, T) {
    (T::source(w, i.src[0]), T::source(w, i.src[1]))
}

/// A result; SCC says whether it is not zero.
fn logic<T: Sgpr>(w: &mut Wave, i: &Scalar, result: T) {
    result.write(w, i.dst);
    w.scc = result != T::default();
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
