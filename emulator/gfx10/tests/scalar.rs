//! Scalar instructions.

use super::{compares, mutation};
use crate::operands::{Scalar, Src};
use crate::row::Row;
use crate::salu::ScalarFn;
use crate::salu::{sop1, sop2, sopc, sopk, sopp};
use crate::wave::{Wave, reg};

pub struct Case {
    pub name: &'static str,
    /// Sources; of SOPK the register and the 16 bits.
    a: u64,
    b: u64,
    scc: bool,
    want: u64,
    then: bool,
}

const fn case(name: &'static str, a: u64, b: u64, want: u64, then: bool) -> Case {
    Case { name, a, b, scc: false, want, then }
}

/// With SCC set before.
const fn set(name: &'static str, a: u64, b: u64, want: u64, then: bool) -> Case {
    Case { name, a, b, scc: true, want, then }
}

pub const MAX: u64 = 0xffff_ffff;
/// What the destination holds before, upper and lower half.
const OLD: u64 = 0xaaaa_bbbb_cccc_dddd;
pub const EXEC: u64 = 0b1100;
const A64: u64 = 0x8000_0000_0000_0010;

pub static CASES: &[Case] = &[
    case("s_add_u32", MAX, 2, 1, true),
    set("s_add_u32", 1, 2, 3, false),
    set("s_sub_u32", 5, 3, 2, false),
    case("s_sub_u32", 3, 5, MAX - 1, true),
    case("s_add_i32", 0x7fff_ffff, 1, 0x8000_0000, true),
    set("s_add_i32", MAX, 1, 0, false),
    case("s_sub_i32", 0x8000_0000, 1, 0x7fff_ffff, true),
    set("s_sub_i32", 3, 5, MAX - 1, false),
    set("s_addc_u32", MAX, 0, 0, true),
    case("s_addc_u32", 1, 2, 3, false),
    set("s_subb_u32", 5, 5, MAX, true),
    case("s_subb_u32", 5, 3, 2, false),
    case("s_min_i32", MAX, 1, MAX, true),
    set("s_min_i32", 1, MAX, MAX, false),
    set("s_min_u32", MAX, 1, 1, false),
    case("s_min_u32", 1, MAX, 1, true),
    set("s_max_i32", MAX, 1, 1, false),
    case("s_max_i32", 1, MAX, 1, true),
    case("s_max_u32", MAX, 1, MAX, true),
    set("s_max_u32", 1, MAX, MAX, false),
    set("s_cselect_b32", 5, 7, 5, true),
    case("s_cselect_b32", 5, 7, 7, false),
    set("s_cselect_b64", A64, 7, A64, true),
    case("s_cselect_b64", 5, A64, A64, false),
    case("s_and_b32", 12, 10, 8, true),
    set("s_and_b32", 5, 10, 0, false),
    case("s_and_b64", A64, 1 << 63, 1 << 63, true),
    case("s_or_b32", 12, 10, 14, true),
    case("s_or_b64", A64, 1 << 32, A64 | 1 << 32, true),
    case("s_xor_b32", 12, 10, 6, true),
    case("s_xor_b64", A64, 1 << 63, 0x10, true),
    case("s_andn2_b32", 12, 10, 4, true),
    case("s_andn2_b64", A64, 1 << 63, 0x10, true),
    case("s_orn2_b32", 12, 10, 0xffff_fffd, true),
    case("s_orn2_b64", 0, A64, !A64, true),
    case("s_nand_b32", 12, 10, 0xffff_fff7, true),
    case("s_nand_b64", A64, 1 << 63, u64::MAX >> 1, true),
    case("s_nor_b32", 12, 10, 0xffff_fff1, true),
    case("s_nor_b64", A64, 1 << 32, !(A64 | 1 << 32), true),
    case("s_xnor_b32", 12, 10, 0xffff_fff9, true),
    case("s_xnor_b64", A64, 1 << 63, !0x10, true),
    case("s_lshl_b32", 3, 36, 0x30, true),
    case("s_lshl_b64", 3, 100, 3 << 36, true),
    case("s_lshr_b32", 0x8000_0000, 36, 0x0800_0000, true),
    case("s_lshr_b64", 1 << 63, 100, 1 << 27, true),
    case("s_ashr_i32", 0x8000_0000, 36, 0xf800_0000, true),
    case("s_ashr_i64", 1 << 63, 100, 0xffff_ffff_f800_0000, true),
    case("s_bfm_b32", 4, 8, 0xf00, false),
    case("s_bfm_b64", 4, 40, 0xf00_0000_0000, false),
    case("s_mul_i32", 0x1_0001, 0x1_0003, 0x4_0003, false),
    case("s_bfe_u32", 0xabcd_1234, 12 << 16 | 8, 0xd12, true),
    set("s_bfe_u32", 0xabcd_1234, 8, 0, false),
    case("s_bfe_i32", 0xabcd_1234, 12 << 16 | 8, 0xffff_fd12, true),
    case("s_bfe_u64", 0xabcd_1234_0000_0000, 40 << 16 | 24, 0xab_cd12_3400, true),
    case("s_bfe_i64", 0xabcd_1234_0000_0000, 40 << 16 | 24, 0xffff_ffab_cd12_3400, true),
    case("s_absdiff_i32", 3, 5, 2, true),
    case("s_absdiff_i32", 0xffff_fffb, 5, 10, true),
    case("s_lshl1_add_u32", 0x8000_0001, 5, 7, true),
    case("s_lshl2_add_u32", 1, 5, 9, false),
    case("s_lshl3_add_u32", 1, 5, 13, false),
    case("s_lshl4_add_u32", 1, 5, 21, false),
    case("s_pack_ll_b32_b16", 0x1111_2222, 0x3333_4444, 0x4444_2222, false),
    case("s_pack_lh_b32_b16", 0x1111_2222, 0x3333_4444, 0x3333_2222, false),
    case("s_pack_hh_b32_b16", 0x1111_2222, 0x3333_4444, 0x3333_1111, false),
    case("s_mul_hi_u32", MAX, MAX, MAX - 1, false),
    case("s_mul_hi_i32", MAX, 5, MAX, false),
    case("s_mov_b32", 5, 0, 5, false),
    case("s_mov_b64", A64, 0, A64, false),
    set("s_cmov_b32", 5, 0, 5, true),
    case("s_cmov_b32", 5, 0, OLD & MAX, false),
    set("s_cmov_b64", A64, 0, A64, true),
    case("s_cmov_b64", A64, 0, OLD, false),
    case("s_not_b32", 5, 0, 0xffff_fffa, true),
    set("s_not_b32", MAX, 0, 0, false),
    case("s_not_b64", A64, 0, !A64, true),
    case("s_wqm_b32", 0x8000_0100, 0, 0xf000_0f00, true),
    case("s_wqm_b64", A64, 0, 0xf000_0000_0000_00f0, true),
    case("s_brev_b32", 0x8000_0002, 0, 0x4000_0001, false),
    case("s_brev_b64", A64, 0, 0x0800_0000_0000_0001, false),
    case("s_bcnt0_i32_b32", 0xff, 0, 24, true),
    case("s_bcnt0_i32_b64", A64, 0, 62, true),
    case("s_bcnt1_i32_b32", 0xff, 0, 8, true),
    case("s_bcnt1_i32_b64", A64, 0, 2, true),
    case("s_ff0_i32_b32", 0xff, 0, 8, false),
    case("s_ff0_i32_b32", MAX, 0, MAX, false),
    case("s_ff0_i32_b64", 0xff_ffff_ffff, 0, 40, false),
    case("s_ff1_i32_b32", 0x100, 0, 8, false),
    case("s_ff1_i32_b32", 0, 0, MAX, false),
    case("s_ff1_i32_b64", 1 << 40, 0, 40, false),
    case("s_flbit_i32_b32", 0x0010_0000, 0, 11, false),
    case("s_flbit_i32_b32", 0, 0, MAX, false),
    case("s_flbit_i32_b64", 1 << 40, 0, 23, false),
    case("s_flbit_i32", 0xfff0_0000, 0, 12, false),
    case("s_flbit_i32", MAX, 0, MAX, false),
    case("s_flbit_i32", 0, 0, MAX, false),
    case("s_flbit_i32", 1, 0, 31, false),
    case("s_flbit_i32_i64", 0xfff0_0000_0000_0000, 0, 12, false),
    case("s_flbit_i32_i64", u64::MAX, 0, MAX, false),
    case("s_sext_i32_i8", 0x1280, 0, 0xffff_ff80, false),
    case("s_sext_i32_i16", 0x12_8000, 0, 0xffff_8000, false),
    case("s_bitset0_b32", 34, 0, OLD & MAX & !4, false),
    case("s_bitset0_b64", 33, 0, OLD & !(1 << 33), false),
    case("s_bitset1_b32", 33, 0, OLD & MAX | 2, false),
    case("s_bitset1_b64", 34, 0, OLD | 1 << 34, false),
    case("s_quadmask_b32", 0x8000_0100, 0, 0x84, true),
    case("s_quadmask_b64", A64, 0, 0x8002, true),
    case("s_abs_i32", 0xffff_fffb, 0, 5, true),
    case("s_abs_i32", 0x8000_0000, 0, 0x8000_0000, true),
    case("s_bitreplicate_b64_b32", 0x8000_0002, 0, 0xc000_0000_0000_000c, false),
    set("s_cmp_eq_i32", 5, 6, OLD, false),
    set("s_cmp_ge_i32", MAX, 1, OLD, false),
    set("s_cmp_le_i32", 1, MAX, OLD, false),
    set("s_cmp_ge_u32", 1, MAX, OLD, false),
    set("s_cmp_le_u32", MAX, 1, OLD, false),
    set("s_cmpk_ge_i32", MAX, 0, MAX, false),
    set("s_cmpk_le_i32", 0, 0xffff, 0, false),
    set("s_cmpk_ge_u32", 5, 0xffff, 5, false),
    set("s_cmpk_le_u32", MAX, 0xffff, MAX, false),
    set("s_cmpk_lt_u32", 0xffff_0000, 5, 0xffff_0000, false),
    set("s_min_i32", 5, 5, 5, false),
    case("s_mul_hi_i32", 0x4000_0000, 0xffff_fffc, MAX, false),
    case("s_xor_b64", A64, A64 | 1 << 32, 1 << 32, true),
    case("s_andn2_b64", A64 | 1 << 40, 0x10, 1 << 63 | 1 << 40, true),
    case("s_cmp_eq_i32", 5, 5, OLD, true),
    case("s_cmp_lg_i32", 5, 6, OLD, true),
    set("s_cmp_lg_i32", 5, 5, OLD, false),
    case("s_cmp_gt_i32", 1, MAX, OLD, true),
    set("s_cmp_gt_i32", 1, 1, OLD, false),
    case("s_cmp_ge_i32", 1, 1, OLD, true),
    case("s_cmp_ge_i32", 1, MAX, OLD, true),
    set("s_cmp_lt_i32", 1, 1, OLD, false),
    case("s_cmp_lt_i32", MAX, 1, OLD, true),
    case("s_cmp_le_i32", 1, 1, OLD, true),
    case("s_cmp_le_i32", MAX, 1, OLD, true),
    case("s_cmp_eq_u32", 5, 5, OLD, true),
    set("s_cmp_eq_u32", 5, 6, OLD, false),
    case("s_cmp_lg_u32", 5, 6, OLD, true),
    set("s_cmp_lg_u32", 5, 5, OLD, false),
    case("s_cmp_gt_u32", MAX, 1, OLD, true),
    set("s_cmp_gt_u32", 1, 1, OLD, false),
    case("s_cmp_ge_u32", MAX, 1, OLD, true),
    case("s_cmp_ge_u32", 1, 1, OLD, true),
    case("s_cmp_lt_u32", 1, MAX, OLD, true),
    set("s_cmp_lt_u32", 1, 1, OLD, false),
    case("s_cmp_le_u32", 1, MAX, OLD, true),
    case("s_cmp_le_u32", 1, 1, OLD, true),
    case("s_bitcmp0_b32", 4, 33, OLD, true),
    set("s_bitcmp0_b32", 4, 34, OLD, false),
    case("s_bitcmp1_b32", 4, 34, OLD, true),
    set("s_bitcmp1_b32", 4, 33, OLD, false),
    case("s_bitcmp0_b64", A64, 62, OLD, true),
    set("s_bitcmp0_b64", A64, 63, OLD, false),
    case("s_bitcmp1_b64", A64, 63, OLD, true),
    set("s_bitcmp1_b64", A64, 62, OLD, false),
    case("s_cmp_eq_u64", A64, A64, OLD, true),
    set("s_cmp_eq_u64", A64, 0x10, OLD, false),
    case("s_cmp_lg_u64", A64, 0x10, OLD, true),
    set("s_cmp_lg_u64", A64, A64, OLD, false),
    case("s_movk_i32", 0, 0xfffe, MAX - 1, false),
    set("s_cmovk_i32", 7, 0xfffe, MAX - 1, true),
    case("s_cmovk_i32", 7, 0xfffe, 7, false),
    case("s_cmpk_eq_i32", MAX, 0xffff, MAX, true),
    set("s_cmpk_eq_i32", 0xffff, 0xffff, 0xffff, false),
    case("s_cmpk_lg_i32", 0xffff, 0xffff, 0xffff, true),
    set("s_cmpk_lg_i32", MAX, 0xffff, MAX, false),
    case("s_cmpk_gt_i32", 0, 0xffff, 0, true),
    set("s_cmpk_gt_i32", 5, 5, 5, false),
    case("s_cmpk_ge_i32", 0, 0xffff, 0, true),
    case("s_cmpk_ge_i32", 5, 5, 5, true),
    case("s_cmpk_lt_i32", MAX, 0, MAX, true),
    set("s_cmpk_lt_i32", 5, 5, 5, false),
    case("s_cmpk_le_i32", MAX, 0, MAX, true),
    case("s_cmpk_le_i32", 5, 5, 5, true),
    case("s_cmpk_eq_u32", 0xffff, 0xffff, 0xffff, true),
    set("s_cmpk_eq_u32", MAX, 0xffff, MAX, false),
    case("s_cmpk_lg_u32", MAX, 0xffff, MAX, true),
    set("s_cmpk_lg_u32", 0xffff, 0xffff, 0xffff, false),
    case("s_cmpk_gt_u32", MAX, 0xffff, MAX, true),
    set("s_cmpk_gt_u32", 5, 5, 5, false),
    case("s_cmpk_ge_u32", MAX, 0xffff, MAX, true),
    case("s_cmpk_ge_u32", 5, 5, 5, true),
    case("s_cmpk_lt_u32", 5, 0xffff, 5, true),
    set("s_cmpk_lt_u32", 5, 5, 5, false),
    case("s_cmpk_le_u32", 5, 0xffff, 5, true),
    case("s_cmpk_le_u32", 5, 5, 5, true),
    case("s_addk_i32", 0x7fff_ffff, 1, 0x8000_0000, true),
    set("s_addk_i32", 5, 0xffff, 4, false),
    case("s_mulk_i32", 5, 0xffff, 0xffff_fffb, false),
];

