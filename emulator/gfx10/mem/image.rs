//! MIMG: loads and stores of images, and samples of textures ("RDNA 2 ISA", 8.2, "Vector Memory Image Instructions"; the
//! fields of a resource are those of Mesa's src/amd/registers/gfx10-rsrc.json, `SQ_IMG_RSRC_WORD0` to `5`, and of ROCR's
//! image/resource_nv.h for what gfx10.3 has of its own).
//!
//! Images have one level here. Of a swizzled image the elements lie in rows, without gaps: only image instructions can tell.

use half::f16;

use super::access::{Location, Part, Storage, merge, read, write};
use super::format::Format;
use super::sampler::{Point, Sampler, Texel};
use crate::memory::Fault;
use crate::operands::Mimg;
use crate::row::{Row, both};
use crate::wave::{Wave, bits};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageOp {
    /// `level`: the last address names it.
    Load {
        level: bool,
    },
    Store {
        level: bool,
    },
    /// Width, height, depth or layers, levels.
    Size,
    Sample(Level),
    /// One component of the four elements that a linear sample is made of.
    Gather(Level),
}

/// What says how small an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It is as large as it is.
    Zero,
    /// The address behind the coordinates.
    Last,
    /// The steps to the next points to the right and below, in front of the coordinates.
    Steps,
    /// The same as 16-bit floats, two in a register; each of the two begins one.
    HalfSteps,
}

impl ImageOp {
    /// Whether an address behind the coordinates names the level.
    pub fn has_level(self) -> bool {
        matches!(self, Self::Load { level } | Self::Store { level } if level)
            || matches!(self, Self::Sample(Level::Last) | Self::Gather(Level::Last))
    }

    /// Addresses in front of the coordinates, where this many are no layer.
    fn steps(self, axes: usize) -> usize {
        match self {
            Self::Sample(Level::Steps) => 2 * axes,
            Self::Sample(Level::HalfSteps) => 2 * axes.div_ceil(2),
            _ => 0,
        }
    }

    /// The step along an axis of the two that begin with `addresses`.
    fn step(self, addresses: &[u32], axis: usize) -> f32 {
        match self {
            Self::Sample(Level::HalfSteps) => {
                f16::from_bits((addresses[axis / 2] >> (16 * (axis % 2))) as u16).to_f32()
            }
            _ => f32::from_bits(addresses[axis]),
        }
    }

    /// Addresses of an access to an image of this DIM.
    pub fn addresses(self, dimension: u8) -> usize {
        let (_, count, layered) = DIMENSIONS[usize::from(dimension)];
        match self {
            Self::Size => 1,
            _ => self.steps(count - usize::from(layered)) + count + usize::from(self.has_level()),
        }
    }

    pub fn has_sampler(self) -> bool {
        matches!(self, Self::Sample(_) | Self::Gather(_))
    }
}

pub static TABLE: &[Row<ImageOp>] = &[
    both(0x00, "image_load", ImageOp::Load { level: false }),
    both(0x01, "image_load_mip", ImageOp::Load { level: true }),
    both(0x08, "image_store", ImageOp::Store { level: false }),
    both(0x09, "image_store_mip", ImageOp::Store { level: true }),
    both(0x0e, "image_get_resinfo", ImageOp::Size),
    both(0x20, "image_sample", ImageOp::Sample(Level::Zero)),
    both(0x22, "image_sample_d", ImageOp::Sample(Level::Steps)),
    both(0xa2, "image_sample_d_g16", ImageOp::Sample(Level::HalfSteps)),
    both(0x24, "image_sample_l", ImageOp::Sample(Level::Last)),
    both(0x27, "image_sample_lz", ImageOp::Sample(Level::Zero)),
    both(0x40, "image_gather4", ImageOp::Gather(Level::Zero)),
    both(0x44, "image_gather4_l", ImageOp::Gather(Level::Last)),
    both(0x47, "image_gather4_lz", ImageOp::Gather(Level::Zero)),
];

