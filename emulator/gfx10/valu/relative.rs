//! Registers whose numbers M0 changes ("RDNA 2 ISA", V_MOVREL*).

use super::map::{Value, each};
use crate::operands::{Src, Vector};
use crate::wave::{Wave, reg};

/// What M0 adds to the number of the destination and to that of the source.
pub struct Steps {
    pub to: fn(u32) -> u32,
    pub from: fn(u32) -> u32,
}

pub const NONE: fn(u32) -> u32 = |_| 0;
pub const ALL: fn(u32) -> u32 = |m0| m0;
pub const LOW: fn(u32) -> u32 = |m0| m0 & 0x3ff;
pub const HIGH: fn(u32) -> u32 = |m0| m0 >> 16 & 0x3ff;

/// The operands with what M0 adds; none where there is no such register.
fn indexed(w: &Wave, i: &Vector, steps: &Steps) -> Option<Vector> {
    let m0 = w.s32(reg::M0);
    let step = |r: usize, by: u32| u8::try_from(r as u64 + u64::from(by)).ok().filter(|&r| usize::from(r) < w.v.len());
    let dst = step(i.dst.into(), (steps.to)(m0))?;
    let from = match i.src[0].as_vgpr() {
        Some(r) => Src::vgpr(step(r, (steps.from)(m0))?),
        None => i.src[0],
    };
    Some(Vector { dst, src: [from, i.src[1], i.src[2]], ..*i })
}

const BEYOND: &str = "M0 leads to a vector register that the wave does not have";

pub fn copy(w: &mut Wave, i: &Vector, steps: &Steps) {
    match indexed(w, i, steps) {
        Some(i) => {
            each(w, &i, |w, pass| (u32::read(w, &i, 0, pass), 0));
        }
        None => w.trap(BEYOND),
    }
}

pub fn swap(w: &mut Wave, i: &Vector, steps: &Steps) {
    let Some(i) = indexed(w, i, steps) else { return w.trap(BEYOND) };
    let Some(from) = i.src[0].as_vgpr() else { return w.trap("a swap with what is no vector register") };
    for pass in 0..w.passes() {
        let (a, b) = (*w.v_of(from, pass), *w.v_of(i.dst.into(), pass));
        let mask = w.exec_of(pass);
        w.set_v_of(i.dst.into(), pass, &a, mask);
        w.set_v_of(from, pass, &b, mask);
    }
}
