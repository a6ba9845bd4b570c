//! SOP1, SOP2, SOPC, SOPK and SOPP.

use super::{Operands, first_and_last, is_in, sgprs, source};
use crate::operands::Scalar;
use crate::row::Row;
use crate::salu::{ScalarFn, sop1, sop2, sopc, sopk};

pub fn operands(row: &'static Row<ScalarFn>, i: &Scalar) -> (String, Operands) {
    let (first, last) = first_and_last(row.name);
    let dst = |count| sgprs(i.dst, count);
    let src = |n: usize, count| source(i.src[n], count);
    let of = if is_in(sop1::TABLE, row) {
        match row.name {
            "s_getpc_b64" => Operands::of([dst(2)]),
            "s_setpc_b64" => Operands::of([src(0, 2)]),
            "s_bitset0_b64" | "s_bitset1_b64" => Operands::of([dst(2), src(0, 1)]),
            _ => Operands::of([dst(first), src(0, last)]),
        }
    } else if is_in(sop2::TABLE, row) {
        let shifts = ["s_lsh", "s_ash", "s_bfe", "s_bfm"].iter().any(|begin| row.name.starts_with(begin));
        let second = if shifts { 1 } else { last };
        Operands::of([dst(first), src(0, if row.name == "s_bfm_b64" { 1 } else { last }), src(1, second)])
    } else if is_in(sopc::TABLE, row) {
        Operands::of([src(0, last), src(1, if row.name.starts_with("s_bitcmp") { 1 } else { last })])
    } else if is_in(sopk::TABLE, row) {
        sopk(row.name, i)
    } else {
        sopp(row.name, i.imm)
    };
    (row.name.to_owned(), of)
}

fn hex(imm: u16) -> String {
    format!("{imm:#x}")
}

/// How many words a jump goes.
fn jump(imm: u16) -> String {
    (imm as i16).to_string()
}

fn sopk(name: &str, i: &Scalar) -> Operands {
    let dst = sgprs(i.dst, 1);
    match name {
        "s_version" => Operands::of([hex(i.imm)]),
        "s_getreg_b32" => Operands::of([dst, hardware_register(i.imm)]),
        "s_setreg_b32" => Operands::of([hardware_register(i.imm), dst]),
        "s_setreg_imm32_b32" => Operands::of([hardware_register(i.imm), source(i.src[0], 1)]),
        "s_call_b64" => Operands::of([sgprs(i.dst, 2), jump(i.imm)]),
        "s_subvector_loop_begin" | "s_subvector_loop_end" => Operands::of([dst, jump(i.imm)]),
        _ => Operands::of([dst, hex(i.imm)]),
    }
}

/// A hardware register and, unless it is the whole of it, the field.
fn hardware_register(imm: u16) -> String {
    let name = match imm & 63 {
        1 => "HW_REG_MODE",
        2 => "HW_REG_STATUS",
        3 => "HW_REG_TRAPSTS",
        4 => "HW_REG_HW_ID",
        5 => "HW_REG_GPR_ALLOC",
        6 => "HW_REG_LDS_ALLOC",
        7 => "HW_REG_IB_STS",
        15 => "HW_REG_SH_MEM_BASES",
        20 => "HW_REG_FLAT_SCR_LO",
        21 => "HW_REG_FLAT_SCR_HI",
        22 => "HW_REG_XNACK_MASK",
        23 => "HW_REG_HW_ID1",
        24 => "HW_REG_HW_ID2",
        other => return format!("hwreg({other}, {}, {})", imm >> 6 & 31, (imm >> 11) + 1),
    };
    match (imm >> 6 & 31, (imm >> 11) + 1) {
        (0, 32) => format!("hwreg({name})"),
        (offset, size) => format!("hwreg({name}, {offset}, {size})"),
    }
}

fn sopp(name: &str, imm: u16) -> Operands {
    match name {
        "s_waitcnt" => Operands::of([counters(imm)]),
        "s_sendmsg" if imm == 1 => Operands::of(["sendmsg(MSG_INTERRUPT)".to_owned()]),
        "s_sendmsg" => Operands::of([format!("sendmsg({}, {})", imm & 15, imm >> 4)]),
        "s_nop" | "s_sleep" | "s_setprio" | "s_trap" | "s_incperflevel" | "s_decperflevel" | "s_denorm_mode" => {
            Operands::of([imm.to_string()])
        }
        "s_inst_prefetch" | "s_clause" | "s_waitcnt_depctr" | "s_round_mode" | "s_ttracedata_imm" => {
            Operands::of([hex(imm)])
        }
        "s_branch" => Operands::of([jump(imm)]),
        _ if name.starts_with("s_cbranch") => Operands::of([jump(imm)]),
        "s_endpgm" if imm != 0 => Operands::of([imm.to_string()]),
        _ => Operands::default(),
    }
}

/// The counters that `s_waitcnt` waits for; those at their highest are not waited for.
fn counters(imm: u16) -> String {
    let counters =
        [("vmcnt", imm & 15 | imm >> 14 << 4, 63), ("expcnt", imm >> 4 & 7, 7), ("lgkmcnt", imm >> 8 & 63, 63)];
    let below = counters.iter().filter(|(_, value, highest)| value < highest);
    below.map(|(name, value, _)| format!("{name}({value})")).collect::<Vec<_>>().join(" ")
}