/// DIM of the encoding, as LLVM prints it: coordinates, and whether the last one is a layer.
pub const DIMENSIONS: [(&str, usize, bool); 8] = [
    ("1D", 1, false),
    ("2D", 2, false),
    ("3D", 3, false),
    ("CUBE", 3, false),
    ("1D_ARRAY", 2, true),
    ("2D_ARRAY", 3, true),
    ("2D_MSAA", 3, false),
    ("2D_MSAA_ARRAY", 4, true),
];

/// What an image resource (T#) says.
pub struct Image {
    base: u64,
    format: Format,
    /// Where components come from, as in a buffer's resource.
    select: u32,
    /// Of the whole image in elements: width, height, depth or layers.
    pub size: [u32; 3],
    /// Elements from one row to the next.
    pitch: u32,
    first_layer: u32,
}

impl Image {
    /// What is not modelled of a resource is the error.
    fn of(words: [u32; 8], dimension: u8) -> Result<Self, String> {
        let number = words[1] >> 20 & 0x1ff;
        let format = u8::try_from(number).ok().and_then(Format::of);
        let format = format.ok_or_else(|| format!("image format {number} is not modelled"))?;
        let (kind, swizzle, last_level) = (words[3] >> 28, words[3] >> 20 & 31, words[3] >> 16 & 15);
        if !matches!(kind, 8..=10 | 12 | 13) {
            return Err(format!("images of type {kind} are not modelled"));
        }
        if last_level != 0 {
            return Err(format!("an image of {} levels is not modelled", last_level + 1));
        }
        let width = (words[1] >> 30 | (words[2] & 0xfff) << 2) + 1;
        let height = (words[2] >> 14 & 0x3fff) + 1;
        let (_, coordinates, layered) = DIMENSIONS[usize::from(dimension)];
        // Where there is no depth gfx10.3 has the pitch in its place.
        let flat = matches!(kind, 8 | 9);
        let (depth, own_pitch) = if flat { (1, words[4] & 0x3fff) } else { ((words[4] & 0x1fff) + 1, 0) };
        let height = if matches!(kind, 8 | 12) { 1 } else { height };
        let pitch = match (swizzle, own_pitch) {
            (0, 0) => (width * format.bytes() as u32).next_multiple_of(256) / format.bytes() as u32,
            (0, pitch) => pitch + 1,
            _ => width,
        };
        let first_layer = if layered && coordinates > 1 { words[4] >> 16 & 0x1fff } else { 0 };
        Ok(Self {
            base: (u64::from(words[0]) | u64::from(words[1] & 0xff) << 32) << 8,
            format,
            select: words[3],
            size: [width, height, depth],
            pitch,
            first_layer,
        })
    }

    /// Where an element is: beyond an edge nowhere.
    fn location(&self, at: [i64; 3]) -> Location {
        let inside = at.iter().zip(self.size).all(|(&at, size)| (0..i64::from(size)).contains(&at));
        if !inside {
            return Location::OutOfBounds;
        }
        let [x, y, z] = at.map(|n| n as u64);
        let row = z * u64::from(self.size[1]) + y;
        Location::Memory(self.base + (row * u64::from(self.pitch) + x) * self.format.bytes() as u64)
    }

    /// The components at a place; `beyond` where there is no such place.
    fn load(&self, at: [i64; 3], beyond: Texel, memory: &mut Reader<'_, '_>) -> Result<Texel, Fault> {
        let at = self.location(at);
        if at == Location::OutOfBounds {
            return Ok(beyond);
        }
        let mut bytes = [0; 16];
        read(memory.wave, memory.lane, at, &mut bytes[..self.format.bytes()], memory.storage)?;
        Ok(self.format.selected(self.select, self.format.load(u128::from_le_bytes(bytes))))
    }
}

/// Whose access it is.
struct Reader<'a, 'b> {
    wave: &'a mut Wave,
    lane: usize,
    storage: &'a mut Storage<'b>,
}

