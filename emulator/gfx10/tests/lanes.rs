//! Instructions that look at other lanes, at modifiers or at parts of registers.

use super::state::{DST, f, got, operands, set, vector_row};
use crate::operands::{Lanes, Src, Vector};
use crate::wave::{Status, Wave, reg};

/// The tests of [`TESTED`].
pub const TESTS: &[fn()] = &[
    lanes_are_read_and_written_one_by_one,
    mbcnt_counts_the_lanes_below,
    permlane_moves_within_rows_and_between_them,
    registers_are_found_through_m0,
    four_masked_sums_go_to_four_registers,
];

pub const TESTED: [&str; 14] = [
    "v_movreld_b32",
    "v_movrels_b32",
    "v_movrelsd_b32",
    "v_movrelsd_2_b32",
    "v_swaprel_b32",
    "v_mqsad_u32_u8",
    "v_readfirstlane_b32",
    "v_readlane_b32",
    "v_writelane_b32",
    "v_swap_b32",
    "v_mbcnt_lo_u32_b32",
    "v_mbcnt_hi_u32_b32",
    "v_permlane16_b32",
    "v_permlanex16_b32",
];

/// Lane n holds 100 + n in v0 and 0 in the destination.
fn wave(lanes: usize, exec: u64) -> Wave {
    let mut w = Wave::new(lanes, 64);
    w.set_mask(reg::EXEC, exec);
    w.v[0] = std::array::from_fn(|lane| 100 + lane as u32);
    w
}

fn run(w: &mut Wave, name: &str, i: &Vector) -> Vec<u32> {
    (vector_row(name).run)(w, i);
    w.v[usize::from(DST)][..w.lanes].to_vec()
}

#[test]
fn lanes_are_read_and_written_one_by_one() {
    let mut w = wave(64, 0b1000);
    (vector_row("v_readfirstlane_b32").run)(&mut w, &operands(1));
    assert_eq!(w.s32(DST), 103);
    let mut i = operands(1);
    i.src[1] = Src::code(128 + 41);
    (vector_row("v_readlane_b32").run)(&mut w, &i);
    assert_eq!(w.s32(DST), 141);
    w.s[3] = 7;
    i.src[0] = Src::code(3);
    (vector_row("v_writelane_b32").run)(&mut w, &i);
    assert_eq!((w.v[usize::from(DST)][41], w.v[usize::from(DST)][3]), (7, 0));
    let mut w = wave(32, 0b10);
    run(&mut w, "v_swap_b32", &operands(1));
    assert_eq!((w.v[0][..3].to_vec(), w.v[usize::from(DST)][..3].to_vec()), (vec![100, 0, 102], vec![0, 101, 0]));
}

#[test]
fn mbcnt_counts_the_lanes_below() {
    let mut w = wave(64, u64::MAX);
    let mut i = operands(2);
    i.src[0] = Src::code(193);
    let low = run(&mut w, "v_mbcnt_lo_u32_b32", &i);
    assert_eq!((low[0], low[1], low[5], low[31], low[40]), (0, 1, 5, 31, 32));
    i.src[1] = Src::code(128 + 10);
    let high = run(&mut w, "v_mbcnt_hi_u32_b32", &i);
    assert_eq!((high[0], high[32], high[33], high[40]), (10, 10, 11, 18));
}

#[test]
fn permlane_moves_within_rows_and_between_them() {
    let mut i = operands(1);
    (i.src[1], i.src[2]) = (Src::code(0), Src::code(1));
    let mut w = wave(32, u64::from(u32::MAX));
    // Selectors 15 down to 0.
    (w.s[0], w.s[1]) = (0x89ab_cdef, 0x0123_4567);
    let own = run(&mut w, "v_permlane16_b32", &i);
    assert_eq!((own[0], own[1], own[16]), (115, 114, 131));
    let other = run(&mut w, "v_permlanex16_b32", &i);
    assert_eq!((other[0], other[1], other[16]), (131, 130, 115));
    let mut w = wave(32, 1);
    (w.s[0], w.s[1]) = (1, 0);
    set(&mut w, 0, 7);
    assert_eq!(run(&mut w, "v_permlane16_b32", &i)[0], 7);
    i.op_sel = 2;
    assert_eq!(run(&mut w, "v_permlane16_b32", &i)[0], 0);
    i.op_sel = 1;
    assert_eq!(run(&mut w, "v_permlane16_b32", &i)[0], 101);
}

