//! SOPK: a register and 16 bits.

use super::{ScalarFn, jump};
use crate::operands::Scalar;
use crate::row::{Row, both};
use crate::wave::{PRIVATE_APERTURE, SHARED_APERTURE, Wave, reg};

pub static TABLE: &[Row<ScalarFn>] = &[
    both(0x00, "s_movk_i32", |w, i| w.set_s32(i.dst, i.imm as i16 as u32)),
    both(0x01, "s_version", |_, _| {}),
    both(0x02, "s_cmovk_i32", |w, i| {
        if w.scc {
            w.set_s32(i.dst, i.imm as i16 as u32);
        }
    }),
    both(0x03, "s_cmpk_eq_i32", |w, i| signed(w, i, |a, b| a == b)),
    both(0x04, "s_cmpk_lg_i32", |w, i| signed(w, i, |a, b| a != b)),
    both(0x05, "s_cmpk_gt_i32", |w, i| signed(w, i, |a, b| a > b)),
    both(0x06, "s_cmpk_ge_i32", |w, i| signed(w, i, |a, b| a >= b)),
    both(0x07, "s_cmpk_lt_i32", |w, i| signed(w, i, |a, b| a < b)),
    both(0x08, "s_cmpk_le_i32", |w, i| signed(w, i, |a, b| a <= b)),
    both(0x09, "s_cmpk_eq_u32", |w, i| w.scc = w.s32(i.dst) == i.imm.into()),
    both(0x0a, "s_cmpk_lg_u32", |w, i| w.scc = w.s32(i.dst) != i.imm.into()),
    both(0x0b, "s_cmpk_gt_u32", |w, i| w.scc = w.s32(i.dst) > i.imm.into()),
    both(0x0c, "s_cmpk_ge_u32", |w, i| w.scc = w.s32(i.dst) >= i.imm.into()),
    both(0x0d, "s_cmpk_lt_u32", |w, i| w.scc = w.s32(i.dst) < i.imm.into()),
    both(0x0e, "s_cmpk_le_u32", |w, i| w.scc = w.s32(i.dst) <= i.imm.into()),
    both(0x0f, "s_addk_i32", |w, i| {
        let (sum, over) = (w.s32(i.dst) as i32).overflowing_add((i.imm as i16).into());
        w.set_s32(i.dst, sum as u32);
        w.scc = over;
    }),
    both(0x10, "s_mulk_i32", |w, i| {
        let product = w.s32(i.dst).wrapping_mul(i.imm as i16 as u32);
        w.set_s32(i.dst, product);
    }),
    both(0x12, "s_getreg_b32", |w, i| match hardware(w, i.imm) {
        Some(value) => w.set_s32(i.dst, get_field(value, i.imm)),
        None => w.trap(format!("s_getreg_b32 of hardware register {}, which is not modelled", i.imm & 63)),
    }),
    both(0x13, "s_setreg_b32", |w, i| set(w, i.imm, w.s32(i.dst))),
    both(0x15, "s_setreg_imm32_b32", |w, i| set(w, i.imm, i.src[0].literal)),
    both(0x16, "s_call_b64", |w, i| {
        w.set_s64(i.dst, w.pc);
        jump(w, i.imm);
    }),
    both(0x17, "s_waitcnt_vscnt", |_, _| {}),
    both(0x18, "s_waitcnt_vmcnt", |_, _| {}),
    both(0x19, "s_waitcnt_expcnt", |_, _| {}),
    both(0x1a, "s_waitcnt_lgkmcnt", |_, _| {}),
    // A loop over the halves of a wave64, one after the other.
    both(0x1b, "s_subvector_loop_begin", |w, i| {
        if w.s64(reg::EXEC) == 0 {
            jump(w, i.imm);
        } else if w.s32(reg::EXEC) == 0 {
            w.set_s32(i.dst, 0);
        } else {
            w.set_s32(i.dst, w.s32(reg::EXEC + 1));
            w.set_s32(reg::EXEC + 1, 0);
        }
    }),
    both(0x1c, "s_subvector_loop_end", |w, i| {
        let kept = w.s32(i.dst);
        if w.s32(reg::EXEC + 1) != 0 {
            w.set_s32(reg::EXEC, kept);
        } else if kept != 0 {
            w.set_s32(i.dst, w.s32(reg::EXEC));
            w.set_s64(reg::EXEC, u64::from(kept) << 32);
            jump(w, i.imm);
        }
    }),
];

fn signed(w: &mut Wave, i: &Scalar, f: impl Fn(i32, i32) -> bool) {
    w.scc = f(w.s32(i.dst) as i32, (i.imm as i16).into());
}

/// Hardware registers by their numbers (LLVM, AMDGPUOperandSyntax "hwreg").
mod hw {
    pub const MODE: u16 = 1;
    pub const TRAPSTS: u16 = 3;
    pub const SH_MEM_BASES: u16 = 15;
    pub const FLAT_SCR_LO: u16 = 20;
    pub const FLAT_SCR_HI: u16 = 21;
    pub const XNACK_MASK: u16 = 22;
    pub const HW_ID1: u16 = 23;
    pub const HW_ID2: u16 = 24;
}

fn hardware(w: &Wave, spec: u16) -> Option<u32> {
    Some(match spec & 63 {
        hw::MODE => w.mode,
        // Exceptions are not modelled, and a wave's place on the card is always the first.
        hw::TRAPSTS | hw::XNACK_MASK | hw::HW_ID1 | hw::HW_ID2 => 0,
        hw::SH_MEM_BASES => ((SHARED_APERTURE >> 32) | PRIVATE_APERTURE >> 48) as u32,
        hw::FLAT_SCR_LO => w.flat_scratch[0],
        hw::FLAT_SCR_HI => w.flat_scratch[1],
        _ => return None,
    })
}

/// Offset and mask, not yet shifted, of the field that the 16 bits name.
fn place(spec: u16) -> (u32, u32) {
    let size = u32::from(spec >> 11) + 1;
    (u32::from(spec >> 6 & 31), u32::MAX >> (32 - size))
}

fn get_field(value: u32, spec: u16) -> u32 {
    let (offset, mask) = place(spec);
    value >> offset & mask
}

fn set(w: &mut Wave, spec: u16, value: u32) {
    let Some(old) = hardware(w, spec) else {
        return w.trap(format!("s_setreg_b32 of hardware register {}, which is not modelled", spec & 63));
    };
    let (offset, mask) = place(spec);
    let new = old & !(mask << offset) | (value & mask) << offset;
    match spec & 63 {
        hw::MODE => w.mode = new,
        hw::FLAT_SCR_LO => w.flat_scratch[0] = new,
        hw::FLAT_SCR_HI => w.flat_scratch[1] = new,
        _ if new == old => {}
        other => w.trap(format!("s_setreg_b32 of hardware register {other}, which is not modelled")),
    }
}