pub fn run(w: &mut Wave, i: &Mimg, op: ImageOp, storage: &mut Storage<'_>) -> Result<(), Fault> {
    let image = match Image::of(std::array::from_fn(|n| w.s32(i.resource + n as u8)), i.dimension) {
        Ok(image) => image,
        Err(why) => {
            w.trap(why);
            return Ok(());
        }
    };
    if matches!(op, ImageOp::Store { .. }) && !image.format.is_stored() {
        w.trap("stores to an image in sRGB are not modelled");
        return Ok(());
    }
    let sampler = Sampler::of(std::array::from_fn(|n| w.s32(i.sampler + n as u8)), i.unnormalized);
    let (_, count, layered) = DIMENSIONS[usize::from(i.dimension)];
    let axes = count - usize::from(layered);
    let steps = op.steps(axes);
    for lane in bits(w.exec()) {
        let address = |n: usize| w.v[usize::from(i.addr[n])][lane];
        // The layer stands last, and in an image of rows behind an y of 0.
        let place = |n: usize| if layered && n + 1 == count { 2 } else { n };
        let mut raw = [0; 3];
        (0..count).for_each(|n| raw[place(n)] = address(steps + n));
        let level = if op.has_level() { address(count) } else { 0 };
        match op {
            ImageOp::Size => {
                let layers = image.size[2] - image.first_layer.min(image.size[2] - 1);
                put(w, i, i.mask, lane, [image.size[0], image.size[1], layers, 1], false);
            }
            ImageOp::Sample(_) | ImageOp::Gather(_) => {
                let steps: Vec<u32> = (0..steps).map(address).collect();
                let far = |steps: &[u32]| (0..axes).any(|n| (op.step(steps, n) * image.size[n] as f32).abs() > 1.0);
                let point = Point {
                    coordinates: raw.map(f32::from_bits),
                    axes,
                    first_layer: layered.then_some(image.first_layer),
                    small: f32::from_bits(level) > 0.0 || steps.chunks(steps.len().div_ceil(2).max(1)).any(far),
                };
                let floats = image.format.is_float();
                let memory = &mut Reader { wave: w, lane, storage };
                let load = |at, border| image.load(at, border, memory);
                if matches!(op, ImageOp::Gather(_)) {
                    let component = i.mask.trailing_zeros() as usize & 3;
                    let texel = sampler.gather(&point, image.size, floats, component, load)?;
                    put(w, i, 0b1111, lane, texel, floats);
                } else {
                    let texel = sampler.sample(&point, image.size, floats, load)?;
                    put(w, i, i.mask, lane, texel, floats);
                }
            }
            ImageOp::Load { .. } | ImageOp::Store { .. } => {
                let mut at = raw.map(|n| i64::from(n as i32));
                at[2] += i64::from(image.first_layer);
                // There is the first level alone.
                if level != 0 {
                    at[0] = -1;
                }
                if matches!(op, ImageOp::Load { .. }) {
                    let beyond = image.format.selected(image.select, [0; 4]);
                    let memory = &mut Reader { wave: w, lane, storage };
                    let texel = image.load(at, beyond, memory)?;
                    put(w, i, i.mask, lane, texel, image.format.is_float());
                } else {
                    let element = image.format.store(get(w, i, lane, image.format)).to_le_bytes();
                    write(w, lane, image.location(at), &element[..image.format.bytes()], storage)?;
                }
            }
        }
    }
    Ok(())
}

/// Writes the components that the mask names, one after the other.
fn put(w: &mut Wave, i: &Mimg, mask: u8, lane: usize, texel: Texel, floats: bool) {
    for (n, component) in bits(mask.into()).enumerate() {
        let value = texel[component];
        if i.d16 {
            let part = if n % 2 == 0 { Part::Whole } else { Part::High };
            merge(&mut w.v[usize::from(i.data) + n / 2][lane], Format::narrow(value, floats), part);
        } else {
            w.v[usize::from(i.data) + n][lane] = value;
        }
    }
}

/// The components that the mask names; the others are 0.
fn get(w: &Wave, i: &Mimg, lane: usize, format: Format) -> Texel {
    let mut texel = [0; 4];
    for (n, component) in bits(i.mask.into()).enumerate() {
        let register = |n: usize| w.v.get(usize::from(i.data) + n).map_or(0, |v| v[lane]);
        texel[component] = if i.d16 { format.widen(register(n / 2) >> (16 * (n % 2)) & 0xffff) } else { register(n) };
    }
    texel
}