#[test]
fn registers_are_found_through_m0() {
    let moved = |name: &str, m0: u32| {
        let mut w = wave(32, 2);
        for (n, register) in w.v.iter_mut().enumerate() {
            *register = [1000 * n as u32; 64];
        }
        w.set_s32(reg::M0, m0);
        (vector_row(name).run)(&mut w, &Vector { src: [Src::vgpr(4); 3], ..operands(1) });
        // What changed: register, its lanes 0 to 2.
        let changed = w.v.iter().enumerate().filter(|(n, v)| v[..3] != [1000 * *n as u32; 3]);
        (changed.map(|(n, v)| (n, v[0], v[1])).collect::<Vec<_>>(), w.status)
    };
    let one = |name: &str, m0: u32| moved(name, m0).0;
    assert_eq!(one("v_movreld_b32", 3), [(23, 23_000, 4000)]);
    assert_eq!(one("v_movrels_b32", 3), [(20, 20_000, 7000)]);
    assert_eq!(one("v_movrelsd_b32", 3), [(23, 23_000, 7000)]);
    assert_eq!(one("v_movrelsd_2_b32", 5 << 16 | 3), [(25, 25_000, 7000)]);
    assert_eq!(one("v_swaprel_b32", 5 << 16 | 3), [(7, 7000, 25_000), (25, 25_000, 7000)]);
    assert!(matches!(moved("v_movrels_b32", 300).1, Status::Trapped(_)));
}

#[test]
fn four_masked_sums_go_to_four_registers() {
    let mut w = wave(32, 1);
    (w.v[0][0], w.v[1][0], w.v[2][0]) = (0x0403_0201, 0x0807_0605, 0x0400_0201);
    for n in 0..4 {
        w.v[4 + n][0] = 10 * n as u32;
    }
    (vector_row("v_mqsad_u32_u8").run)(&mut w, &operands(3));
    let dst = usize::from(DST);
    assert_eq!([0, 1, 2, 3].map(|n| w.v[dst + n][0]), [0, 13, 26, 39]);
    assert_eq!(w.v[dst][1], 0);
}

fn dpp(control: u16, bound: bool) -> Vec<u32> {
    let mut w = wave(32, u64::from(u32::MAX));
    let lanes = Lanes::Dpp { control, rows: 15, banks: 15, bound, inactive: false };
    run(&mut w, "v_mov_b32", &Vector { lanes, ..operands(1) })
}

#[test]
fn dpp_takes_source_0_from_another_lane() {
    let some = |control| [0, 1, 5, 15, 16].map(|lane| dpp(control, true)[lane]);
    assert_eq!(some(0b00_01_10_11), [103, 102, 106, 112, 119], "quad_perm:[3,2,1,0]");
    assert_eq!(some(0x101), [101, 102, 106, 0, 117], "row_shl:1");
    assert_eq!(some(0x111), [0, 100, 104, 114, 0], "row_shr:1");
    assert_eq!(some(0x121), [115, 100, 104, 114, 131], "row_ror:1");
    assert_eq!(some(0x140), [115, 114, 110, 100, 131], "row_mirror");
    assert_eq!(some(0x141), [107, 106, 102, 108, 123], "row_half_mirror");
    assert_eq!(some(0x153), [103, 103, 103, 103, 119], "row_share:3");
    assert_eq!(some(0x161), [101, 100, 104, 114, 117], "row_xmask:1");
}

#[test]
fn dpp_leaves_lanes_alone_that_have_no_source_or_are_masked() {
    let mut w = wave(32, 0xffff_fffe);
    for lane in 0..32 {
        set(&mut w, lane, 7);
    }
    let lanes = Lanes::Dpp { control: 0x111, rows: 1, banks: 0b1011, bound: false, inactive: false };
    let result = run(&mut w, "v_mov_b32", &Vector { lanes, ..operands(1) });
    // Lane 1's source is inactive, bank 2 and row 1 are masked.
    assert_eq!((result[0], result[1], result[2], result[8], result[12], result[17]), (7, 7, 101, 7, 111, 7));
    let lanes = Lanes::Dpp8 { lanes: 0o01234567, inactive: true };
    let result = run(&mut w, "v_mov_b32", &Vector { lanes, ..operands(1) });
    assert_eq!((result[1], result[7], result[8 + 2]), (106, 100, 113));
}

