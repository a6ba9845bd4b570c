//! Reading and writing one operand of all lanes: registers, constants, DPP, SDWA.

use crate::inst::{Lanes, Src, Vector};
use crate::wave::{Lanes32, Wave};

/// Source `n` as 32 bits, with DPP, SDWA and the modifiers of single floats. `constant` resolves what is
/// the same in all lanes.
pub fn read32(w: &Wave, i: &Vector, n: usize, constant: fn(&Wave, Src) -> u32) -> Lanes32 {
    let mut values = match i.src[n].as_vgpr() {
        Some(r) => w.v[r],
        None => [constant(w, i.src[n]); 64],
    };
    match i.lanes {
        Lanes::Own => {}
        Lanes::Sdwa { src, sext, .. } if n < 2 => values.iter_mut().for_each(|v| *v = part(*v, src[n], sext[n])),
        Lanes::Dpp { .. } | Lanes::Dpp8 { .. } if n == 0 => {
            let old = values;
            for (lane, value) in values.iter_mut().enumerate().take(w.lanes) {
                *value = source_lane(w, i, lane).map_or(0, |from| old[from]);
            }
        }
        _ => {}
    }
    values
}

/// The lanes that the instruction writes.
pub fn written(w: &Wave, i: &Vector) -> u64 {
    let exec = w.exec();
    let Lanes::Dpp { rows, banks, bound, .. } = i.lanes else { return exec };
    let given = |lane: usize| {
        let in_row = rows >> (lane / 16) & 1 != 0 && banks >> (lane / 4 % 4) & 1 != 0;
        in_row && (bound || source_lane(w, i, lane).is_some())
    };
    (0..w.lanes).filter(|&lane| given(lane)).fold(0, |mask, lane| mask | 1 << lane) & exec
}

/// Where DPP takes a lane's source 0 from; nothing where there is no such lane or it is not active.
fn source_lane(w: &Wave, i: &Vector, lane: usize) -> Option<usize> {
    let (from, inactive) = match i.lanes {
        Lanes::Dpp { control, inactive, .. } => {
            let row = lane & !15;
            let at = lane & 15;
            let n = usize::from(control & 15);
            let from = match control {
                0..=0xff => Some(lane & !3 | usize::from(control >> (2 * (lane & 3)) & 3)),
                0x101..=0x10f => (at + n < 16).then_some(lane + n),
                0x111..=0x11f => (at >= n).then(|| lane - n),
                0x121..=0x12f => Some(row | ((at + 16 - n) % 16)),
                0x140 => Some(row | (15 - at)),
                0x141 => Some(lane & !7 | (7 - (lane & 7))),
                0x150..=0x15f => Some(row | n),
                // 0x160 to 0x16f; `decode` lets nothing else through.
                _ => Some(row | at ^ n),
            };
            (from?, inactive)
        }
        Lanes::Dpp8 { lanes, inactive } => (lane & !7 | (lanes >> (3 * (lane & 7)) & 7) as usize, inactive),
        _ => return Some(lane),
    };
    (inactive || w.exec() >> from & 1 != 0).then_some(from)
}

/// The part of a register that SDWA takes.
fn part(value: u32, select: u8, sext: bool) -> u32 {
    match (select, sext) {
        (0..=3, false) => value >> (8 * select) & 0xff,
        (0..=3, true) => (value >> (8 * select)) as i8 as u32,
        (4 | 5, false) => value >> (16 * (select - 4)) & 0xffff,
        (4 | 5, true) => (value >> (16 * (select - 4))) as i16 as u32,
        _ => value,
    }
}

/// Writes 32-bit results, into the part that SDWA asks for.
pub fn write32(w: &mut Wave, i: &Vector, results: &Lanes32) {
    let mask = written(w, i);
    let Lanes::Sdwa { dst, unused, .. } = i.lanes else { return w.set_v(i.dst.into(), results, mask) };
    let (shift, bits) = match dst {
        0..=3 => (8 * dst, 8),
        4 | 5 => (16 * (dst - 4), 16),
        _ => return w.set_v(i.dst.into(), results, mask),
    };
    let field = (u32::MAX >> (32 - bits)) << shift;
    let mut all = w.v[usize::from(i.dst)];
    for (old, new) in all.iter_mut().zip(results) {
        let put = new << shift & field;
        *old = match unused {
            0 => put,
            // The sign goes upwards, zeros below.
            1 => ((put << (32 - bits - shift)) as i32 >> (32 - bits - shift)) as u32,
            _ => *old & !field | put,
        };
    }
    w.set_v(i.dst.into(), &all, mask);
}

/// Writes 16-bit results into one half of the register; the other half stays.
pub fn write16(w: &mut Wave, i: &Vector, results: &[u16; 64]) {
    if let Lanes::Sdwa { .. } = i.lanes {
        return write32(w, i, &results.map(u32::from));
    }
    let old = w.v[usize::from(i.dst)];
    let upper = i.op_sel & 8 != 0;
    let mut all = [0; 64];
    for lane in 0..64 {
        let new = u32::from(results[lane]);
        all[lane] = if upper { old[lane] & 0xffff | new << 16 } else { old[lane] & 0xffff_0000 | new };
    }
    let mask = written(w, i);
    w.set_v(i.dst.into(), &all, mask);
}
