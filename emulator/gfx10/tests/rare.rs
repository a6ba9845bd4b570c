//! Vector instructions that few kernels use: dot products, cubes, sums of differences, norms.

use super::state::{f, h, vector_row};
use super::vector::{Case, case, onto};

/// Two halves.
const fn p(low: f32, high: f32) -> u64 {
    h(low) | h(high) << 16
}

const INF: u64 = 0x7f80_0000;
const MINUS: u64 = 0x8000_0000;
const LEAST: u64 = f(f32::MIN);
/// The upper half of a register that an instruction on 16 bits keeps.
const KEPT: u64 = 0x0bad_0000;

pub static CASES: &[Case] = &[
    onto("v_dot2c_f32_f16", f(1.0), &[p(2.0, 3.0), p(4.0, 5.0)], f(24.0)),
    onto("v_dot4c_i32_i8", 10, &[0x01ff_0203, 0x0204_0506], 36),
    onto("v_fmac_legacy_f32", f(5.0), &[0, INF], f(5.0)),
    onto("v_fmac_legacy_f32", f(1.0), &[f(2.0), f(3.0)], f(7.0)),
    onto("v_pk_fmac_f16", p(1.0, 0.5), &[p(2.0, -3.0), p(3.0, 4.0)], p(7.0, -11.5)),
    case("v_cvt_norm_i16_f16", &[h(1.0)], KEPT | 0x7fff),
    case("v_cvt_norm_i16_f16", &[h(-4.0)], KEPT | 0x8001),
    case("v_cvt_norm_i16_f16", &[h(0.5)], KEPT | 0x4000),
    case("v_cvt_norm_i16_f16", &[0x7e00], KEPT),
    case("v_cvt_norm_u16_f16", &[h(1.5)], KEPT | 0xffff),
    case("v_cvt_norm_u16_f16", &[h(0.5)], KEPT | 0x8000),
    case("v_cvt_norm_u16_f16", &[h(-1.0)], KEPT),
    case("v_cubeid_f32", &[f(1.0), f(2.0), f(3.0)], f(4.0)),
    case("v_cubeid_f32", &[f(1.0), f(2.0), f(-3.0)], f(5.0)),
    case("v_cubeid_f32", &[f(1.0), f(-3.0), f(2.0)], f(3.0)),
    case("v_cubeid_f32", &[f(1.0), f(1.0), f(0.0)], f(2.0)),
    case("v_cubeid_f32", &[f(-3.0), f(1.0), f(2.0)], f(1.0)),
    case("v_cubeid_f32", &[f(3.0), f(1.0), f(2.0)], 0),
    case("v_cubesc_f32", &[f(1.0), f(2.0), f(3.0)], f(1.0)),
    case("v_cubesc_f32", &[f(1.0), f(2.0), f(-3.0)], f(-1.0)),
    case("v_cubesc_f32", &[f(1.0), f(-3.0), f(2.0)], f(1.0)),
    case("v_cubesc_f32", &[f(3.0), f(1.0), f(2.0)], f(-2.0)),
    case("v_cubesc_f32", &[f(-3.0), f(1.0), f(2.0)], f(2.0)),
    case("v_cubetc_f32", &[f(1.0), f(2.0), f(3.0)], f(-2.0)),
    case("v_cubetc_f32", &[f(1.0), f(3.0), f(2.0)], f(2.0)),
    case("v_cubetc_f32", &[f(1.0), f(-3.0), f(2.0)], f(-2.0)),
    case("v_cubetc_f32", &[f(3.0), f(1.0), f(2.0)], f(-1.0)),
    case("v_cubema_f32", &[f(1.0), f(2.0), f(-3.0)], f(-6.0)),
    case("v_cubema_f32", &[f(1.0), f(3.0), f(2.0)], f(6.0)),
    case("v_mullit_f32", &[f(2.0), f(3.0), f(1.0)], f(6.0)),
    case("v_mullit_f32", &[f(2.0), f(3.0), 0], LEAST),
    case("v_mullit_f32", &[f(2.0), MINUS | INF, f(1.0)], LEAST),
    case("v_mullit_f32", &[0, INF, f(1.0)], 0),
    case("v_qsad_pk_u16_u8", &[0x0807_0605_0403_0201, 0x0403_0201, 0x0004_0003_0002_0001], 0x0010_000b_0006_0001),
    case("v_mqsad_pk_u16_u8", &[0x0807_0605_0403_0201, 0x0400_0201, 0x0004_0003_0002_0001], 0x000d_0009_0005_0001),
    case("v_cvt_pknorm_i16_f16", &[h(1.0), h(-1.0)], 0x8001_7fff),
    case("v_cvt_pknorm_u16_f16", &[h(1.0), h(0.5)], 0x8000_ffff),
    case("v_cvt_pknorm_i16_f32", &[f(0.25), f(2.0)], 0x7fff_2000),
    case("v_cvt_pknorm_i16_f32", &[f(f32::NAN), f(-2.0)], 0x8001_0000),
    case("v_cvt_pknorm_u16_f32", &[f(0.25), f(2.0)], 0xffff_4000),
    case("v_div_fixup_f16", &[h(2.5), h(-2.0), h(5.0)], KEPT | h(-2.5)),
    case("v_div_fixup_f16", &[0x7e00, 0, h(5.0)], KEPT | 0x7c00),
    case("v_div_fixup_f16", &[h(1.0), 0x7c00, h(-5.0)], KEPT | 0x8000),
    case("v_dot2_f32_f16", &[p(2.0, 3.0), p(4.0, 5.0), f(1.0)], f(24.0)),
    case("v_dot2_i32_i16", &[0xffff_0003, 0x0002_0004, 10], 20),
    case("v_dot2_u32_u16", &[0xffff_0003, 0x0002_0004, 10], 0x2_0014),
    case("v_dot4_i32_i8", &[0x01ff_0203, 0x0204_0506, 10], 36),
    case("v_dot4_u32_u8", &[0x01ff_0203, 0x0204_0506, 10], 0x424),
    case("v_dot8_i32_i4", &[0xf000_0021, 0x2000_0043, 10], 19),
    case("v_dot8_u32_u4", &[0xf000_0021, 0x2000_0043, 10], 51),
];

#[test]
fn rare_instructions_give_the_documented_results() {
    let wrong: Vec<_> = CASES.iter().filter_map(|case| case.check(vector_row(case.name).run).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
