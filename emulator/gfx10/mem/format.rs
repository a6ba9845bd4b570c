//! Formats of buffers: what formatted loads and stores make of the bytes ("RDNA 2 ISA", 8.1, "Buffer Image Formats"; the
//! numbers are LLVM's, SIDefines.h, `UfmtGFX10`).

use half::f16;

use super::access::{Location, Part, Storage, merge, read, write};
use super::address::{location, resource};
use crate::memory::Fault;
use crate::operands::Vmem;
use crate::wave::{Wave, bits};

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unorm,
    Snorm,
    Uscaled,
    Sscaled,
    Uint,
    Sint,
    Float,
    /// From 0 to 1 by the curve of IEC 61966-2-1; the fourth is `Unorm`.
    Srgb,
}

use Kind::{Float, Sint, Snorm, Srgb, Sscaled, Uint, Unorm, Uscaled};

const SIX: &[Kind] = &[Unorm, Snorm, Uscaled, Sscaled, Uint, Sint];
const SEVEN: &[Kind] = &[Unorm, Snorm, Uscaled, Sscaled, Uint, Sint, Float];
const WORDS: &[Kind] = &[Uint, Sint, Float];
const ENCODED: &[Kind] = &[Srgb];

/// Number of the first format with these widths, lowest bits first, and what its components are from there on.
const GROUPS: &[(u8, &[u32], &[Kind])] = &[
    (1, &[8], SIX),
    (7, &[16], SEVEN),
    (14, &[8, 8], SIX),
    (20, &[32], WORDS),
    (23, &[16, 16], SEVEN),
    (30, &[11, 11, 10], SIX),
    (37, &[10, 11, 11], SIX),
    (44, &[2, 10, 10, 10], SIX),
    (50, &[10, 10, 10, 2], SIX),
    (56, &[8, 8, 8, 8], SIX),
    (62, &[32, 32], WORDS),
    (65, &[16, 16, 16, 16], SEVEN),
    (72, &[32, 32, 32], WORDS),
    (75, &[32, 32, 32, 32], WORDS),
    // Of images alone: Mesa's src/amd/registers/gfx10-rsrc.json, `IMG_FORMAT`.
    (128, &[8], ENCODED),
    (129, &[8, 8], ENCODED),
    (130, &[8, 8, 8, 8], ENCODED),
];

#[derive(Debug, Clone, Copy)]
pub struct Format {
    widths: &'static [u32],
    kind: Kind,
}

impl Kind {
    fn decode(self, bits: u32, width: u32) -> u32 {
        let signed = (bits << (32 - width)) as i32 >> (32 - width);
        let (whole, half) = (f64::from(mask(width)), f64::from(mask(width - 1)));
        let float = match self {
            Uint => return bits,
            Sint => return signed as u32,
            Float if width == 32 => return bits,
            Float => f16::from_bits(bits as u16).to_f64(),
            Unorm => f64::from(bits) / whole,
            Snorm => (f64::from(signed) / half).max(-1.0),
            Uscaled => bits.into(),
            Sscaled => signed.into(),
            Srgb => match f64::from(bits) / whole {
                dark if dark <= 0.04045 => dark / 12.92,
                bright => ((bright + 0.055) / 1.055).powf(2.4),
            },
        };
        (float as f32).to_bits()
    }
}

impl Format {
    /// The format of a number; none for those that are not known here: floats of 10 and 11 bits, and block compression.
    pub fn of(number: u8) -> Option<Self> {
        let &(first, widths, kinds) = GROUPS.iter().rev().find(|(first, ..)| *first <= number)?;
        kinds.get(usize::from(number - first)).map(|&kind| Self { widths, kind })
    }

    fn components(self) -> usize {
        self.widths.len()
    }

    pub fn bytes(self) -> usize {
        self.widths.iter().sum::<u32>() as usize / 8
    }

    /// The components of an element, as 32 bits each; those that the format does not have are 0, 0, 0, 1.
    pub fn load(self, element: u128) -> [u32; 4] {
        let one = if matches!(self.kind, Uint | Sint) { 1 } else { 1.0_f32.to_bits() };
        let mut all = [0, 0, 0, one];
        let mut at = 0;
        for (n, (to, &width)) in all.iter_mut().zip(self.widths).enumerate() {
            let kind = if n == 3 && self.kind == Srgb { Unorm } else { self.kind };
            *to = kind.decode((element >> at) as u32 & mask(width), width);
            at += width;
        }
        all
    }

