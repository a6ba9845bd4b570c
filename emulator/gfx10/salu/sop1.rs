//! SOP1: one source, one destination.

use super::{ScalarFn, logic};
use crate::operands::Scalar;
use crate::row::{Row, both};
use crate::wave::{Sgpr, Wave, reg};

pub static TABLE: &[Row<ScalarFn>] = &[
    both(0x03, "s_mov_b32", |w, i| plain(w, i, |a: u32| a)),
    both(0x04, "s_mov_b64", |w, i| plain(w, i, |a: u64| a)),
    both(0x05, "s_cmov_b32", |w, i| {
        if w.scc {
            plain(w, i, |a: u32| a);
        }
    }),
    both(0x06, "s_cmov_b64", |w, i| {
        if w.scc {
            plain(w, i, |a: u64| a);
        }
    }),
    both(0x07, "s_not_b32", |w, i| bits(w, i, |a: u32| !a)),
    both(0x08, "s_not_b64", |w, i| bits(w, i, |a: u64| !a)),
    both(0x09, "s_wqm_b32", |w, i| bits(w, i, |a: u32| quads(a.into()) as u32 * 0xf)),
    both(0x0a, "s_wqm_b64", |w, i| bits(w, i, |a: u64| quads(a) * 0xf)),
    both(0x0b, "s_brev_b32", |w, i| plain(w, i, u32::reverse_bits)),
    both(0x0c, "s_brev_b64", |w, i| plain(w, i, u64::reverse_bits)),
    both(0x0d, "s_bcnt0_i32_b32", |w, i| bits(w, i, u32::count_zeros)),
    both(0x0e, "s_bcnt0_i32_b64", |w, i| bits(w, i, |a: u64| a.count_zeros())),
    both(0x0f, "s_bcnt1_i32_b32", |w, i| bits(w, i, u32::count_ones)),
    both(0x10, "s_bcnt1_i32_b64", |w, i| bits(w, i, |a: u64| a.count_ones())),
    both(0x11, "s_ff0_i32_b32", |w, i| plain(w, i, |a: u32| first(!u64::from(a) & 0xffff_ffff))),
    both(0x12, "s_ff0_i32_b64", |w, i| plain(w, i, |a: u64| first(!a))),
    both(0x13, "s_ff1_i32_b32", |w, i| plain(w, i, |a: u32| first(a.into()))),
    both(0x14, "s_ff1_i32_b64", |w, i| plain(w, i, first)),
    both(0x15, "s_flbit_i32_b32", |w, i| plain(w, i, |a: u32| if a == 0 { u32::MAX } else { a.leading_zeros() })),
    both(0x16, "s_flbit_i32_b64", |w, i| plain(w, i, |a: u64| if a == 0 { u32::MAX } else { a.leading_zeros() })),
    both(0x17, "s_flbit_i32", |w, i| plain(w, i, |a: u32| sign_run(i64::from(a as i32) << 32, 32))),
    both(0x18, "s_flbit_i32_i64", |w, i| plain(w, i, |a: u64| sign_run(a as i64, 64))),
    both(0x19, "s_sext_i32_i8", |w, i| plain(w, i, |a: u32| a as i8 as u32)),
    both(0x1a, "s_sext_i32_i16", |w, i| plain(w, i, |a: u32| a as i16 as u32)),
    both(0x1b, "s_bitset0_b32", |w, i| {
        let old = w.s32(i.dst);
        plain(w, i, |a: u32| old & !(1 << (a & 31)));
    }),
    both(0x1c, "s_bitset0_b64", |w, i| {
        let (old, bit) = (w.s64(i.dst), w.src32(i.src[0]) & 63);
        w.set_s64(i.dst, old & !(1 << bit));
    }),
    both(0x1d, "s_bitset1_b32", |w, i| {
        let old = w.s32(i.dst);
        plain(w, i, |a: u32| old | 1 << (a & 31));
    }),
    both(0x1e, "s_bitset1_b64", |w, i| {
        let (old, bit) = (w.s64(i.dst), w.src32(i.src[0]) & 63);
        w.set_s64(i.dst, old | 1 << bit);
    }),
    both(0x1f, "s_getpc_b64", |w, i| w.set_s64(i.dst, w.pc)),
    both(0x20, "s_setpc_b64", |w, i| w.pc = w.src64(i.src[0])),
    both(0x21, "s_swappc_b64", |w, i| {
        let to = w.src64(i.src[0]);
        w.set_s64(i.dst, w.pc);
        w.pc = to;
    }),
    both(0x24, "s_and_saveexec_b64", |w, i| save(w, i, |exec: u64, a| a & exec)),
    both(0x25, "s_or_saveexec_b64", |w, i| save(w, i, |exec: u64, a| a | exec)),
    both(0x26, "s_xor_saveexec_b64", |w, i| save(w, i, |exec: u64, a| a ^ exec)),
    both(0x27, "s_andn2_saveexec_b64", |w, i| save(w, i, |exec: u64, a| a & !exec)),
    both(0x28, "s_orn2_saveexec_b64", |w, i| save(w, i, |exec: u64, a| a | !exec)),
    both(0x29, "s_nand_saveexec_b64", |w, i| save(w, i, |exec: u64, a| !(a & exec))),
    both(0x2a, "s_nor_saveexec_b64", |w, i| save(w, i, |exec: u64, a| !(a | exec))),
    both(0x2b, "s_xnor_saveexec_b64", |w, i| save(w, i, |exec: u64, a| !(a ^ exec))),
    both(0x2c, "s_quadmask_b32", |w, i| bits(w, i, |a: u32| gather(quads(a.into())) as u32)),
    both(0x2d, "s_quadmask_b64", |w, i| bits(w, i, |a: u64| gather(quads(a)))),
    both(0x2e, "s_movrels_b32", |w, i| indexed(w, i, 1, 0, w.s32(reg::M0))),
    both(0x2f, "s_movrels_b64", |w, i| indexed(w, i, 2, 0, w.s32(reg::M0))),
    both(0x30, "s_movreld_b32", |w, i| indexed(w, i, 1, w.s32(reg::M0), 0)),
    both(0x31, "s_movreld_b64", |w, i| indexed(w, i, 2, w.s32(reg::M0), 0)),
    both(0x34, "s_abs_i32", |w, i| bits(w, i, |a: u32| (a as i32).unsigned_abs())),
    both(0x37, "s_andn1_saveexec_b64", |w, i| save(w, i, |exec: u64, a| !a & exec)),
    both(0x38, "s_orn1_saveexec_b64", |w, i| save(w, i, |exec: u64, a| !a | exec)),
    both(0x39, "s_andn1_wrexec_b64", |w, i| write(w, i, |exec: u64, a| !a & exec)),
    both(0x3a, "s_andn2_wrexec_b64", |w, i| write(w, i, |exec: u64, a| a & !exec)),
    both(0x3b, "s_bitreplicate_b64_b32", |w, i| {
        let a = w.src32(i.src[0]);
        w.set_s64(i.dst, (0..32).fold(0, |all, bit| all | (u64::from(a >> bit & 1) * 3) << (2 * bit)));
    }),
    both(0x3c, "s_and_saveexec_b32", |w, i| save(w, i, |exec: u32, a| a & exec)),
    both(0x3d, "s_or_saveexec_b32", |w, i| save(w, i, |exec: u32, a| a | exec)),
    both(0x3e, "s_xor_saveexec_b32", |w, i| save(w, i, |exec: u32, a| a ^ exec)),
    both(0x3f, "s_andn2_saveexec_b32", |w, i| save(w, i, |exec: u32, a| a & !exec)),
    both(0x40, "s_orn2_saveexec_b32", |w, i| save(w, i, |exec: u32, a| a | !exec)),
    both(0x41, "s_nand_saveexec_b32", |w, i| save(w, i, |exec: u32, a| !(a & exec))),
    both(0x42, "s_nor_saveexec_b32", |w, i| save(w, i, |exec: u32, a| !(a | exec))),
    both(0x43, "s_xnor_saveexec_b32", |w, i| save(w, i, |exec: u32, a| !(a ^ exec))),
    both(0x44, "s_andn1_saveexec_b32", |w, i| save(w, i, |exec: u32, a| !a & exec)),
    both(0x45, "s_orn1_saveexec_b32", |w, i| save(w, i, |exec: u32, a| !a | exec)),
    both(0x46, "s_andn1_wrexec_b32", |w, i| write(w, i, |exec: u32, a| !a & exec)),
    both(0x47, "s_andn2_wrexec_b32", |w, i| write(w, i, |exec: u32, a| a & !exec)),
    both(0x49, "s_movrelsd_2_b32", |w, i| {
        let m0 = w.s32(reg::M0);
        indexed(w, i, 1, m0 >> 16 & 0x3ff, m0 & 0x3ff);
    }),
];

