//! What the MODE register and the clamp bit change.

use super::state::{DST, d, f, give, got, h, operands, set, vector_row};
use crate::valu::round::{DOUBLE, HALF, Round, SINGLE, fused};
use crate::wave::{Wave, reg};

/// The result of an instruction in lane 0, under a MODE.
fn under(mode: u32, name: &str, from: &[u64]) -> u64 {
    let mut w = Wave::new(32, 64);
    w.set_mask(reg::EXEC, 1);
    w.mode = mode;
    give(&mut w, 0, from);
    set(&mut w, 0, 0);
    (vector_row(name).run)(&mut w, &operands(from.len()));
    got(&w, 0)
}

/// Results to nearest even, upwards, downwards and towards zero.
fn rounded(name: &str, from: &[u64]) -> [u64; 4] {
    [0, 1, 2, 3].map(|round| under(0xf0 | round << 2 | round, name, from))
}

const ULP: f32 = f32::EPSILON;

#[test]
fn singles_round_as_the_mode_says() {
    let [one, above, below] = [f(1.0), f(1.0 + ULP), f(-1.0 - ULP)];
    let minus = f(-1.0);
    let tiny = f(1e-30);
    for (name, from, wants) in [
        ("v_add_f32", [one, tiny, 0], [one, above, one, one]),
        ("v_add_f32", [minus, f(-1e-30), 0], [minus, minus, below, minus]),
        ("v_sub_f32", [one, f(-1e-30), 0], [one, above, one, one]),
        ("v_subrev_f32", [f(-1e-30), one, 0], [one, above, one, one]),
        ("v_add_f32", [one, minus, 0], [0, 0, f(-0.0), 0]),
        (
            "v_mul_f32",
            [above, above, 0],
            [f(1.0 + 2.0 * ULP), f(1.0 + 3.0 * ULP), f(1.0 + 2.0 * ULP), f(1.0 + 2.0 * ULP)],
        ),
        ("v_fma_f32", [above, one, tiny], [above, f(1.0 + 2.0 * ULP), above, above]),
        // Too large, and too small.
        ("v_mul_f32", [f(f32::MAX), f(2.0), 0], [f(f32::INFINITY), f(f32::INFINITY), f(f32::MAX), f(f32::MAX)]),
        (
            "v_mul_f32",
            [f(f32::MAX), f(-2.0), 0],
            [f(f32::NEG_INFINITY), f(f32::MIN), f(f32::NEG_INFINITY), f(f32::MIN)],
        ),
        ("v_mul_f32", [1, f(0.5), 0], [0, 1, 0, 0]),
        ("v_mul_f32", [f(-0.0), one, 0], [f(-0.0); 4]),
        ("v_cvt_f32_f64", [d(1.0 + 1e-12), 0, 0], [one, above, one, one]),
        ("v_cvt_f32_i32", [0x0100_0001, 0, 0], [f(16_777_216.0), f(16_777_218.0), f(16_777_216.0), f(16_777_216.0)]),
        ("v_ldexp_f32", [3, 0xffff_ffff, 0], [2, 2, 1, 1]),
    ] {
        assert_eq!(rounded(name, &from).map(|v| v as u32), wants.map(|v| v as u32), "{name} {from:x?}");
    }
}

