//! What each opcode of images does, by its name, and where samplers lead.

use super::mutation;
use super::state::{DST, f, h};
use super::storage::OLD;
use crate::mem::Storage;
use crate::mem::image::{self, ImageOp, Level};
use crate::operands::Mimg;
use crate::ram::Ram;
use crate::row::Row;
use crate::wave::{Status, Wave, reg};

const BASE: u64 = 0x7f00_0000_1000;
/// Formats: one word and one float of 32 bits, four bytes from 0 to 1.
const UINT: u32 = 20;
const FLOAT: u32 = 22;
const BYTES: u32 = 56;
const SRGB: u32 = 130;
/// Types of resources.
const FLAT: u32 = 9;
const VOLUME: u32 = 10;
const LAYERS: u32 = 13;
/// DIM.
const D2: u8 = 1;
const D3: u8 = 2;
const D2_ARRAY: u8 = 5;

/// A resource of an image with its components in order, linear or swizzled.
fn resource(kind: u32, format: u32, [width, height, depth]: [u32; 3], swizzle: u32) -> [u32; 8] {
    let (base, width, height) = ((BASE >> 8) as u32, width - 1, height - 1);
    let high = (BASE >> 40) as u32;
    let last = if kind == FLAT { 0 } else { depth - 1 };
    [
        base,
        high | format << 20 | width << 30,
        width >> 2 | height << 14,
        0xfac | swizzle << 20 | kind << 28,
        last,
        0,
        0,
        0,
    ]
}

/// Memory with the numbers of its words from 0 on, and a wave with the resource in s8 and the sampler in s0.
fn scene(resource: [u32; 8], sampler: [u32; 4]) -> (Ram, Wave) {
    let ram = Ram::new(BASE, 0x2000);
    ram.put(BASE, &(0..0x800).collect::<Vec<u32>>());
    let mut w = Wave::new(32, 64);
    w.set_mask(reg::EXEC, 1);
    w.s[..4].copy_from_slice(&sampler);
    w.s[8..16].copy_from_slice(&resource);
    for (n, old) in OLD.into_iter().enumerate() {
        w.v[usize::from(DST) + n] = [old; 64];
    }
    (ram, w)
}

fn operands(dimension: u8) -> Mimg {
    Mimg { data: DST, addr: std::array::from_fn(|n| 1 + n as u8), resource: 8, mask: 15, dimension, ..Mimg::default() }
}

fn run(ram: &Ram, w: &mut Wave, i: &Mimg, op: ImageOp, address: &[u32]) -> [u32; 4] {
    for (n, &address) in address.iter().enumerate() {
        w.v[1 + n][0] = address;
    }
    mutation::loses(w, &ram.bytes, |w| image::run(w, i, op, &mut Storage { memory: ram, lds: &mut [] }).unwrap());
    assert_eq!([0, 1, 2, 3].map(|n| w.v[usize::from(DST) + n][1]), OLD, "an inactive lane");
    [0, 1, 2, 3].map(|n| w.v[usize::from(DST) + n][0])
}