    /// An element with these components.
    pub fn store(self, components: [u32; 4]) -> u128 {
        let mut at = 0;
        let parts = components.iter().zip(self.widths).map(|(&value, &width)| {
            let bits = u128::from(self.encode(value, width) & mask(width)) << at;
            at += width;
            bits
        });
        parts.fold(0, |all, bits| all | bits)
    }

    /// Whether elements in it can be stored.
    pub fn is_stored(self) -> bool {
        self.kind != Srgb
    }

    /// Whether its whole numbers have a sign.
    fn is_signed(self) -> bool {
        self.kind == Sint
    }

    /// Whether components are floats in registers, which 16 bits hold as halves.
    pub fn is_float(self) -> bool {
        !matches!(self.kind, Uint | Sint)
    }

    /// Where a resource has each component from: 0, 1, or one of the format.
    pub fn selected(self, word: u32, all: [u32; 4]) -> [u32; 4] {
        std::array::from_fn(|n| match word >> (3 * n) & 7 {
            select @ 4..=7 => all[select as usize - 4],
            1 if self.is_float() => 1.0_f32.to_bits(),
            select => select & 1,
        })
    }

    /// A component as 16 bits.
    pub fn narrow(value: u32, floats: bool) -> u32 {
        if floats { f16::from_f32(f32::from_bits(value)).to_bits().into() } else { value & 0xffff }
    }

    /// A component of 16 bits as 32.
    pub fn widen(self, bits: u32) -> u32 {
        match self.is_float() {
            true => f16::from_bits(bits as u16).to_f32().to_bits(),
            false if self.is_signed() => bits as i16 as u32,
            false => bits,
        }
    }

    fn encode(self, value: u32, width: u32) -> u32 {
        let float = f64::from(f32::from_bits(value));
        let (whole, half) = (f64::from(mask(width)), f64::from(mask(width - 1)));
        match self.kind {
            Uint => value.min(mask(width)),
            Sint => (value as i32).clamp(-(mask(width - 1) as i32) - 1, mask(width - 1) as i32) as u32,
            Float if width == 32 => value,
            Float => f16::from_f64(float).to_bits().into(),
            Unorm | Srgb => (float.clamp(0.0, 1.0) * whole).round_ties_even() as u32,
            Snorm => (float.clamp(-1.0, 1.0) * half).round_ties_even() as i32 as u32,
            Uscaled => float.clamp(0.0, whole) as u32,
            Sscaled => float.clamp(-half - 1.0, half) as i32 as u32,
        }
    }
}

fn mask(width: u32) -> u32 {
    u32::MAX >> (32 - width)
}

/// Loads or stores `count` components of elements of a buffer.
pub fn formatted(
    w: &mut Wave,
    i: &Vmem,
    loads: bool,
    count: usize,
    d16: bool,
    storage: &mut Storage<'_>,
) -> Result<(), Fault> {
    let word = resource(w, i)[3];
    let number = i.format.unwrap_or((word >> 12 & 0x7f) as u8);
    let Some(format) = Format::of(number).filter(|format| loads || count >= format.components()) else {
        w.trap(format!("buffer format {number} is not modelled for {count} components"));
        return Ok(());
    };
    for lane in bits(w.exec()) {
        let at = location(w, i, lane, format.bytes() as u64);
        let mut bytes = [0; 16];
        if loads {
            read(w, lane, at, &mut bytes[..format.bytes()], storage)?;
            let outside = at == Location::OutOfBounds;
            let all = format.selected(word, if outside { [0; 4] } else { format.load(u128::from_le_bytes(bytes)) });
            for (n, &value) in all[..count].iter().enumerate() {
                if d16 {
                    let part = if n % 2 == 0 { Part::Whole } else { Part::High };
                    merge(&mut w.v[usize::from(i.dst) + n / 2][lane], Format::narrow(value, format.is_float()), part);
                } else {
                    w.v[usize::from(i.dst) + n][lane] = value;
                }
            }
        } else {
            let component = |n: usize| {
                let r = usize::from(i.data) + if d16 { n / 2 } else { n };
                let value = w.v.get(r).map_or(0, |v| v[lane]);
                if d16 { format.widen(value >> (16 * (n % 2)) & 0xffff) } else { value }
            };
            let element = format.store(std::array::from_fn(component)).to_le_bytes();
            write(w, lane, at, &element[..format.bytes()], storage)?;
        }
    }
    Ok(())
}