#[test]
fn doubles_and_halves_round_as_the_mode_says() {
    let next = d(1.0) + 1;
    for (name, from, wants) in [
        ("v_add_f64", [d(1.0), d(1e-300), 0], [d(1.0), next, d(1.0), d(1.0)]),
        ("v_add_f64", [d(1.0), d(-1e-300), 0], [d(1.0), d(1.0), d(1.0) - 1, d(1.0) - 1]),
        ("v_mul_f64", [next, next, 0], [next + 1, next + 2, next + 1, next + 1]),
        ("v_mul_f64", [1, d(0.5), 0], [0, 1, 0, 0]),
        ("v_fma_f64", [next, d(1.0), d(-1e-300)], [next, next, d(1.0), d(1.0)]),
    ] {
        assert_eq!(rounded(name, &from), wants, "{name} {from:x?}");
    }
    let halves = |name: &str, from: &[u64]| rounded(name, from).map(|v| v & 0xffff);
    assert_eq!(halves("v_add_f16", &[h(2048.0), h(1.0)]), [h(2048.0), h(2050.0), h(2048.0), h(2048.0)]);
    assert_eq!(halves("v_mul_f16", &[1, h(0.5)]), [0, 1, 0, 0]);
    assert_eq!(halves("v_fma_f16", &[h(2048.0), h(1.0), h(1.0)]), [h(2048.0), h(2050.0), h(2048.0), h(2048.0)]);
    assert_eq!(halves("v_cvt_f16_f32", &[f(65519.0)]), [h(65504.0), 0x7c00, h(65504.0), h(65504.0)]);
    assert_eq!(halves("v_cvt_f16_u16", &[2049]), [h(2048.0), h(2050.0), h(2048.0), h(2048.0)]);
}

#[test]
fn rounding_to_nearest_is_the_processors_own() {
    // Any bits: xorshift.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..20_000 {
        let [a, b, c] = [(); 3].map(|()| f64::from_bits(next()));
        // Factors and addends of like size, so that something cancels.
        let near = f64::from_bits((a * b).to_bits() ^ next() >> 20 | 1 << 63);
        for c in [c, near] {
            let want = a.mul_add(b, c);
            let result = fused(a, b, c, DOUBLE, Round::NearestEven);
            assert!(result.to_bits() == want.to_bits() || want.is_nan(), "{a:e} {b:e} {c:e}: {result:e}, not {want:e}");
        }
        let [a, b, c] = [(); 3].map(|()| f32::from_bits(next() as u32));
        let want = a.mul_add(b, c);
        let result = fused(a.into(), b.into(), c.into(), SINGLE, Round::NearestEven) as f32;
        assert!(result.to_bits() == want.to_bits() || want.is_nan(), "{a:e} {b:e} {c:e}: {result:e}, not {want:e}");
        let exact = f64::from(a) * f64::from(b);
        if exact.is_finite() {
            let [up, down] = [Round::Up, Round::Down].map(|round| fused(a.into(), b.into(), 0.0, HALF, round));
            assert!(down <= exact && exact <= up, "{a:e} {b:e}: {down:e} {up:e}");
        }
    }
}

#[test]
fn denormals_of_doubles_and_halves_have_bits_of_their_own() {
    for (mode, single, half) in [(0xf0, 1, 1), (0x30, 1, 0), (0xc0, 0, 1), (0x70, 1, 0), (0xb0, 1, 0)] {
        assert_eq!(under(mode, "v_add_f32", &[1, 0]) as u32, single, "{mode:#x}");
        assert_eq!(under(mode, "v_add_f16", &[1, 0]) & 0xffff, half, "{mode:#x}");
        assert_eq!(under(mode, "v_add_f64", &[1, 0]), half, "{mode:#x}");
    }
    assert_eq!(under(0, "v_cndmask_b32", &[1, 1]) as u32, 1);
}

#[test]
fn signalling_nans_become_quiet_in_ieee_mode() {
    let (signalling, quiet) = (0x7f80_0001, 0x7fc0_0001);
    for name in ["v_min_f32", "v_max_f32"] {
        assert_eq!(under(0x2f0, name, &[signalling, f(1.0)]) as u32, quiet);
        assert_eq!(under(0x2f0, name, &[f(1.0), signalling]) as u32, quiet);
        assert_eq!(under(0xf0, name, &[signalling, f(1.0)]), f(1.0));
    }
    assert_eq!(under(0x2f0, "v_max_f64", &[0x7ff0_0000_0000_0001, d(1.0)]), 0x7ff8_0000_0000_0001);
    assert_eq!(under(0x2f0, "v_min_f16", &[0x7c01, h(1.0)]) & 0xffff, 0x7e01);
    // The least of the first two is a quiet NaN, and of that and a number the number counts.
    assert_eq!(under(0x2f0, "v_med3_f32", &[f(1.0), signalling, f(2.0)]), f(2.0));
}

