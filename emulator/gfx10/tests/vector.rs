//! Vector instructions on up to 32 bits, lane by lane.

use super::state::{SDST, f, give, got, h, operands, set, vector_row, wave};
use crate::operands::Src;
use crate::valu::VectorFn;
use crate::wave::reg;

/// One instruction on one lane.
pub struct Case {
    pub name: &'static str,
    /// Sources; masks (of `v_cndmask_b32` and the carries in) go to scalar registers.
    pub from: &'static [u64],
    /// The destination before and after.
    pub old: u64,
    pub want: u64,
    /// Bit 0 of the mask that the instruction writes.
    pub mask: Option<bool>,
}

pub const fn case(name: &'static str, from: &'static [u64], want: u64) -> Case {
    Case { name, from, old: 0xdead_beef_0bad_f00d, want, mask: None }
}

/// A case whose destination counts, too, before.
pub const fn onto(name: &'static str, old: u64, from: &'static [u64], want: u64) -> Case {
    Case { name, from, old, want, mask: None }
}

const fn carries(name: &'static str, from: &'static [u64], want: u64, mask: bool) -> Case {
    Case { name, from, old: 0, want, mask: Some(mask) }
}

impl Case {
    /// Runs the sources through `run`. Only as much of the result counts as the instruction has.
    pub fn check(&self, run: VectorFn) -> Result<(), String> {
        let mut w = wave();
        give(&mut w, 0, self.from);
        give(&mut w, 1, self.from);
        set(&mut w, 0, self.old);
        set(&mut w, 1, self.old);
        let mut i = operands(self.from.len());
        // What an instruction does not have must not matter.
        for unused in self.from.len()..3 {
            i.src[unused] = Src::code(UNUSED);
        }
        if self.name.contains("_co_ci_") || self.name == "v_cndmask_b32" {
            w.s[30] = self.from[2] as u32;
            i.src[2] = Src::code(30);
        }
        if self.name.starts_with("v_div_fmas") {
            w.s[usize::from(reg::VCC)] = self.from[3] as u32;
        }
        w.s[usize::from(SDST)] = 0xaaaa;
        let kept = w.s;
        run(&mut w, &i);
        let bits = if self.want >> 32 != 0 { u64::MAX } else { 0xffff_ffff };
        let result = got(&w, 0);
        if (result ^ self.want) & bits != 0 {
            return Err(format!("{} {:x?}: {result:#x}, not {:#x}", self.name, self.from, self.want));
        }
        let mut scalars = kept;
        scalars[usize::from(SDST)] = w.s[usize::from(SDST)];
        if w.s != scalars || self.mask.is_none() && w.s != kept {
            return Err(format!("{} writes a scalar register", self.name));
        }
        if let Some(mask) = self.mask
            && w.s[usize::from(SDST)] != u32::from(mask)
        {
            return Err(format!("{} {:x?}: mask {:#x}, not {mask}", self.name, self.from, w.s[usize::from(SDST)]));
        }
        if got(&w, 1) != self.old {
            return Err(format!("{} wrote a lane that is not active", self.name));
        }
        Ok(())
    }
}

/// The inline constant 37.
const UNUSED: u16 = 128 + 37;
const MINUS: u64 = 0x8000_0000;
const NAN: u64 = 0x7fc0_0000;
const INF: u64 = 0x7f80_0000;
/// The least denormal.
const TINY: u64 = 1;
const MAX: u64 = 0xffff_ffff;
/// The upper half of a register that an instruction on 16 bits keeps.
const KEPT: u64 = 0x0bad_0000;