pub fn check(row: &Row<ImageOp>) {
    let name = row.name;
    // Rows of 256 bytes.
    let (ram, mut w) = scene(resource(FLAT, UINT, [6, 3, 1], 0), [0; 4]);
    let at = |w: &mut Wave, address: &[u32]| run(&ram, w, &operands(D2), row.run, address);
    match name {
        "image_load" => {
            assert_eq!(at(&mut w, &[5, 2, 1]), [133, 0, 0, 1], "what follows the coordinates is no level");
            assert_eq!(at(&mut w, &[6, 2]), [0; 4], "beyond an edge");
            assert_eq!(at(&mut w, &[0, u32::MAX]), [0; 4], "before one");
        }
        "image_load_mip" => {
            assert_eq!(at(&mut w, &[5, 2, 0]), [133, 0, 0, 1]);
            assert_eq!(at(&mut w, &[5, 2, 1]), [0; 4], "there is no second level");
        }
        "image_store" | "image_store_mip" => {
            let level = name == "image_store_mip";
            w.v[usize::from(DST)][0] = 777;
            at(&mut w, &[5, 2, u32::from(!level)]);
            w.v[usize::from(DST)][0] = 888;
            at(&mut w, &[6, 2, 0]);
            at(&mut w, &[5, 3, 0]);
            if level {
                at(&mut w, &[4, 2, 1]);
            }
            assert_eq!([132, 133, 134, 197].map(|n| ram.word(BASE + 4 * n)), [132, 777, 134, 197], "{name}");
        }
        "image_get_resinfo" => assert_eq!(at(&mut w, &[0]), [6, 3, 1, 1]),
        "image_sample" | "image_sample_d" | "image_sample_d_g16" | "image_sample_l" | "image_sample_lz" => {
            let step = 1.1;
            let steps: &[u32] = match name {
                "image_sample_d" => &[0, f(step) as u32, 0, 0],
                "image_sample_d_g16" => &[(h(step) as u32) << 16, 0],
                _ => &[],
            };
            let address = |point: [f32; 3]| steps.iter().copied().chain(point.map(|v| f(v) as u32)).collect::<Vec<_>>();
            // Wrapped at a size of 6 and 3.
            assert_eq!(at(&mut w, &address([0.9, 0.7, 0.0])), [133, 0, 0, 1], "{name}");
            assert_eq!(at(&mut w, &address([1.9, -0.3, 0.0])), [133, 0, 0, 1], "{name}");
            // Between two elements, linear where an image is small.
            let (ram, mut w) = scene(resource(FLAT, FLOAT, [2, 1, 1], 9), [0, 0, 1 << 22, 0]);
            ram.put(BASE, &[1.0, 2.0].map(|v| f(v) as u32));
            let texel = run(&ram, &mut w, &operands(D2), row.run, &address([0.625, 0.5, 1.0]));
            let small = !matches!(name, "image_sample" | "image_sample_lz");
            assert_eq!(texel[0], f(if small { 1.75 } else { 2.0 }) as u32, "{name}");
        }
        "image_gather4" | "image_gather4_l" | "image_gather4_lz" => {
            let gather = |w: &mut Wave, mask, x, y| {
                let i = Mimg { mask, ..operands(D2) };
                run(&ram, w, &i, row.run, &[f(x) as u32, f(y) as u32])
            };
            // Between the elements 2 and 3 of the rows 1 and 2.
            assert_eq!(gather(&mut w, 1, 3.2 / 6.0, 2.1 / 3.0), [130, 131, 67, 66], "{name}");
            assert_eq!(gather(&mut w, 8, 3.2 / 6.0, 2.1 / 3.0), [1; 4], "{name}: the fourth component");
            assert_eq!(gather(&mut w, 1, 0.0, 2.1 / 3.0), [133, 128, 64, 69], "{name}: wrapped");
        }
        _ => panic!("{name} has no test"),
    }
}

#[test]
fn every_image_opcode_does_what_its_name_says() {
    image::TABLE.iter().for_each(check);
}

#[test]
fn layers_slices_and_rows_follow_each_other() {
    let load = |resource, dimension, address: &[u32]| {
        let (ram, mut w) = scene(resource, [0; 4]);
        run(&ram, &mut w, &operands(dimension), ImageOp::Load { level: false }, address)[0]
    };
    assert_eq!(load(resource(VOLUME, UINT, [6, 3, 4], 0), D3, &[5, 2, 1]), 3 * 64 + 133);
    assert_eq!(load(resource(LAYERS, UINT, [6, 3, 4], 0), D2_ARRAY, &[5, 2, 1]), 3 * 64 + 133);
    assert_eq!(load(resource(LAYERS, UINT, [6, 3, 4], 0), D2_ARRAY, &[5, 2, 4]), 0, "there is no fifth");
    // Swizzled: without gaps.
    assert_eq!(load(resource(VOLUME, UINT, [6, 3, 4], 9), D3, &[5, 2, 1]), 18 + 17);
    // A pitch of the resource's own.
    let mut pitched = resource(FLAT, UINT, [6, 3, 1], 0);
    pitched[4] = 128 - 1;
    assert_eq!(load(pitched, D2, &[5, 2]), 2 * 128 + 5);
}

#[test]
fn masks_and_halves_pick_components() {
    let (ram, mut w) = scene(resource(FLAT, BYTES, [6, 3, 1], 0), [0; 4]);
    ram.put(BASE + 4, &[0xff00_8033]);
    let load = ImageOp::Load { level: false };
    let mut at =
        |mask: u8, d16: bool| run(&ram, &mut w, &Mimg { mask, d16, ..operands(D2) }, load, &[1, 0])[..2].to_vec();
    assert_eq!(at(0b1001, false), [f(0.2) as u32, f(1.0) as u32]);
    assert_eq!(at(0b1001, true)[0], h(0.2) as u32 | (h(1.0) as u32) << 16);
}

