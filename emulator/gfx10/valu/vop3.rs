//! VOP3: what exists only in the long encoding.

use half::f16;

use super::VectorFn;
use super::int::{integer2, integer3};
use super::map::{Value, carry, each, gather, ieee, map2, map3, max2, min2};
use super::round::{Rounds, round2, round3};
use super::vop1::{lane, norm_i16, norm_u16};
use super::vop2::{fma_legacy, legacy, mad, mad_legacy, signed24, unsigned24};
use super::{cube, div, sad};
use crate::float::{Float, greatest, ldexp64, least, med3};
use crate::operands::{Src, Vector};
use crate::row::{Row, both, rdna1, rdna2};
use crate::wave::{PASS, Pass, Wave, bits};

pub static TABLE: &[Row<VectorFn>] = &[
    rdna1(0x140, "v_mad_legacy_f32", |w, i| round3(w, i, mad_legacy)),
    rdna2(0x140, "v_fma_legacy_f32", |w, i| round3(w, i, fma_legacy)),
    rdna1(0x141, "v_mad_f32", |w, i| round3(w, i, mad)),
    both(0x142, "v_mad_i32_i24", |w, i| {
        integer3::<u32, i32>(w, i, |a, b, c| signed24(a as u32) * signed24(b as u32) + c);
    }),
    both(0x143, "v_mad_u32_u24", |w, i| {
        integer3::<u32, u32>(w, i, |a, b, c| (unsigned24(a as u32) * unsigned24(b as u32)) as i64 + c);
    }),
    both(0x144, "v_cubeid_f32", |w, i| map3(w, i, cube::id)),
    both(0x145, "v_cubesc_f32", |w, i| map3(w, i, cube::sc)),
    both(0x146, "v_cubetc_f32", |w, i| map3(w, i, cube::tc)),
    both(0x147, "v_cubema_f32", |w, i| map3(w, i, cube::ma)),
    both(0x148, "v_bfe_u32", |w, i| {
        map3(w, i, |a: u32, offset: u32, width: u32| a >> (offset & 31) & ((1 << (width & 31)) - 1));
    }),
    both(0x149, "v_bfe_i32", |w, i| map3(w, i, bfe_i32)),
    both(0x14a, "v_bfi_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a & b | !a & c)),
    both(0x14b, "v_fma_f32", |w, i| round3(w, i, f32::fma)),
    both(0x14c, "v_fma_f64", |w, i| round3(w, i, f64::fma)),
    both(0x14d, "v_lerp_u8", |w, i| {
        map3(w, i, |a: u32, b: u32, c: u32| bytes(|n| (byte(a, n) + byte(b, n) + (byte(c, n) & 1)) >> 1));
    }),
    both(0x14e, "v_alignbit_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| (pair(a, b) >> (c & 31)) as u32)),
    both(0x14f, "v_alignbyte_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| (pair(a, b) >> (8 * (c & 3))) as u32)),
    both(0x150, "v_mullit_f32", |w, i| {
        round3(w, i, |a: f32, b: f32, c: f32, r| {
            let nothing = b.is_nan() || b <= f32::MIN || c.is_nan() || c <= 0.0;
            if nothing { f32::MIN } else { legacy(a, b, r) }
        });
    }),
    both(0x151, "v_min3_f32", least3::<f32>),
    both(0x152, "v_min3_i32", |w, i| map3(w, i, |a: i32, b: i32, c: i32| a.min(b).min(c))),
    both(0x153, "v_min3_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a.min(b).min(c))),
    both(0x154, "v_max3_f32", greatest3::<f32>),
    both(0x155, "v_max3_i32", |w, i| map3(w, i, |a: i32, b: i32, c: i32| a.max(b).max(c))),
    both(0x156, "v_max3_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a.max(b).max(c))),
    both(0x157, "v_med3_f32", median::<f32>),
    both(0x158, "v_med3_i32", |w, i| map3(w, i, |a: i32, b: i32, c: i32| a.min(b).max(a.max(b).min(c)))),
    both(0x159, "v_med3_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a.min(b).max(a.max(b).min(c)))),
    both(0x15a, "v_sad_u8", |w, i| integer3::<u32, u32>(w, i, |a, b, c| i64::from(sad::plain(a as u32, b as u32)) + c)),
    both(0x15b, "v_sad_hi_u8", |w, i| {
        integer3::<u32, u32>(w, i, |a, b, c| (i64::from(sad::plain(a as u32, b as u32)) << 16) + c);
    }),
    both(0x15c, "v_sad_u16", |w, i| {
        integer3::<u32, u32>(w, i, |a, b, c| ((a & 0xffff) - (b & 0xffff)).abs() + ((a >> 16) - (b >> 16)).abs() + c);
    }),
    both(0x15d, "v_sad_u32", |w, i| integer3::<u32, u32>(w, i, |a, b, c| (a - b).abs() + c)),
    both(0x15e, "v_cvt_pk_u8_f32", |w, i| {
        map3(w, i, |a: f32, b: u32, c: u32| {
            let at = 8 * (b & 3);
            c & !(0xff << at) | u32::from(a.round_ties_even() as u8) << at
        });
    }),
    both(0x15f, "v_div_fixup_f32", |w, i| {
        map3(w, i, |q: f32, d: f32, n: f32| div::fixup(q.into(), d.into(), n.into(), div::SINGLE) as f32);
    }),
    both(0x160, "v_div_fixup_f64", |w, i| {
        map3(w, i, |q: f64, d: f64, n: f64| div::fixup(q, d, n, div::DOUBLE));
    }),
    both(0x164, "v_add_f64", |w, i| round2(w, i, |a: f64, b: f64, r| a.plus(b, r))),
    both(0x165, "v_mul_f64", |w, i| round2(w, i, |a: f64, b: f64, r| a.times(b, r))),
    both(0x166, "v_min_f64", min2::<f64>),
    both(0x167, "v_max_f64", max2::<f64>),
    both(0x168, "v_ldexp_f64", |w, i| round2(w, i, f64::ldexp)),
    both(0x169, "v_mul_lo_u32", |w, i| map2(w, i, u32::wrapping_mul)),
    both(0x16a, "v_mul_hi_u32", |w, i| map2(w, i, |a: u32, b: u32| ((u64::from(a) * u64::from(b)) >> 32) as u32)),
    rdna1(0x16b, "v_mul_lo_i32", |w, i| map2(w, i, u32::wrapping_mul)),
    both(0x16c, "v_mul_hi_i32", |w, i| map2(w, i, |a: i32, b: i32| ((i64::from(a) * i64::from(b)) >> 32) as u32)),
    both(0x16d, "v_div_scale_f32", div::scale::<f32>),
    both(0x16e, "v_div_scale_f64", div::scale::<f64>),
    both(0x16f, "v_div_fmas_f32", |w, i| {
        // In double precision, so that a denormal result is rounded once.
        let scaled = |a: f32, b: f32, c: f32, by: i32| ldexp64(f64::from(a).mul_add(b.into(), c.into()), by) as f32;
        div::fmas(w, i, f32::mul_add, |a, b, c| scaled(a, b, c, if c.abs() >= 2.0 { 64 } else { -64 }));
    }),
    both(0x170, "v_div_fmas_f64", |w, i| {
        let scaled = |a: f64, b: f64, c: f64, by: i32| ldexp64(a.mul_add(b, c), by);
        div::fmas(w, i, f64::mul_add, |a, b, c| scaled(a, b, c, if c.abs() >= 2.0 { 128 } else { -128 }));
    }),
    both(0x171, "v_msad_u8", |w, i| {
        integer3::<u32, u32>(w, i, |a, b, c| i64::from(sad::masked(a as u32, b as u32)) + c);
    }),
    both(0x172, "v_qsad_pk_u16_u8", |w, i| sad::quad16(w, i, sad::plain)),
    both(0x173, "v_mqsad_pk_u16_u8", |w, i| sad::quad16(w, i, sad::masked)),
    both(0x174, "v_trig_preop_f64", |w, i| map2(w, i, super::trig::preop)),
    both(0x175, "v_mqsad_u32_u8", |w, i| sad::quad32(w, i, sad::masked)),
    both(0x176, "v_mad_u64_u32", |w, i| {
        mad64(w, i, |a, b, c| (u64::from(a) * u64::from(b)).overflowing_add(c));
    }),
    both(0x177, "v_mad_i64_i32", |w, i| {
        mad64(w, i, |a, b, c| {
            let (sum, over) = (i64::from(a as i32) * i64::from(b as i32)).overflowing_add(c as i64);
            (sum as u64, over)
        });
    }),
    both(0x178, "v_xor3_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a ^ b ^ c)),
    both(0x2ff, "v_lshlrev_b64", |w, i| map2(w, i, |a: u32, b: u64| b << (a & 63))),
    both(0x300, "v_lshrrev_b64", |w, i| map2(w, i, |a: u32, b: u64| b >> (a & 63))),
    both(0x301, "v_ashrrev_i64", |w, i| map2(w, i, |a: u32, b: i64| b >> (a & 63))),
    both(0x303, "v_add_nc_u16", |w, i| integer2::<u16, u16>(w, i, |a, b| a + b)),
    both(0x304, "v_sub_nc_u16", |w, i| integer2::<u16, u16>(w, i, |a, b| a - b)),
    both(0x305, "v_mul_lo_u16", |w, i| integer2::<u16, u16>(w, i, |a, b| a * b)),
    both(0x307, "v_lshrrev_b16", |w, i| map2(w, i, |a: u16, b: u16| b >> (a & 15))),
    both(0x308, "v_ashrrev_i16", |w, i| map2(w, i, |a: u16, b: i16| b >> (a & 15))),
    both(0x309, "v_max_u16", |w, i| map2(w, i, |a: u16, b: u16| a.max(b))),
    both(0x30a, "v_max_i16", |w, i| map2(w, i, |a: i16, b: i16| a.max(b))),
    both(0x30b, "v_min_u16", |w, i| map2(w, i, |a: u16, b: u16| a.min(b))),
    both(0x30c, "v_min_i16", |w, i| map2(w, i, |a: i16, b: i16| a.min(b))),
    both(0x30d, "v_add_nc_i16", |w, i| integer2::<i16, i16>(w, i, |a, b| a + b)),
    both(0x30e, "v_sub_nc_i16", |w, i| integer2::<i16, i16>(w, i, |a, b| a - b)),
    both(0x30f, "v_add_co_u32", |w, i| carry(w, i, false, |a, b, _| a + b)),
    both(0x310, "v_sub_co_u32", |w, i| carry(w, i, false, |a, b, _| a.wrapping_sub(b))),
    both(0x311, "v_pack_b32_f16", |w, i| {
        map2(w, i, |a: f16, b: f16| both_halves(a.to_bits(), b.to_bits()));
    }),
    both(0x312, "v_cvt_pknorm_i16_f16", |w, i| {
        map2(w, i, |a: f16, b: f16| both_halves(norm_i16(a.to_f64()) as u16, norm_i16(b.to_f64()) as u16));
    }),
    both(0x313, "v_cvt_pknorm_u16_f16", |w, i| {
        map2(w, i, |a: f16, b: f16| both_halves(norm_u16(a.to_f64()), norm_u16(b.to_f64())));
    }),
    both(0x314, "v_lshlrev_b16", |w, i| map2(w, i, |a: u16, b: u16| b << (a & 15))),
    both(0x319, "v_subrev_co_u32", |w, i| carry(w, i, false, |a, b, _| b.wrapping_sub(a))),
    both(0x340, "v_mad_u16", |w, i| integer3::<u16, u16>(w, i, |a, b, c| a * b + c)),
    both(0x344, "v_perm_b32", |w, i| {
        map3(w, i, |a: u32, b: u32, c: u32| bytes(|n| permuted(pair(a, b), byte(c, n))));
    }),
    both(0x345, "v_xad_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| (a ^ b).wrapping_add(c))),
    both(0x346, "v_lshl_add_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| (a << (b & 31)).wrapping_add(c))),
    both(0x347, "v_add_lshl_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a.wrapping_add(b) << (c & 31))),
    both(0x34b, "v_fma_f16", |w, i| round3(w, i, f16::fma)),
    both(0x351, "v_min3_f16", least3::<f16>),
    both(0x352, "v_min3_i16", |w, i| map3(w, i, |a: i16, b: i16, c: i16| a.min(b).min(c))),
    both(0x353, "v_min3_u16", |w, i| map3(w, i, |a: u16, b: u16, c: u16| a.min(b).min(c))),
    both(0x354, "v_max3_f16", greatest3::<f16>),
    both(0x355, "v_max3_i16", |w, i| map3(w, i, |a: i16, b: i16, c: i16| a.max(b).max(c))),
    both(0x356, "v_max3_u16", |w, i| map3(w, i, |a: u16, b: u16, c: u16| a.max(b).max(c))),
    both(0x357, "v_med3_f16", median::<f16>),
    both(0x358, "v_med3_i16", |w, i| map3(w, i, |a: i16, b: i16, c: i16| a.min(b).max(a.max(b).min(c)))),
    both(0x359, "v_med3_u16", |w, i| map3(w, i, |a: u16, b: u16, c: u16| a.min(b).max(a.max(b).min(c)))),
    both(0x35e, "v_mad_i16", |w, i| integer3::<i16, i16>(w, i, |a, b, c| a * b + c)),
    both(0x35f, "v_div_fixup_f16", |w, i| {
        map3(w, i, |q: f16, d: f16, n: f16| f16::from_f64(div::fixup(q.into(), d.into(), n.into(), div::HALF)));
    }),
    both(0x360, "v_readlane_b32", |w, i| {
        let value = lane(w, i.src[0], w.src32(i.src[1]) as usize);
        w.set_s32(i.dst, value);
    }),
    both(0x361, "v_writelane_b32", |w, i| {
        let (value, to) = (w.src32(i.src[0]), w.src32(i.src[1]) as usize % w.lanes);
        w.v[usize::from(i.dst)][to] = value;
    }),
    both(0x362, "v_ldexp_f32", |w, i| round2(w, i, f32::ldexp)),
    both(0x363, "v_bfm_b32", |w, i| map2(w, i, |a: u32, b: u32| ((1_u32 << (a & 31)) - 1) << (b & 31))),
    both(0x364, "v_bcnt_u32_b32", |w, i| map2(w, i, |a: u32, b: u32| a.count_ones().wrapping_add(b))),
    both(0x365, "v_mbcnt_lo_u32_b32", |w, i| mbcnt(w, i, 0)),
    both(0x366, "v_mbcnt_hi_u32_b32", |w, i| mbcnt(w, i, 32)),
    both(0x368, "v_cvt_pknorm_i16_f32", |w, i| {
        map2(w, i, |a: f32, b: f32| both_halves(norm_i16(a.into()) as u16, norm_i16(b.into()) as u16));
    }),
    both(0x369, "v_cvt_pknorm_u16_f32", |w, i| {
        map2(w, i, |a: f32, b: f32| both_halves(norm_u16(a.into()), norm_u16(b.into())));
    }),
    both(0x36a, "v_cvt_pk_u16_u32", |w, i| map2(w, i, |a: u32, b: u32| a.min(0xffff) | b.min(0xffff) << 16)),
    both(0x36b, "v_cvt_pk_i16_i32", |w, i| {
        let short = |v: i32| v.clamp(-0x8000, 0x7fff) as u32 & 0xffff;
        map2(w, i, |a: i32, b: i32| short(a) | short(b) << 16);
    }),
    both(0x36d, "v_add3_u32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a.wrapping_add(b).wrapping_add(c))),
    both(0x36f, "v_lshl_or_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a << (b & 31) | c)),
    both(0x371, "v_and_or_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a & b | c)),
    both(0x372, "v_or3_b32", |w, i| map3(w, i, |a: u32, b: u32, c: u32| a | b | c)),
    both(0x373, "v_mad_u32_u16", |w, i| integer3::<u16, u32>(w, i, |a, b, c| a * b + c)),
    both(0x375, "v_mad_i32_i16", |w, i| integer3::<i16, i32>(w, i, |a, b, c| a * b + c)),
    both(0x376, "v_sub_nc_i32", |w, i| integer2::<i32, i32>(w, i, |a, b| a - b)),
    both(0x377, "v_permlane16_b32", |w, i| permlane(w, i, 0)),
    both(0x378, "v_permlanex16_b32", |w, i| permlane(w, i, 16)),
    both(0x37f, "v_add_nc_i32", |w, i| integer2::<i32, i32>(w, i, |a, b| a + b)),
];

fn least3<T: Value + Float>(w: &mut Wave, i: &Vector) {
    let ieee = ieee(w);
    map3(w, i, |a: T, b: T, c: T| least(ieee, least(ieee, a, b), c));
}

fn greatest3<T: Value + Float>(w: &mut Wave, i: &Vector) {
    let ieee = ieee(w);
    map3(w, i, |a: T, b: T, c: T| greatest(ieee, greatest(ieee, a, b), c));
}

fn median<T: Value + Float>(w: &mut Wave, i: &Vector) {
    let ieee = ieee(w);
    map3(w, i, |a: T, b: T, c: T| med3(ieee, a, b, c));
}

fn both_halves(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

fn bfe_i32(a: u32, offset: u32, width: u32) -> u32 {
    let (offset, width) = (offset & 31, width & 31);
    if width == 0 {
        return 0;
    }
    let field = a >> offset;
    // Beyond the register there are copies of its highest bit.
    if offset + width >= 32 {
        (a as i32 >> offset) as u32
    } else {
        ((field << (32 - width)) as i32 >> (32 - width)) as u32
    }
}

fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn byte(a: u32, n: u32) -> u32 {
    a >> (8 * n) & 0xff
}

/// Four bytes, lowest first.
fn bytes(f: impl Fn(u32) -> u32) -> u32 {
    (0..4).fold(0, |all, n| all | (f(n) & 0xff) << (8 * n))
}

/// What a selector byte of `v_perm_b32` picks: a byte, a sign, 0x00 or 0xff.
fn permuted(from: u64, select: u32) -> u32 {
    match select {
        0..=7 => (from >> (8 * select)) as u32,
        8..=11 => {
            if from >> (16 * (select - 8) + 15) & 1 != 0 {
                0xff
            } else {
                0
            }
        }
        12 => 0,
        _ => 0xff,
    }
}

fn mad64(w: &mut Wave, i: &Vector, f: impl Fn(u32, u32, u64) -> (u64, bool)) {
    let over = each(w, i, |w, pass| {
        let (a, b, c) = (u32::read(w, i, 0, pass), u32::read(w, i, 1, pass), u64::read(w, i, 2, pass));
        let sums: Pass<(u64, bool)> = std::array::from_fn(|lane| f(a[lane], b[lane], c[lane]));
        (sums.map(|(sum, _)| sum), gather(|lane| sums[lane].1))
    });
    w.set_mask(i.sdst, over);
}

/// Counts the mask's bits below each lane, of the 32 lanes from `first` on.
fn mbcnt(w: &mut Wave, i: &Vector, first: usize) {
    each(w, i, |w, pass| {
        let (a, b) = (u32::read(w, i, 0, pass), u32::read(w, i, 1, pass));
        let below = |lane: usize| ((1_u64 << (PASS * pass + lane).saturating_sub(first).min(32)) - 1) as u32;
        (std::array::from_fn(|lane| (a[lane] & below(lane)).count_ones().wrapping_add(b[lane])), 0)
    });
}

/// Moves lanes within a row of 16, or to the other row of two, by sixteen selectors of four bits. op_sel 0 lets
/// inactive lanes be read, op_sel 1 gives 0 instead of the old value where a lane may not be.
fn permlane(w: &mut Wave, i: &Vector, other_row: usize) {
    let select = u64::from(w.src32(i.src[1])) | u64::from(w.src32(i.src[2])) << 32;
    let from = Src::as_vgpr(i.src[0]).map_or([w.src32(i.src[0]); 64], |r| w.v[r]);
    let exec = w.exec();
    let mut results = w.v[usize::from(i.dst)];
    for lane in bits(exec) {
        let source = (lane & !15 | (select >> (4 * (lane & 15)) & 15) as usize) ^ other_row;
        if i.op_sel & 1 != 0 || exec >> source & 1 != 0 {
            results[lane] = from[source];
        } else if i.op_sel & 2 != 0 {
            results[lane] = 0;
        }
    }
    w.set_v(i.dst.into(), &results, exec);
}
