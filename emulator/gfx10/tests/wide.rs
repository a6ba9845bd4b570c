//! Vector instructions on 64 bits, and packed ones.

use super::state::{d, f, h, vector_row};
use super::vector::Case;

const fn case(name: &'static str, from: &'static [u64], want: u64) -> Case {
    Case { name, from, old: 0xdead_beef_0bad_f00d, want, mask: None }
}

const fn masks(name: &'static str, from: &'static [u64], want: u64, mask: bool) -> Case {
    Case { name, from, old: 0, want, mask: Some(mask) }
}

const MINUS: u64 = 1 << 63;
const INF: u64 = 0x7ff0_0000_0000_0000;
const NAN: u64 = 0x7ff8_0000_0000_0000;
/// The upper half of a register that an instruction on 16 bits keeps.
const KEPT: u64 = 0x0bad_0000;

/// Two halves.
const fn p(low: f32, high: f32) -> u64 {
    h(low) | h(high) << 16
}

pub static CASES: &[Case] = &[
    case("v_cvt_i32_f64", &[d(-3.99)], 0xffff_fffd),
    case("v_cvt_i32_f64", &[d(1e10)], 0x7fff_ffff),
    case("v_cvt_i32_f64", &[NAN], 0),
    case("v_cvt_f64_i32", &[0xffff_ffff], d(-1.0)),
    case("v_cvt_f32_f64", &[d(1.0 + 1e-12)], f(1.0)),
    case("v_cvt_f32_f64", &[d(1e300)], f(f32::INFINITY)),
    case("v_cvt_f64_f32", &[1], d(1.401_298_464_324_817e-45)),
    case("v_cvt_f64_f32", &[f(-2.5)], d(-2.5)),
    case("v_cvt_u32_f64", &[d(4_294_967_295.5)], 0xffff_ffff),
    case("v_cvt_u32_f64", &[d(-5.0)], 0),
    case("v_cvt_f64_u32", &[0xffff_ffff], d(4_294_967_295.0)),
    case("v_trunc_f64", &[d(-2.75)], d(-2.0)),
    case("v_trunc_f64", &[d(2.75)], d(2.0)),
    case("v_ceil_f64", &[d(-2.75)], d(-2.0)),
    case("v_ceil_f64", &[d(2.25)], d(3.0)),
    case("v_rndne_f64", &[d(2.5)], d(2.0)),
    case("v_rndne_f64", &[d(3.5)], d(4.0)),
    case("v_rndne_f64", &[d(-2.75)], d(-3.0)),
    case("v_floor_f64", &[d(-2.25)], d(-3.0)),
    case("v_floor_f64", &[d(2.75)], d(2.0)),
    case("v_rcp_f64", &[d(-4.0)], d(-0.25)),
    case("v_rcp_f64", &[MINUS], MINUS | INF),
    case("v_rsq_f64", &[d(0.0625)], d(4.0)),
    case("v_sqrt_f64", &[d(9.0)], d(3.0)),
    case("v_frexp_exp_i32_f64", &[d(12.0)], 4),
    case("v_frexp_exp_i32_f64", &[1], 0xffff_fbcf),
    case("v_frexp_mant_f64", &[d(-12.0)], d(-0.75)),
    case("v_frexp_mant_f64", &[1], d(0.5)),
    case("v_fract_f64", &[d(-0.25)], d(0.75)),
    case("v_fma_f64", &[d(2.0), d(3.0), d(1.0)], d(7.0)),
    case("v_fma_f64", &[d(1.0 + f64::EPSILON), d(1.0 - f64::EPSILON), d(-1.0)], d(-f64::EPSILON * f64::EPSILON)),
    case("v_add_f64", &[d(1.0), d(-3.5)], d(-2.5)),
    case("v_add_f64", &[INF, MINUS | d(1.0)], INF),
    case("v_mul_f64", &[d(3.0), d(-2.0)], d(-6.0)),
    case("v_mul_f64", &[d(1e-200), d(1e-115)], d(1e-200 * 1e-115)),
    case("v_min_f64", &[d(1.0), d(-2.0)], d(-2.0)),
    case("v_min_f64", &[NAN, d(-2.0)], d(-2.0)),
    case("v_min_f64", &[d(1.5), d(2.5)], d(1.5)),
    case("v_max_f64", &[d(1.0), d(-2.0)], d(1.0)),
    case("v_max_f64", &[d(-2.0), NAN], d(-2.0)),
    case("v_max_f64", &[d(1.5), d(2.5)], d(2.5)),
    case("v_ldexp_f64", &[d(3.0), 0xffff_fffe], d(0.75)),
    case("v_ldexp_f64", &[d(1.0), 2000], INF),
    case("v_ldexp_f64", &[1, 2097], 0x7fe0_0000_0000_0000),
    masks("v_div_scale_f64", &[d(2.0), d(2.0), d(6.0)], d(2.0), false),
    masks("v_div_scale_f64", &[d(1e-200), d(1e-200), d(1e200)], 0x1e68_7e92_154e_f7ac, true),
    case("v_div_fmas_f64", &[d(2.0), d(3.0), d(1.0), 0], d(7.0)),
    case("v_div_fmas_f64", &[d(2.0), d(3.0), d(4.0), 1], 0x4824_0000_0000_0000),
    case("v_div_fmas_f64", &[d(2.0), d(3.0), d(1.0), 1], 0x381c_0000_0000_0000),
    case("v_div_fixup_f64", &[d(2.5), d(-2.0), d(5.0)], d(-2.5)),
    case("v_div_fixup_f64", &[NAN, 0, d(5.0)], INF),
    case("v_div_fixup_f64", &[d(1.0), d(-5.0), INF], MINUS | INF),
    case("v_div_fixup_f64", &[d(1.0), INF, d(-5.0)], MINUS),
    // 2/pi is 0.6366197723675813...; the bits below it, and those for an argument of 2^77.
    case("v_trig_preop_f64", &[d(1.0), 0], 0x3fe4_5f30_6dc9_c882),
    case("v_trig_preop_f64", &[d(1.0), 1], 0x3c94_a7f0_9d5f_47d4),
    case("v_trig_preop_f64", &[1100 << 52, 0], 0x3e76_e4e4_4152_9fc2),
    masks("v_mad_u64_u32", &[0xffff_ffff, 0xffff_ffff, 5], 0xffff_fffe_0000_0006, false),
    masks("v_mad_u64_u32", &[0xffff_ffff, 0xffff_ffff, u64::MAX], 0xffff_fffe_0000_0000, true),
    masks("v_mad_i64_i32", &[0xffff_ffff, 3, 1], u64::MAX - 1, false),
    masks("v_mad_i64_i32", &[1, 1, i64::MAX as u64], 1 << 63, true),
    case("v_lshlrev_b64", &[68, 0x1234_5678_9abc_def0], 0x2345_6789_abcd_ef00),
    case("v_lshrrev_b64", &[68, 0x8234_5678_9abc_def0], 0x0823_4567_89ab_cdef),
    case("v_ashrrev_i64", &[68, 0x8234_5678_9abc_def0], 0xf823_4567_89ab_cdef),
    case("v_pk_mad_i16", &[0x0003_0002, 0x0004_5555, 0x0005_0001], 0x0011_aaab),
    case("v_pk_mul_lo_u16", &[0x0003_0101, 0x0004_0103], 0x000c_0403),
    case("v_pk_add_i16", &[0xffff_8002, 0x0003_7fff], 0x0002_0001),
    case("v_pk_sub_i16", &[0xffff_0002, 0x0003_7fff], 0xfffc_8003),
    case("v_pk_lshlrev_b16", &[0x0004_0011, 0x1003_8001], 0x0030_0002),
    case("v_pk_lshrrev_b16", &[0x0004_0011, 0x8003_8001], 0x0800_4000),
    case("v_pk_ashrrev_i16", &[0x0004_0011, 0x8003_8001], 0xf800_c000),
    case("v_pk_max_i16", &[0xffff_0007, 0x0001_fff3], 0x0001_0007),
    case("v_pk_min_i16", &[0xffff_0007, 0x0001_0003], 0xffff_0003),
    case("v_pk_mad_u16", &[0x0003_0002, 0x0004_5555, 0x0005_0001], 0x0011_aaab),
    case("v_pk_add_u16", &[0xffff_8002, 0x0003_7fff], 0x0002_0001),
    case("v_pk_sub_u16", &[0xffff_0002, 0x0003_7fff], 0xfffc_8003),
    case("v_pk_max_u16", &[0xffff_0007, 0x0001_0009], 0xffff_0009),
    case("v_pk_min_u16", &[0xffff_0007, 0x0001_0009], 0x0001_0007),
    case("v_pk_fma_f16", &[p(2.0, -3.0), p(3.0, 4.0), p(1.0, 0.5)], p(7.0, -11.5)),
    case("v_pk_add_f16", &[p(2.0, -3.0), p(3.0, 4.5)], p(5.0, 1.5)),
    case("v_pk_mul_f16", &[p(2.0, -3.0), p(3.0, 4.5)], p(6.0, -13.5)),
    case("v_pk_min_f16", &[p(2.0, -3.0), p(3.0, -4.5)], p(2.0, -4.5)),
    case("v_pk_max_f16", &[p(2.0, -3.0), p(3.0, -4.5)], p(3.0, -3.0)),
    case("v_fma_mix_f32", &[h(2.0), h(3.0), h(1.0)], f(7.0)),
    case("v_fma_mixlo_f16", &[h(2.0), h(3.0), h(1.0)], KEPT | h(7.0)),
    case("v_fma_mixhi_f16", &[h(2.0), h(3.0), h(1.0)], h(7.0) << 16 | 0xf00d),
];

#[test]
fn wide_and_packed_instructions_give_the_documented_results() {
    let wrong: Vec<_> = CASES.iter().filter_map(|case| case.check(vector_row(case.name).run).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
