//! Reading and writing one operand of a pass's lanes: registers, constants, DPP, SDWA.

use crate::operands::{Lanes, Src, Vector};
use crate::wave::{PASS, Pass, Wave};

/// Source `n` as 32 bits, with DPP and SDWA: the register itself, or what is made of it in `room`. `constant` resolves what
/// is the same in all lanes.
#[inline(always)]
pub fn read32<'a>(
    w: &'a Wave,
    i: &Vector,
    n: usize,
    pass: usize,
    constant: fn(&Wave, Src) -> u32,
    room: &'a mut Pass<u32>,
) -> &'a Pass<u32> {
    match i.src[n].as_vgpr() {
        Some(r) if i.lanes == Lanes::Own => w.v_of(r, pass),
        Some(r) => {
            *room = selected(w, i, n, pass, *w.v_of(r, pass));
            room
        }
        None => {
            *room = [constant(w, i.src[n]); PASS];
            if i.lanes != Lanes::Own {
                *room = selected(w, i, n, pass, *room);
            }
            room
        }
    }
}

#[cold]
fn selected(w: &Wave, i: &Vector, n: usize, pass: usize, values: Pass<u32>) -> Pass<u32> {
    match i.lanes {
        Lanes::Sdwa { src, sext, .. } if n < 2 => values.map(|v| part(v, src[n], sext[n])),
        Lanes::Dpp { .. } | Lanes::Dpp8 { .. } if n == 0 => {
            let exec = w.exec_of(pass);
            std::array::from_fn(|lane| source_lane(exec, i, lane).map_or(0, |from| values[from]))
        }
        _ => values,
    }
}

/// The lanes of a pass that the instruction writes.
#[inline(always)]
pub fn write_mask(w: &Wave, i: &Vector, pass: usize) -> u32 {
    let exec = w.exec_of(pass);
    if i.lanes == Lanes::Own { exec } else { dpp_mask(exec, i, pass) }
}

#[cold]
fn dpp_mask(exec: u32, i: &Vector, pass: usize) -> u32 {
    let Lanes::Dpp { rows, banks, bound, .. } = i.lanes else { return exec };
    let lane_value = |lane: usize| {
        let in_row = rows >> (2 * pass + lane / 16) & 1 != 0 && banks >> (lane / 4 % 4) & 1 != 0;
        in_row && (bound || source_lane(exec, i, lane).is_some())
    };
    (0..PASS).filter(|&lane| lane_value(lane)).fold(0, |mask, lane| mask | 1 << lane) & exec
}

/// Where DPP takes a lane's source 0 from, within the pass; nothing where there is no such lane or it is not active.
fn source_lane(exec: u32, i: &Vector, lane: usize) -> Option<usize> {
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
    (inactive || exec >> from & 1 != 0).then_some(from)
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
#[inline(always)]
pub fn write32(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<u32>) {
    if i.lanes != Lanes::Own {
        insert(w, i, pass, results);
    }
    let mask = write_mask(w, i, pass);
    w.set_v_of(i.dst.into(), pass, results, mask);
}

/// Makes whole registers of results that are only for a part.
#[cold]
fn insert(w: &Wave, i: &Vector, pass: usize, results: &mut Pass<u32>) {
    let Lanes::Sdwa { dst: dst @ 0..=5, unused, .. } = i.lanes else { return };
    for (new, old) in results.iter_mut().zip(w.v_of(i.dst.into(), pass)) {
        *new = merged(*old, *new, dst, unused);
    }
}

/// A register with a byte (`dst` 0 to 3) or a half (4, 5) replaced.
fn merged(old: u32, new: u32, dst: u8, unused: u8) -> u32 {
    let (shift, bits) = if dst < 4 { (8 * dst, 8) } else { (16 * (dst - 4), 16) };
    let field = (u32::MAX >> (32 - bits)) << shift;
    let put = new << shift & field;
    match unused {
        0 => put,
        // The sign goes upwards, zeros below.
        1 => ((put << (32 - bits - shift)) as i32 >> (32 - bits - shift)) as u32,
        _ => old & !field | put,
    }
}

/// Writes 16-bit results into one half of the register; the other half stays.
pub fn write16(w: &mut Wave, i: &Vector, pass: usize, results: &mut Pass<u32>) {
    if let Lanes::Sdwa { .. } = i.lanes {
        results.iter_mut().for_each(|v| *v &= 0xffff);
        return write32(w, i, pass, results);
    }
    let old = w.v_of(i.dst.into(), pass);
    let upper = i.op_sel & 8 != 0;
    for (new, old) in results.iter_mut().zip(old) {
        *new = if upper { *old & 0xffff | *new << 16 } else { *old & 0xffff_0000 | *new & 0xffff };
    }
    let mask = write_mask(w, i, pass);
    w.set_v_of(i.dst.into(), pass, results, mask);
}