#[test]
fn sdwa_picks_parts_and_writes_parts() {
    let with = |dst, unused, src, sext| {
        let mut w = wave(32, 1);
        (w.v[0][0], w.v[2][0]) = (0x11f2_3384, 0x0102_0304);
        set(&mut w, 0, 0xaabb_ccdd);
        let i = Vector { lanes: Lanes::Sdwa { dst, unused, src, sext }, ..operands(2) };
        run(&mut w, "v_add_nc_u32", &i)[0]
    };
    assert_eq!(with(6, 0, [0, 3], [false, false]), 0x85);
    assert_eq!(with(6, 0, [0, 6], [true, false]), 0x0102_0288);
    assert_eq!(with(6, 0, [5, 4], [false, false]), 0x14f6);
    assert_eq!(with(1, 2, [0, 1], [false, false]), 0xaabb_87dd);
    assert_eq!(with(1, 0, [0, 1], [false, false]), 0x8700);
    assert_eq!(with(1, 1, [0, 1], [false, false]), 0xffff_8700);
    assert_eq!(with(5, 2, [2, 6], [false, false]), 0x03f6_ccdd);
}

#[test]
fn modifiers_change_sources_and_results() {
    let with = |name: &str, change: &dyn Fn(&mut Vector)| {
        let mut w = wave(32, 1);
        (w.v[0][0], w.v[2][0]) = (f(-3.0) as u32, f(2.0) as u32);
        let mut i = operands(2);
        change(&mut i);
        run(&mut w, name, &i)[0]
    };
    assert_eq!(with("v_add_f32", &|i| i.neg = 1), f(5.0) as u32);
    assert_eq!(with("v_add_f32", &|i| i.abs = 1), f(5.0) as u32);
    assert_eq!(with("v_add_f32", &|i| (i.abs, i.neg) = (3, 2)), f(1.0) as u32);
    assert_eq!(with("v_mul_f32", &|i| i.clamp = true), 0);
    assert_eq!(with("v_sub_f32", &|i| (i.clamp, i.neg) = (true, 1)), f(1.0) as u32);
    assert_eq!(with("v_add_nc_u32", &|i| i.clamp = true), u32::MAX);
    let halves = |op_sel| {
        let mut w = wave(32, 1);
        (w.v[0][0], w.v[2][0]) = (0x0005_0001, 0x0007_0002);
        set(&mut w, 0, 0x1234_5678);
        run(&mut w, "v_add_nc_u16", &Vector { op_sel, ..operands(2) })[0]
    };
    assert_eq!((halves(0), halves(1), halves(2), halves(8)), (0x1234_0003, 0x1234_0007, 0x1234_0008, 0x0003_5678));
}

#[test]
fn denormals_are_flushed_where_the_mode_says_so() {
    let sum = |mode: u32, a: u32, b: u32| {
        let mut w = wave(32, 1);
        w.mode = mode << 4;
        (w.v[0][0], w.v[2][0]) = (a, b);
        run(&mut w, "v_add_f32", &operands(2))[0]
    };
    let (least, denormal) = (0x0080_0000, 0x0040_0000);
    assert_eq!((sum(3, denormal, 0), sum(1, denormal, 0), sum(2, denormal, 0)), (denormal, 0, 0));
    // A difference of normal numbers that is not one.
    let minus = |v: u32| v | 0x8000_0000;
    assert_eq!((sum(3, least + 1, minus(least)), sum(1, least + 1, minus(least))), (1, 0));
    assert_eq!(sum(2, least + 1, minus(least)), 1);
}

#[test]
fn constants_have_the_width_of_the_operand() {
    let with = |name: &str, code: u16| {
        let mut w = wave(32, 1);
        (w.v[2][0], w.v[3][0]) = (0, 0);
        let mut i = operands(2);
        i.src[0] = Src { code, literal: 0x4010_0000 };
        (vector_row(name).run)(&mut w, &i);
        got(&w, 0)
    };
    assert_eq!(with("v_add_f32", 242), f(1.0));
    assert_eq!(with("v_add_f64", 242), 1.0_f64.to_bits());
    assert_eq!(with("v_add_f64", 255), 4.0_f64.to_bits());
    assert_eq!(with("v_add_f16", 242) & 0xffff, 0x3c00);
    assert_eq!(with("v_add_nc_u32", 193) & 0xffff_ffff, 0xffff_ffff);
    assert_eq!(with("v_add_f32", 248), 0x3e22_f983);
}