#[test]
fn samplers_wrap_mirror_clamp_and_filter() {
    let sample = |sampler: [u32; 4], x: f32, y: f32| {
        let (ram, mut w) = scene(resource(FLAT, FLOAT, [4, 2, 1], 9), sampler);
        ram.put(BASE, &[1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0].map(|v| f(v) as u32));
        let i = Mimg { unnormalized: true, ..operands(D2) };
        let texel = run(&ram, &mut w, &i, ImageOp::Sample(Level::Zero), &[f(x) as u32, f(y) as u32]);
        f32::from_bits(texel[0])
    };
    let (wrap, mirror, clamp, border) = (0, 0b001_001, 0b010_010, 0b110_110);
    for (edge, want) in [(wrap, 2.0), (mirror, 3.0), (clamp, 4.0), (border, 0.0)] {
        assert_eq!(sample([edge, 0, 0, 0], 5.5, 0.5), want, "{edge:#b}");
        assert_eq!(sample([edge, 0, 0, 0], 2.5, 0.5), 3.0, "within, {edge:#b}");
    }
    assert_eq!(sample([border, 0, 0, 2 << 30], -0.5, 0.5), 1.0, "a white border");
    let linear = 1 << 20;
    assert_eq!(sample([clamp, 0, linear, 0], 1.0, 0.5), 1.5);
    assert_eq!(sample([clamp, 0, linear, 0], 1.25, 1.0), 6.75);
    assert_eq!(sample([clamp, 0, linear, 0], 0.0, 0.0), 1.0, "clamped at both edges");
    assert_eq!(sample([wrap, 0, linear, 0], 0.0, 0.5), 2.5, "half of the first and of the last");
    assert_eq!(sample([border, 0, linear, 0], 0.0, 0.5), 0.5, "half of the border");
}

#[test]
fn coordinates_have_eight_bits_behind_the_point() {
    let sample = |sampler: [u32; 4], x: f32| {
        let (ram, mut w) = scene(resource(FLAT, FLOAT, [37, 1, 1], 9), sampler);
        ram.put(BASE, &(0..37).map(|n| f(n as f32) as u32).collect::<Vec<_>>());
        let texel = run(&ram, &mut w, &operands(D2), ImageOp::Sample(Level::Zero), &[f(x) as u32, 0]);
        f32::from_bits(texel[0])
    };
    let (rounds, truncates, linear) = (0, 1 << 27, 1 << 20);
    // What ROCm's device library samples for the point 25 of 37: the product is below -12.
    let n = -12.0 * (1.0_f32 / 37.0);
    assert!(n * 37.0 < -12.0);
    assert_eq!(sample([rounds, 0, 0, 0], n), 25.0);
    assert_eq!(sample([truncates, 0, 0, 0], n), 24.0);
    // A near miss: half a step away.
    assert_eq!(sample([rounds, 0, 0, 0], (25.0 - 0.75 / 256.0) / 37.0), 24.0);
    assert_eq!(sample([rounds, 0, linear, 0], (10.5 + 0.4 / 256.0) / 37.0), 10.0);
    assert_eq!(sample([rounds, 0, linear, 0], (10.5 + 0.6 / 256.0) / 37.0), 10.0 + 1.0 / 256.0);
}

#[test]
fn srgb_is_read_by_its_curve_but_for_the_fourth_component() {
    let load = ImageOp::Load { level: false };
    let (ram, mut w) = scene(resource(FLAT, SRGB, [6, 3, 1], 0), [0; 4]);
    ram.put(BASE + 4, &[0x8000_bc05]);
    let texel = run(&ram, &mut w, &operands(D2), load, &[1, 0]).map(f32::from_bits);
    // By IEC 61966-2-1: 5/255 below the threshold, 188/255 above it.
    let want = [0.001_517_635, 0.502_886_5, 0.0, 0.501_960_8];
    assert!(texel.iter().zip(want).all(|(texel, want)| (texel - want).abs() < 1e-6), "{texel:?}");
}

#[test]
fn what_is_not_modelled_of_a_resource_stops_the_kernel() {
    let stopped_at = |op, resource| {
        let (ram, mut w) = scene(resource, [0; 4]);
        run(&ram, &mut w, &operands(D2), op, &[0, 0]);
        match w.status {
            Status::Trapped(why) => why,
            other => format!("{other:?}"),
        }
    };
    let stopped = |resource| stopped_at(ImageOp::Load { level: false }, resource);
    let mut levels = resource(FLAT, UINT, [6, 3, 1], 0);
    levels[3] |= 2 << 16;
    assert_eq!(stopped(levels), "an image of 3 levels is not modelled");
    assert_eq!(stopped(resource(FLAT, 131, [6, 3, 1], 0)), "image format 131 is not modelled");
    let store = ImageOp::Store { level: false };
    let srgb = resource(FLAT, SRGB, [6, 3, 1], 0);
    assert_eq!(stopped_at(store, srgb), "stores to an image in sRGB are not modelled");
    assert_eq!(stopped(srgb), "Running");
    assert_eq!(stopped(resource(11, UINT, [6, 3, 1], 0)), "images of type 11 are not modelled");
    assert_eq!(stopped(resource(FLAT, UINT, [6, 3, 1], 0)), "Running");
}