pub static CASES: &[Case] = &[
    onto("v_nop", 5, &[1], 5),
    onto("v_nop", 5, &[100], 5),
    onto("v_pipeflush", 5, &[100], 5),
    onto("v_clrexcp", 5, &[100], 5),
    onto("v_pipeflush", 5, &[1], 5),
    onto("v_clrexcp", 5, &[1], 5),
    case("v_mov_b32", &[0x1234_5678], 0x1234_5678),
    case("v_mov_b32", &[0x7f80_0001], 0x7f80_0001),
    case("v_mov_b32", &[0xbf80_2003], 0xbf80_2003),
    case("v_cvt_f32_i32", &[MAX], f(-1.0)),
    case("v_cvt_f32_i32", &[16_777_217], f(16_777_216.0)),
    case("v_cvt_f32_u32", &[MAX], f(4_294_967_296.0)),
    case("v_cvt_u32_f32", &[f(3.99)], 3),
    case("v_cvt_u32_f32", &[f(-1.0)], 0),
    case("v_cvt_u32_f32", &[INF], MAX),
    case("v_cvt_u32_f32", &[NAN], 0),
    case("v_cvt_i32_f32", &[f(-3.99)], MAX - 2),
    case("v_cvt_i32_f32", &[f(-1e10)], 0x8000_0000),
    case("v_cvt_i32_f32", &[f(1e10)], 0x7fff_ffff),
    case("v_cvt_f16_f32", &[f(1.5)], KEPT | h(1.5)),
    case("v_cvt_f16_f32", &[f(1e6)], KEPT | 0x7c00),
    case("v_cvt_f16_f32", &[f(-1.0e-7)], KEPT | 0x8002),
    case("v_cvt_f32_f16", &[0xffff_0001], f(5.960_464_5e-8)),
    case("v_cvt_f32_f16", &[h(-2.5)], f(-2.5)),
    case("v_cvt_rpi_i32_f32", &[f(-2.5)], MAX - 1),
    case("v_cvt_rpi_i32_f32", &[f(2.5)], 3),
    case("v_cvt_flr_i32_f32", &[f(-2.5)], MAX - 2),
    case("v_cvt_off_f32_i4", &[0xf8], f(-0.5)),
    case("v_cvt_off_f32_i4", &[7], f(0.4375)),
    case("v_cvt_f32_ubyte0", &[0x0102_03fe], f(254.0)),
    case("v_cvt_f32_ubyte1", &[0x0102_03fe], f(3.0)),
    case("v_cvt_f32_ubyte2", &[0x0102_03fe], f(2.0)),
    case("v_cvt_f32_ubyte3", &[0xfe02_03fe], f(254.0)),
    case("v_cvt_f32_ubyte3", &[0x0102_03fe], f(1.0)),
    case("v_fract_f32", &[f(-0.25)], f(0.75)),
    case("v_fract_f32", &[MINUS | TINY], 0x3f7f_ffff),
    case("v_trunc_f32", &[f(-2.75)], f(-2.0)),
    case("v_trunc_f32", &[f(2.75)], f(2.0)),
    case("v_trunc_f32", &[f(-0.75)], f(-0.0)),
    case("v_ceil_f32", &[f(-2.75)], f(-2.0)),
    case("v_ceil_f32", &[f(2.25)], f(3.0)),
    case("v_rndne_f32", &[f(2.5)], f(2.0)),
    case("v_rndne_f32", &[f(2.75)], f(3.0)),
    case("v_rndne_f32", &[f(-3.5)], f(-4.0)),
    case("v_floor_f32", &[f(-2.25)], f(-3.0)),
    case("v_exp_f32", &[f(-3.0)], f(0.125)),
    case("v_exp_f32", &[f(128.0)], INF),
    case("v_log_f32", &[f(0.125)], f(-3.0)),
    case("v_log_f32", &[0], MINUS | INF),
    case("v_rcp_f32", &[f(-4.0)], f(-0.25)),
    case("v_rcp_f32", &[MINUS], MINUS | INF),
    case("v_rcp_iflag_f32", &[f(8.0)], f(0.125)),
    case("v_rsq_f32", &[f(0.0625)], f(4.0)),
    case("v_rsq_f32", &[INF], 0),
    case("v_sqrt_f32", &[f(9.0)], f(3.0)),
    case("v_sqrt_f32", &[MINUS], MINUS),
    case("v_sin_f32", &[f(0.25)], f(1.0)),
    case("v_sin_f32", &[f(0.75)], f(-1.0)),
    case("v_cos_f32", &[f(0.5)], f(-1.0)),
    case("v_cos_f32", &[f(0.0)], f(1.0)),
    case("v_not_b32", &[0xf0f0_1234], 0x0f0f_edcb),
    case("v_bfrev_b32", &[0x8000_0002], 0x4000_0001),
    case("v_ffbh_u32", &[0x0010_0000], 11),
    case("v_ffbh_u32", &[0], MAX),
    case("v_ffbh_u32", &[0xfff0_0000], 0),
    case("v_ffbl_b32", &[0x0010_0000], 20),
    case("v_ffbl_b32", &[0], MAX),
    case("v_ffbh_i32", &[0xfff0_0000], 12),
    case("v_ffbh_i32", &[MAX], MAX),
    case("v_ffbh_i32", &[1], 31),
    case("v_frexp_exp_i32_f32", &[f(12.0)], 4),
    case("v_frexp_exp_i32_f32", &[TINY], MAX - 147),
    case("v_frexp_exp_i32_f32", &[INF], 0),
    case("v_frexp_mant_f32", &[f(-12.0)], f(-0.75)),
    case("v_frexp_mant_f32", &[TINY], f(0.5)),
    case("v_cvt_f16_u16", &[0xffff_0003], KEPT | h(3.0)),
    case("v_cvt_f16_u16", &[0xfff0], KEPT | h(65_520.0)),
    case("v_cvt_f16_i16", &[0xfffd], KEPT | h(-3.0)),
    case("v_cvt_u16_f16", &[h(3.7)], KEPT | 3),
    case("v_cvt_u16_f16", &[h(-3.7)], KEPT),
    case("v_cvt_u16_f16", &[h(40_000.0)], KEPT | 40_000),
    case("v_cvt_i16_f16", &[h(-3.7)], KEPT | 0xfffd),
    case("v_cvt_i16_f16", &[h(40_000.0)], KEPT | 0x7fff),
    case("v_rcp_f16", &[h(-4.0)], KEPT | h(-0.25)),
    case("v_sqrt_f16", &[h(9.0)], KEPT | h(3.0)),
    case("v_rsq_f16", &[h(0.0625)], KEPT | h(4.0)),
    case("v_log_f16", &[h(0.125)], KEPT | h(-3.0)),
    case("v_exp_f16", &[h(-3.0)], KEPT | h(0.125)),
    case("v_frexp_mant_f16", &[h(-12.0)], KEPT | h(-0.75)),
    case("v_frexp_exp_i16_f16", &[h(0.125)], KEPT | 0xfffe),
    case("v_floor_f16", &[h(-2.25)], KEPT | h(-3.0)),
    case("v_floor_f16", &[h(2.75)], KEPT | h(2.0)),
    case("v_ceil_f16", &[h(2.25)], KEPT | h(3.0)),
    case("v_ceil_f16", &[h(-2.75)], KEPT | h(-2.0)),
    case("v_trunc_f16", &[h(-2.75)], KEPT | h(-2.0)),
    case("v_trunc_f16", &[h(2.75)], KEPT | h(2.0)),
    case("v_rndne_f16", &[h(2.5)], KEPT | h(2.0)),
    case("v_rndne_f16", &[h(3.5)], KEPT | h(4.0)),
    case("v_rndne_f16", &[h(-2.75)], KEPT | h(-3.0)),
    case("v_fract_f16", &[h(-0.25)], KEPT | h(0.75)),
    case("v_sin_f16", &[h(0.25)], KEPT | h(1.0)),
    case("v_sin_f16", &[h(0.75)], KEPT | h(-1.0)),
    case("v_cos_f16", &[h(0.5)], KEPT | h(-1.0)),
    case("v_cos_f16", &[h(3.0)], KEPT | h(1.0)),
    case("v_sat_pk_u8_i16", &[0x0012_0134], KEPT | 0x12ff),
    case("v_sat_pk_u8_i16", &[0xfff0_0034], KEPT | 0x0034),
    case("v_cndmask_b32", &[11, 22, 1], 22),
    case("v_cndmask_b32", &[11, 22, 0xfffe], 11),
    case("v_add_f32", &[f(1.0), f(-3.5)], f(-2.5)),
    case("v_add_f32", &[TINY, TINY], 2),
    case("v_add_f32", &[INF, f(1.0)], INF),
    case("v_sub_f32", &[f(1.0), f(3.5)], f(-2.5)),
    case("v_sub_f32", &[MINUS, 0], MINUS),
    case("v_subrev_f32", &[f(1.0), f(3.5)], f(2.5)),
    onto("v_mac_legacy_f32", f(1.0), &[f(2.0), f(3.0)], f(7.0)),
    onto("v_mac_legacy_f32", f(1.0), &[0, INF], f(1.0)),
    case("v_mul_legacy_f32", &[0, INF], 0),
    case("v_mul_legacy_f32", &[f(3.0), f(-2.0)], f(-6.0)),
    case("v_mul_f32", &[f(3.0), f(-2.0)], f(-6.0)),
    case("v_mul_f32", &[MINUS, f(2.0)], MINUS),
    case("v_mul_f32", &[f(1e-30), f(1e-10)], f(1e-40)),
    case("v_mul_i32_i24", &[0xfff_ffff, 5], MAX - 4),
    case("v_mul_hi_i32_i24", &[0xff_ffff, 5], MAX),
    case("v_mul_hi_i32_i24", &[0x40_0000, 0x40_0000], 0x1000),
    case("v_mul_u32_u24", &[0x1ff_ffff, 5], 0x4ff_fffb),
    case("v_mul_hi_u32_u24", &[0xff80_0000, 0xff00_1000], 8),
    case("v_mul_hi_u32_u24", &[0xff_ffff, 0xff_ffff], 0xffff),
    case("v_min_f32", &[f(1.0), f(-2.0)], f(-2.0)),
    case("v_min_f32", &[0xc000_0001, 0xbf80_ffff], 0xc000_0001),
    case("v_min_f32", &[NAN, f(-2.0)], f(-2.0)),
    case("v_min_f32", &[f(3.0), NAN], f(3.0)),
    case("v_min_f32", &[0, MINUS], MINUS),
    case("v_max_f32", &[f(1.0), f(-2.0)], f(1.0)),
    case("v_max_f32", &[NAN, f(-2.0)], f(-2.0)),
    case("v_max_f32", &[0x4000_0001, 0x3f80_ffff], 0x4000_0001),
    case("v_max_f32", &[MINUS, 0], 0),
    case("v_min_i32", &[1, MAX], MAX),
    case("v_min_i32", &[0x4000_0007, 0x4000_0005], 0x4000_0005),
    case("v_max_i32", &[1, MAX], 1),
    case("v_max_i32", &[0x4000_0005, 0x4000_0006], 0x4000_0006),
    case("v_min_u32", &[1, MAX], 1),
    case("v_min_u32", &[7, 5], 5),
    case("v_min_u32", &[0x7fc0_0000, 0xff80_0002], 0x7fc0_0000),
    case("v_max_u32", &[1, MAX], MAX),
    case("v_max_u32", &[6, 5], 6),
    case("v_max_u32", &[0x0001_0002, 0x0002_0001], 0x0002_0001),
    case("v_lshrrev_b32", &[36, 0x8000_0000], 0x0800_0000),
    case("v_ashrrev_i32", &[36, 0x8000_0000], 0xf800_0000),
    case("v_lshlrev_b32", &[36, 0x0101_9003], 0x1019_0030),
    case("v_and_b32", &[0b1100, 0b1010], 0b1000),
    case("v_or_b32", &[0b1100, 0b1010], 0b1110),
    case("v_xor_b32", &[0b1100, 0b1010], 0b0110),
    case("v_xnor_b32", &[0b1100, 0b1010], 0xffff_fff9),
    onto("v_mac_f32", f(1.0), &[f(2.0), f(3.0)], f(7.0)),
    onto("v_mac_f32", f(-1.0), &[0x3f80_0800, 0x3f7f_f001], 0),
    onto("v_mac_f32", TINY, &[TINY, f(1.0)], 0),
    case("v_madmk_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_madmk_f32", &[TINY, f(1.0), TINY], 0),
    case("v_madak_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_madak_f32", &[TINY, f(1.0), TINY], 0),
    case("v_add_nc_u32", &[MAX, 5], 4),
    case("v_add_nc_u32", &[300, 0xffff_0000], 0xffff_012c),
    case("v_sub_nc_u32", &[3, 5], MAX - 1),
    case("v_subrev_nc_u32", &[3, 5], 2),
    case("v_subrev_nc_u32", &[5, 3], MAX - 1),
    carries("v_add_co_ci_u32", &[MAX, 0, 1], 0, true),
    carries("v_add_co_ci_u32", &[1, 1, 0], 2, false),
    carries("v_sub_co_ci_u32", &[5, 5, 1], MAX, true),
    carries("v_sub_co_ci_u32", &[5, 3, 1], 1, false),
    carries("v_subrev_co_ci_u32", &[5, 5, 1], MAX, true),
    carries("v_subrev_co_ci_u32", &[3, 5, 1], 1, false),
    onto("v_fmac_f32", f(1.0), &[f(2.0), f(3.0)], f(7.0)),
    onto("v_fmac_f32", f(-1.0), &[0x3f80_0800, 0x3f7f_f001], 0x2d80_0000),
    onto("v_fmac_f32", TINY, &[TINY, f(1.0)], 2),
    case("v_fmamk_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_fmamk_f32", &[TINY, f(1.0), TINY], 2),
    case("v_fmaak_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_fmaak_f32", &[TINY, f(1.0), TINY], 2),
    case("v_cvt_pkrtz_f16_f32", &[f(1.000_9), f(-1.000_9)], 0xbc00_3c00),
    case("v_cvt_pkrtz_f16_f32", &[f(1e6), INF], 0x7c00_7bff),
    case("v_add_f16", &[h(1.0), h(-3.5)], KEPT | h(-2.5)),
    case("v_sub_f16", &[h(1.0), h(3.5)], KEPT | h(-2.5)),
    case("v_subrev_f16", &[h(1.0), h(3.5)], KEPT | h(2.5)),
    case("v_mul_f16", &[h(3.0), h(-2.5)], KEPT | h(-7.5)),
    onto("v_fmac_f16", KEPT | h(1.0), &[h(2.0), h(3.0)], KEPT | h(7.0)),
    case("v_fmamk_f16", &[h(2.0), h(3.0), h(1.0)], KEPT | h(7.0)),
    case("v_fmaak_f16", &[h(2.0), h(3.0), h(1.0)], KEPT | h(7.0)),
    case("v_max_f16", &[h(1.0), h(-2.0)], KEPT | h(1.0)),
    case("v_max_f16", &[0x7e00, h(-2.0)], KEPT | h(-2.0)),
    case("v_min_f16", &[h(1.0), h(-2.0)], KEPT | h(-2.0)),
    case("v_min_f16", &[h(1.0), 0x7e00], KEPT | h(1.0)),
    case("v_min_f16", &[h(-3.0), h(-2.0)], KEPT | h(-3.0)),
    case("v_ldexp_f16", &[h(3.0), 0xffff], KEPT | h(1.5)),
    case("v_mad_legacy_f32", &[0, INF, f(2.0)], f(2.0)),
    case("v_mad_legacy_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_mad_legacy_f32", &[TINY, f(1.0), f(0.0)], 0),
    case("v_mad_legacy_f32", &[0x3f80_0800, 0x3f7f_f001, f(-1.0)], 0),
    case("v_fma_legacy_f32", &[0, INF, f(2.0)], f(2.0)),
    case("v_fma_legacy_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_fma_legacy_f32", &[0x3f80_0800, 0x3f7f_f001, f(-1.0)], 0x2d80_0000),
    case("v_fma_legacy_f32", &[TINY, f(1.0), TINY], 2),
    case("v_mad_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_mad_f32", &[TINY, f(1.0), TINY], 0),
    case("v_mad_i32_i24", &[0x1ff_ffff, 5, 7], 2),
    case("v_mad_i32_i24", &[0x1_0000, 3, 7], 0x3_0007),
    case("v_mad_u32_u24", &[0x1ff_ffff, 5, 7], 0x500_0002),
    case("v_bfe_u32", &[0xabcd_1234, 8, 12], 0xd12),
    case("v_bfe_u32", &[0xabcd_1234, 8, 0], 0),
    case("v_bfe_i32", &[0xabcd_1234, 8, 12], 0xffff_fd12),
    case("v_bfe_i32", &[0xabcd_1234, 24, 31], 0xffff_ffab),
    case("v_bfi_b32", &[0x00ff_ff00, 0x1234_5678, 0xabcd_ef01], 0xab34_5601),
    case("v_fma_f32", &[f(2.0), f(3.0), f(1.0)], f(7.0)),
    case("v_fma_f32", &[TINY, f(1.0), TINY], 2),
    case("v_lerp_u8", &[0x0102_03ff, 0x0304_05ff, 0x0001_0100], 0x0203_04ff),
    case("v_lerp_u8", &[0x0000_0001, 0x0000_0002, 1], 2),
    case("v_alignbit_b32", &[0x1234_5678, 0xabcd_ef01, 8], 0x78ab_cdef),
    case("v_alignbyte_b32", &[0x1234_5678, 0xabcd_ef01, 5], 0x78ab_cdef),
    case("v_min3_f32", &[f(3.0), f(-1.0), f(2.0)], f(-1.0)),
    case("v_min3_f32", &[f(7.0), f(8.0), f(6.5)], f(6.5)),
    case("v_min3_f32", &[NAN, f(-1.0), f(-2.0)], f(-2.0)),
    case("v_min3_i32", &[3, MAX, 2], MAX),
    case("v_min3_i32", &[3, 2, 1], 1),
    case("v_min3_i32", &[7, 5, 6], 5),
    case("v_min3_u32", &[3, MAX, 2], 2),
    case("v_min3_u32", &[5, 6, 7], 5),
    case("v_max3_f32", &[f(3.0), f(-1.0), f(2.0)], f(3.0)),
    case("v_max3_f32", &[f(-3.0), f(-1.0), f(-2.0)], f(-1.0)),
    case("v_max3_f32", &[f(-3.0), f(-1.0), f(2.0)], f(2.0)),
    case("v_max3_i32", &[3, MAX, 2], 3),
    case("v_max3_i32", &[3, 4, 5], 5),
    case("v_max3_i32", &[6, 7, 5], 7),
    case("v_max3_i32", &[MAX, MAX - 1, MAX - 2], MAX),
    case("v_max3_u32", &[3, MAX, 2], MAX),
    case("v_max3_u32", &[3, 4, 5], 5),
    case("v_max3_u32", &[6, 7, 5], 7),
    case("v_med3_f32", &[f(3.0), f(-1.0), f(2.0)], f(2.0)),
    case("v_med3_f32", &[f(3.0), NAN, f(2.0)], f(2.0)),
    case("v_med3_f32", &[f(1.5), f(2.5), f(3.5)], f(2.5)),
    case("v_med3_i32", &[3, MAX, 2], 2),
    case("v_med3_i32", &[5, 7, 6], 6),
    case("v_med3_i32", &[7, 6, 5], 6),
    case("v_med3_u32", &[3, MAX, 2], 3),
    case("v_med3_u32", &[5, 7, 6], 6),
    case("v_med3_u32", &[5, 6, 7], 6),
    case("v_sad_u8", &[0x0102_03ff, 0x0301_0500, 10], 2 + 1 + 2 + 255 + 10),
    case("v_sad_hi_u8", &[0x0102_03ff, 0x0301_0500, 10], 260 << 16 | 10),
    case("v_sad_u16", &[0x0001_0005, 0x0003_0001, 10], 16),
    case("v_sad_u16", &[0x0001_ffff, 0x0003_0000, 10], 65_547),
    case("v_sad_u32", &[5, MAX, 7], 1),
    case("v_sad_u32", &[0x0001_0000, 0x0000_0100, 7], 0xff07),
    case("v_cvt_pk_u8_f32", &[f(2.5), 5, 0x1122_3344], 0x1122_0244),
    case("v_cvt_pk_u8_f32", &[f(300.0), 3, 0x1122_3344], 0xff22_3344),
    case("v_cvt_pk_u8_f32", &[f(-1.0), 0, 0x1122_3344], 0x1122_3300),
    case("v_div_fixup_f32", &[f(2.5), f(-2.0), f(5.0)], f(-2.5)),
    case("v_div_fixup_f32", &[NAN, 0, f(5.0)], INF),
    case("v_div_fixup_f32", &[f(1.0), INF, f(-5.0)], MINUS),
    case("v_div_fixup_f32", &[f(1.0), f(-5.0), INF], MINUS | INF),
    case("v_div_fixup_f32", &[NAN, f(1e-30), f(-1e30)], MINUS | INF),
    case("v_mul_lo_u32", &[0x8100_0003, 0x7200_0005], 0xdb00_000f),
    case("v_mul_lo_u32", &[0x1_0001, 0x1_0003], 0x4_0003),
    case("v_mul_hi_u32", &[0x8000_0000, 0x30], 0x18),
    case("v_mul_hi_u32", &[MAX, MAX], MAX - 1),
    case("v_mul_lo_i32", &[0x8100_0003, 0x7200_0005], 0xdb00_000f),
    case("v_mul_lo_i32", &[0x1_0001, 0x1_0003], 0x4_0003),
    case("v_mul_hi_i32", &[MAX, 5], MAX),
    case("v_mul_hi_i32", &[0x4000_0000, 8], 2),
    carries("v_div_scale_f32", &[f(2.0), f(2.0), f(6.0)], f(2.0), false),
    carries("v_div_scale_f32", &[f(1e-30), f(1e-30), f(1e30)], 0x2da2_4260, true),
    carries("v_div_scale_f32", &[TINY, TINY, f(1e-30)], 0x1500_0000, false),
    carries("v_div_scale_f32", &[f(1e-38), f(1e3), f(1e-38)], 0x2059_c7dc, true),
    case("v_div_fmas_f32", &[f(2.0), f(3.0), f(1.0), 0], f(7.0)),
    case("v_div_fmas_f32", &[f(2.0), f(3.0), f(4.0), 1], 0x4120_0000 + 0x2000_0000),
    case("v_div_fmas_f32", &[f(2.0), f(3.0), f(1.0), 1], 0x40e0_0000 - 0x2000_0000),
    case("v_msad_u8", &[0x0102_03ff, 0x0301_0500, 10], 2 + 1 + 2 + 10),
    case("v_xor3_b32", &[1, 3, 10], 8),
    case("v_add_nc_u16", &[0xffff, 3], KEPT | 2),
    case("v_sub_nc_u16", &[3, 5], KEPT | 0xfffe),
    case("v_mul_lo_u16", &[0x101, 0x103], KEPT | 0x403),
    case("v_lshrrev_b16", &[20, 0x8000], KEPT | 0x800),
    case("v_ashrrev_i16", &[20, 0x8000], KEPT | 0xf800),
    case("v_max_u16", &[1, 0xffff], KEPT | 0xffff),
    case("v_max_u16", &[7, 3], KEPT | 7),
    case("v_max_i16", &[1, 0xffff], KEPT | 1),
    case("v_max_i16", &[5, 6], KEPT | 6),
    case("v_max_i16", &[0xfffe, 0xfffd], KEPT | 0xfffe),
    case("v_min_u16", &[1, 0xffff], KEPT | 1),
    case("v_min_u16", &[7, 3], KEPT | 3),
    case("v_min_u16", &[0x7fff, 0xfffe], KEPT | 0x7fff),
    case("v_min_i16", &[1, 0xffff], KEPT | 0xffff),
    case("v_min_i16", &[7, 5], KEPT | 5),
    case("v_min_i16", &[0xfffe, 0xfffd], KEPT | 0xfffd),
    case("v_add_nc_i16", &[0x7fff, 3], KEPT | 0x8002),
    case("v_sub_nc_i16", &[3, 5], KEPT | 0xfffe),
    carries("v_add_co_u32", &[MAX, 2], 1, true),
    carries("v_add_co_u32", &[1, 2], 3, false),
    carries("v_sub_co_u32", &[1, 2], MAX, true),
    carries("v_sub_co_u32", &[2, 1], 1, false),
    carries("v_subrev_co_u32", &[1, 2], 1, false),
    carries("v_subrev_co_u32", &[2, 1], MAX, true),
    case("v_pack_b32_f16", &[0xaaaa_1234, 0xbbbb_5678], 0x5678_1234),
    case("v_lshlrev_b16", &[20, 0x1003], KEPT | 0x30),
    case("v_mad_u16", &[3, 0x5555, 2], KEPT | 1),
    case("v_perm_b32", &[0x1122_3344, 0x5566_7788, 0x0407_0003], 0x4411_8855),
    case("v_perm_b32", &[0x8122_3344, 0x5566_7788, 0x0c0d_080b], 0x00ff_00ff),
    case("v_xad_u32", &[0b1100, 0b1010, 102], 108),
    case("v_lshl_add_u32", &[3, 36, 0x15], 0x45),
    case("v_add_lshl_u32", &[3, 5, 36], 128),
    case("v_fma_f16", &[h(2.0), h(3.0), h(1.0)], KEPT | h(7.0)),
    case("v_min3_f16", &[h(3.0), h(-1.5), h(2.0)], KEPT | h(-1.5)),
    case("v_min3_f16", &[h(3.0), 0x7e00, h(2.5)], KEPT | h(2.5)),
    case("v_max3_f16", &[h(3.0), h(-1.0), h(2.0)], KEPT | h(3.0)),
    case("v_max3_f16", &[0x7e00, h(-1.5), h(-2.0)], KEPT | h(-1.5)),
    case("v_med3_f16", &[h(3.0), h(-1.0), h(2.0)], KEPT | h(2.0)),
    case("v_med3_f16", &[h(1.5), h(2.5), h(3.5)], KEPT | h(2.5)),
    case("v_med3_i16", &[3, 0xffff, 2], KEPT | 2),
    case("v_med3_i16", &[7, 6, 5], KEPT | 6),
    case("v_med3_u16", &[3, 0xffff, 2], KEPT | 3),
    case("v_med3_u16", &[5, 7, 6], KEPT | 6),
    case("v_min3_i16", &[3, 0xffff, 2], KEPT | 0xffff),
    case("v_min3_i16", &[3, 2, 1], KEPT | 1),
    case("v_min3_i16", &[6, 5, 7], KEPT | 5),
    case("v_min3_u16", &[3, 0xffff, 2], KEPT | 2),
    case("v_min3_u16", &[6, 5, 7], KEPT | 5),
    case("v_max3_i16", &[3, 0xffff, 2], KEPT | 3),
    case("v_max3_i16", &[3, 4, 5], KEPT | 5),
    case("v_max3_u16", &[3, 0xffff, 2], KEPT | 0xffff),
    case("v_max3_u16", &[3, 4, 5], KEPT | 5),
    case("v_max3_u16", &[6, 7, 5], KEPT | 7),
    case("v_mad_i16", &[3, 0x5555, 2], KEPT | 1),
    case("v_ldexp_f32", &[f(3.0), MAX - 1], f(0.75)),
    case("v_ldexp_f32", &[f(3.0), 200], INF),
    case("v_ldexp_f32", &[f(1.0), MAX - 148], TINY),
    case("v_bfm_b32", &[4, 8], 0xf00),
    case("v_bcnt_u32_b32", &[0xff00_0001, 100], 109),
    case("v_cvt_pk_u16_u32", &[0x1_0000, 7], 0x0007_ffff),
    case("v_cvt_pk_i16_i32", &[5, 7], 0x0007_0005),
    case("v_cvt_pk_i16_i32", &[MAX - 4, 0x1_0000], 0x7fff_fffb),
    case("v_add3_u32", &[MAX, 3, 4], 6),
    case("v_lshl_or_b32", &[3, 36, 0x11], 0x31),
    case("v_and_or_b32", &[0b1100, 0b1010, 3], 11),
    case("v_or3_b32", &[1, 3, 10], 11),
    case("v_mad_u32_u16", &[0xf_ffff, 2, 1], 0x1_ffff),
    case("v_mad_i32_i16", &[0xf_ffff, 9, 1], 0xffff_fff8),
    case("v_sub_nc_i32", &[3, 5], MAX - 1),
    case("v_add_nc_i32", &[MAX, 5], 4),
    case("v_add_nc_i32", &[300, 0xffff_0000], 0xffff_012c),
];

#[test]
fn vector_instructions_give_the_documented_results() {
    let wrong: Vec<_> = CASES.iter().filter_map(|case| case.check(vector_row(case.name).run).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