/// Copies `words` registers, `to` behind the destination and `from` behind the source.
fn indexed(w: &mut Wave, i: &Scalar, words: u32, to: u32, from: u32) {
    let register = |code: u32, by: u32| {
        let r = code.checked_add(by).filter(|&r| r + words <= 108 && code < 108)?;
        Some(r as u8)
    };
    let Some((to, from)) = register(i.dst.into(), to).zip(register(i.src[0].code.into(), from)) else {
        return w.trap("M0 leads to a scalar register that there is not");
    };
    if words == 2 { w.set_s64(to, w.s64(from)) } else { w.set_s32(to, w.s32(from)) }
}

/// A result without SCC.
fn plain<T: Sgpr, R: Sgpr>(w: &mut Wave, i: &Scalar, f: impl Fn(T) -> R) {
    f(T::source(w, i.src[0])).write(w, i.dst);
}

/// A result with SCC.
fn bits<T: Sgpr, R: Sgpr>(w: &mut Wave, i: &Scalar, f: impl Fn(T) -> R) {
    let result = f(T::source(w, i.src[0]));
    logic(w, i, result);
}

/// Changes EXEC and keeps its old value.
fn save<T: Sgpr>(w: &mut Wave, i: &Scalar, f: impl Fn(T, T) -> T) {
    let (exec, a) = (T::read(w, reg::EXEC), T::source(w, i.src[0]));
    let result = f(exec, a);
    exec.write(w, i.dst);
    result.write(w, reg::EXEC);
    w.scc = T::read(w, reg::EXEC) != T::default();
}

/// Changes EXEC and keeps its new value.
fn write<T: Sgpr>(w: &mut Wave, i: &Scalar, f: impl Fn(T, T) -> T) {
    let result = f(T::read(w, reg::EXEC), T::source(w, i.src[0]));
    result.write(w, reg::EXEC);
    logic(w, i, result);
}

/// Number of the lowest bit, -1 if none.
fn first(a: u64) -> u32 {
    if a == 0 { u32::MAX } else { a.trailing_zeros() }
}

/// How many bits from the top on equal the sign, -1 if all of `bits` do.
fn sign_run(a: i64, bits: u32) -> u32 {
    let run = (a ^ (a >> 63)).leading_zeros();
    if run >= bits { u32::MAX } else { run }
}

/// The lowest bit of every group of four that is not zero.
fn quads(a: u64) -> u64 {
    (a | a >> 1 | a >> 2 | a >> 3) & 0x1111_1111_1111_1111
}

/// Every fourth bit, indexed together.
fn gather(a: u64) -> u64 {
    (0..16).fold(0, |all, quad| all | (a >> (4 * quad) & 1) << quad)
}
