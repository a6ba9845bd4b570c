//! VOP1, VOP2, VOPC, VOP3 and VOP3P, with SDWA and DPP.

use super::{Operands, first_and_last, is_in, sgprs, source, vgprs};
use crate::operands::{Lanes, Vector};
use crate::row::Row;
use crate::valu::{VectorFn, vop1, vop2, vop3, vop3p, vopc};

pub fn operands(row: &'static Row<VectorFn>, i: &Vector) -> (String, Operands) {
    let name = row.name;
    let (packed, compares) = (is_in(vop3p::TABLE, row), is_in(vopc::TABLE, row));
    let count = sources(row);
    let (first, last) = first_and_last(name);
    let (result, widths) = match name {
        "v_mad_u64_u32" | "v_mad_i64_i32" => (2, [1, 1, 2]),
        "v_qsad_pk_u16_u8" | "v_mqsad_pk_u16_u8" => (2, [2, 1, 2]),
        "v_mqsad_u32_u8" => (4, [2, 1, 4]),
        "v_lshlrev_b64" | "v_lshrrev_b64" | "v_ashrrev_i64" => (2, [1, 2, 1]),
        "v_ldexp_f64" | "v_trig_preop_f64" | "v_cmp_class_f64" | "v_cmpx_class_f64" => (2, [2, 1, 1]),
        _ => (first, [last; 3]),
    };
    let mut of = Operands::default();
    if compares {
        if !name.starts_with("v_cmpx") {
            of.list.push(sgprs(i.sdst, 1));
        }
    } else if name.starts_with("v_read") {
        of.list.push(sgprs(i.dst, 1));
    } else if count > 0 {
        of.list.push(vgprs(i.dst, result));
    }
    if name.contains("_co_") || name.starts_with("v_div_scale") || ["v_mad_u64_u32", "v_mad_i64_i32"].contains(&name) {
        of.list.push(sgprs(i.sdst, 1));
    }
    for (n, width) in widths.into_iter().enumerate().take(count) {
        let plain = source(i.src[n], width);
        let is = |bits: u8| !packed && bits >> n & 1 != 0;
        let plain = if is(i.abs) { format!("|{plain}|") } else { plain };
        let plain = if is(i.neg) { format!("-{plain}") } else { plain };
        of.list.push(match i.lanes {
            Lanes::Sdwa { sext, .. } if n < 2 && sext[n] => format!("sext({plain})"),
            _ => plain,
        });
    }
    modifiers(&mut of, i, count, packed, name.starts_with("v_fma_mix"));
    lanes(&mut of, i, compares, count);
    (name.to_owned(), of)
}

/// How many sources are written.
fn sources(row: &'static Row<VectorFn>) -> usize {
    if is_in(vop1::TABLE, row) {
        return usize::from(!["v_nop", "v_pipeflush", "v_clrexcp"].contains(&row.name));
    }
    let three = if is_in(vop2::TABLE, row) {
        ["cndmask", "_ci_", "madmk", "madak", "fmamk", "fmaak"].iter().any(|part| row.name.contains(part))
    } else if is_in(vop3::TABLE, row) {
        !matches!(row.op, 0x164..=0x16c | 0x174 | 0x2ff..=0x31f | 0x360..=0x36b | 0x376 | 0x37f)
    } else if is_in(vop3p::TABLE, row) {
        ["mad", "fma", "dot"].iter().any(|part| row.name.contains(part))
    } else {
        false
    };
    if three { 3 } else { 2 }
}

fn modifiers(of: &mut Operands, i: &Vector, count: usize, packed: bool, mixed: bool) {
    let bits = |bits: u8, count: usize| (0..count).map(|n| (bits >> n & 1).to_string()).collect::<Vec<_>>().join(",");
    if packed {
        let all = (1 << count) - 1;
        of.flag(i.op_sel & all != 0, &format!("op_sel:[{}]", bits(i.op_sel, count)));
        let usual = if mixed { 0 } else { all };
        of.flag(i.op_sel_hi & all != usual, &format!("op_sel_hi:[{}]", bits(i.op_sel_hi, count)));
        of.flag(i.neg & all != 0, &format!("neg_lo:[{}]", bits(i.neg, count)));
        of.flag(i.neg_hi & all != 0, &format!("neg_hi:[{}]", bits(i.neg_hi, count)));
    } else {
        // The result's bit comes last.
        let op_sel = i.op_sel & ((1 << count) - 1) | (i.op_sel >> 3 & 1) << count;
        of.flag(op_sel != 0, &format!("op_sel:[{}]", bits(op_sel, count + 1)));
    }
    of.flag(i.clamp, "clamp");
    of.flag(i.omod != 0, ["", "mul:2", "mul:4", "div:2"][usize::from(i.omod & 3)]);
}

fn lanes(of: &mut Operands, i: &Vector, compares: bool, count: usize) {
    match i.lanes {
        Lanes::Own => {}
        Lanes::Dpp { control, rows, banks, bound, inactive } => {
            let n = control & 15;
            of.modifiers += " ";
            of.modifiers += &match control {
                0..=0xff => {
                    let lanes = [0, 2, 4, 6].map(|at| (control >> at & 3).to_string()).join(",");
                    format!("quad_perm:[{lanes}]")
                }
                0x101..=0x10f => format!("row_shl:{n}"),
                0x111..=0x11f => format!("row_shr:{n}"),
                0x121..=0x12f => format!("row_ror:{n}"),
                0x140 => "row_mirror".to_owned(),
                0x141 => "row_half_mirror".to_owned(),
                0x150..=0x15f => format!("row_share:{n}"),
                _ => format!("row_xmask:{n}"),
            };
            of.modifiers += &format!(" row_mask:{rows:#x} bank_mask:{banks:#x}");
            of.flag(bound, "bound_ctrl:1");
            of.flag(inactive, "fi:1");
        }
        Lanes::Dpp8 { lanes, inactive } => {
            let lanes: Vec<_> = (0..8).map(|n| (lanes >> (3 * n) & 7).to_string()).collect();
            of.flag(true, &format!("dpp8:[{}]", lanes.join(",")));
            of.flag(inactive, "fi:1");
        }
        Lanes::Sdwa { dst, unused, src, .. } => {
            const PARTS: [&str; 8] = ["BYTE_0", "BYTE_1", "BYTE_2", "BYTE_3", "WORD_0", "WORD_1", "DWORD", "DWORD"];
            const UNUSED: [&str; 4] = ["UNUSED_PAD", "UNUSED_SEXT", "UNUSED_PRESERVE", "UNUSED_PRESERVE"];
            let part = |select: u8| PARTS[usize::from(select & 7)];
            if !compares {
                let unused = UNUSED[usize::from(unused & 3)];
                of.modifiers += &format!(" dst_sel:{} dst_unused:{unused}", part(dst));
            }
            for (n, select) in src.into_iter().enumerate().take(count) {
                of.modifiers += &format!(" src{n}_sel:{}", part(select));
            }
        }
    }
}