/// Every row of the scalar encodings.
pub fn rows() -> impl Iterator<Item = &'static Row<ScalarFn>> {
    [sop1::TABLE, sop2::TABLE, sopc::TABLE, sopk::TABLE, sopp::TABLE].into_iter().flatten()
}

/// The row of a mnemonic, spoilt where a mutation run wants it.
pub fn row(name: &str) -> Row<ScalarFn> {
    let row = rows().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"));
    mutation::SCALAR.with(|spoilt| spoilt.of(row))
}

pub fn wave(lanes: usize) -> Wave {
    let mut w = Wave::new(lanes, 1);
    w.set_mask(reg::EXEC, EXEC);
    w.pc = 0x1000;
    w
}

/// The operands of the tests: s[0:1], s[2:3], to s[4:5].
pub fn operands(imm: u16) -> Scalar {
    Scalar { dst: 4, src: [Src::code(0), Src::code(2)], imm }
}

impl Case {
    pub fn check(&self) -> Result<(), String> {
        let mut w = wave(32);
        // Upper halves that an instruction on 32 bits must not look at.
        let narrow = !self.name.contains("64");
        let [a, b] = if narrow { [self.a | 0x1357 << 48, self.b | 0x2468 << 48] } else { [self.a, self.b] };
        let old = if self.name.contains("k_") { self.a } else { OLD };
        w.set_s64(0, a);
        w.set_s64(2, b);
        w.set_s64(4, old);
        w.scc = self.scc;
        (row(self.name).run)(&mut w, &operands(self.b as u16));
        let kept = wave(32).s;
        if w.s[6..] != kept[6..] || w.s64(0) != a || w.s64(2) != b || w.pc != 0x1000 {
            return Err(format!("{} changes more than its destination", self.name));
        }
        let wide = !narrow && !self.name.contains("_i32_") || self.want >> 32 != 0;
        let want = if wide { self.want } else { old & !MAX | self.want };
        if w.s64(4) == want && w.scc == self.then {
            return Ok(());
        }
        Err(format!("{} {:#x} {:#x}: {:#x} scc {}", self.name, self.a, self.b, w.s64(4), w.scc))
    }
}

#[test]
fn scalar_instructions_give_the_documented_results() {
    let wrong: Vec<_> = CASES.iter().filter_map(|case| case.check().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Compares by their names, on values at the ends of the ranges.
pub fn check_compare(name: &str) {
    let mut parts = name.split('_').skip(1);
    let (first, test, kind) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    for a in compares::values(kind) {
        for b in compares::values(kind) {
            let mut w = wave(32);
            let test = if test == "lg" { "ne" } else { test };
            // The 16 bits of SOPK are extended as the type is.
            let b = match (first, kind) {
                ("cmpk", "i32") => u64::from(b as i16 as u32),
                ("cmpk", _) => b & 0xffff,
                _ => b,
            };
            w.set_s64(0, a);
            w.set_s64(2, b);
            if first == "cmpk" {
                w.set_s64(4, a);
            }
            let want = compares::holds(test, compares::order(kind, a, b));
            w.scc = !want;
            (row(name).run)(&mut w, &operands(b as u16));
            assert_eq!(w.scc, want, "{name} {a:#x} {b:#x}");
        }
    }
}

#[test]
fn compares_do_what_their_names_say() {
    rows().filter(|row| row.name.starts_with("s_cmp")).for_each(|row| check_compare(row.name));
}