#[test]
fn output_modifiers_scale_where_neither_ieee_mode_nor_denormals_are_asked_for() {
    let scaled = |mode: u32, omod: u8, a: f32| {
        let mut w = Wave::new(32, 64);
        w.set_mask(reg::EXEC, 1);
        w.mode = mode;
        give(&mut w, 0, &[f(a), f(1.0)]);
        let mut i = operands(2);
        i.omod = omod;
        (vector_row("v_mul_f32").run)(&mut w, &i);
        u64::from(w.v[usize::from(DST)][0])
    };
    assert_eq!([1, 2, 3].map(|omod| scaled(0xd0, omod, -3.0)), [f(-6.0), f(-12.0), f(-1.5)]);
    assert_eq!((scaled(0xd0, 1, -0.0), scaled(0xd0, 0, -0.0)), (0, f(-0.0)));
    // MODE.IEEE, and denormals in the results.
    assert_eq!((scaled(0x2d0, 1, -3.0), scaled(0xf0, 1, -3.0)), (f(-3.0), f(-3.0)));
}

#[test]
fn a_clamped_nan_is_zero_only_in_dx10_mode() {
    let clamped = |mode: u32| {
        let mut w = Wave::new(32, 64);
        w.set_mask(reg::EXEC, 1);
        w.mode = mode;
        give(&mut w, 0, &[f(f32::NAN), f(1.0)]);
        let mut i = operands(2);
        i.clamp = true;
        (vector_row("v_add_f32").run)(&mut w, &i);
        w.v[usize::from(DST)][0]
    };
    assert_eq!(clamped(0x1f0), 0);
    assert!(f32::from_bits(clamped(0xf0)).is_nan());
}

#[test]
fn clamped_integers_stay_at_the_ends_of_their_range() {
    let clamped = |name: &str, from: &[u64]| {
        let mut w = Wave::new(32, 64);
        w.set_mask(reg::EXEC, 1);
        give(&mut w, 0, from);
        let mut i = operands(from.len());
        i.clamp = true;
        (vector_row(name).run)(&mut w, &i);
        w.v[usize::from(DST)][0]
    };
    let (min, max) = (0x8000_0000, 0x7fff_ffff);
    let all = 0xffff_ffff;
    for (name, from, want) in [
        ("v_add_nc_u32", [all, 2, 0], all as u32),
        ("v_sub_nc_u32", [1, 2, 0], 0),
        ("v_subrev_nc_u32", [2, 1, 0], 0),
        ("v_add_nc_i32", [max, 2, 0], max as u32),
        ("v_sub_nc_i32", [min, 2, 0], min as u32),
        ("v_add_nc_u16", [0xffff, 2, 0], 0xffff),
        ("v_sub_nc_i16", [0x8000, 2, 0], 0x8000),
        ("v_mad_u16", [0xffff, 2, 1], 0xffff),
        ("v_mad_i16", [0x7fff, 2, 1], 0x7fff),
        ("v_mad_u32_u24", [0xff_ffff, 0xff_ffff, 1], all as u32),
        ("v_mad_i32_i24", [0x80_0000, 0x7f_ffff, 1], min as u32),
        ("v_mad_u32_u16", [0xffff, 0xffff, all], all as u32),
        ("v_mad_i32_i16", [0x7fff, 0x7fff, max], max as u32),
        ("v_sad_u8", [0xff, 0, all], all as u32),
        ("v_sad_u32", [0xff, 0, all], all as u32),
        ("v_dot4_i32_i8", [0x7f, 0x7f, max], max as u32),
        ("v_dot4_u32_u8", [0xff, 0xff, all], all as u32),
        ("v_pk_add_u16", [0xffff_0001, 0x0002_0002, 0], 0xffff_0003),
        ("v_pk_sub_i16", [0x8000_0001, 0x0002_0002, 0], 0x8000_ffff),
        ("v_pk_mad_i16", [0x7fff_0001, 0x0002_0002, 0], 0x7fff_0002),
    ] {
        assert_eq!(clamped(name, &from), want, "{name} {from:x?}");
    }
}
