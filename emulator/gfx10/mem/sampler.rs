//! Sampler resources (S#): where a coordinate leads, and what is made of the elements there ("RDNA 2 ISA", 8.2.5; the fields
//! are those of Mesa's src/amd/registers/gfx10-rsrc.json, `SQ_IMG_SAMP_WORD0` to `3`).

use crate::memory::Fault;

/// Four components as registers have them.
pub type Texel = [u32; 4];

/// Steps of a coordinate from one element to the next.
const FRACTION: f32 = 256.0;

/// What happens to a coordinate beyond an edge. Those that mirror once, or end in half of the border, count as the nearest
/// of these: HIP has no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Wrap,
    Mirror,
    Clamp,
    Border,
}

/// Where to sample.
pub struct Point {
    pub coordinates: [f32; 3],
    /// How many of them there are, but for the layer.
    pub axes: usize,
    /// Of an image of layers, where the last coordinate is one: the first.
    pub first_layer: Option<u32>,
    /// Whether there are more elements than points to sample, which is beyond level 0: the image has no other level.
    pub small: bool,
}

pub struct Sampler {
    edges: [Edge; 3],
    /// Coordinates count elements.
    unnormalized: bool,
    /// Coordinates are cut off behind their fraction's bits, not rounded.
    truncated: bool,
    /// Linear filtering where an image is large, and where it is small.
    magnified: bool,
    minified: bool,
    /// That between slices, where it is not as within one (Mesa never sets Z_FILTER).
    between: Option<bool>,
    border: u32,
}

impl Sampler {
    pub fn of(words: [u32; 4], unnormalized: bool) -> Self {
        let edge = |n: u32| match words[0] >> (3 * n) & 7 {
            0 => Edge::Wrap,
            1 => Edge::Mirror,
            2 | 3 => Edge::Clamp,
            _ => Edge::Border,
        };
        Self {
            edges: [edge(0), edge(1), edge(2)],
            unnormalized: unnormalized || words[0] >> 15 & 1 != 0,
            truncated: words[0] >> 27 & 1 != 0,
            magnified: words[2] >> 20 & 1 != 0,
            minified: words[2] >> 22 & 1 != 0,
            between: match words[2] >> 24 & 3 {
                0 => None,
                filter => Some(filter == 2),
            },
            border: words[3] >> 30,
        }
    }

    fn border(&self, floats: bool) -> Texel {
        let one = if floats { 1.0_f32.to_bits() } else { 1 };
        match self.border {
            1 => [0, 0, 0, one],
            2 => [one; 4],
            _ => [0; 4],
        }
    }

    /// A coordinate in elements, as the filter has it: with 8 bits of fraction (Mesa's radv, `subTexelPrecisionBits`), to which
    /// it is rounded unless TRUNC_COORD is set (Mesa's ac_gpu_info.h, `conformant_trunc_coord`). ROCm's device library counts
    /// on it: for points it samples at n / size, whose product with the size may be less than n.
    fn fixed(&self, at: f32) -> f32 {
        let at = at * FRACTION;
        (if self.truncated { at.floor() } else { at.round_ties_even() }) / FRACTION
    }

    /// The element that stands for one beyond the edge; the border is nowhere.
    fn element(&self, axis: usize, at: i64, size: u32) -> i64 {
        let size = i64::from(size);
        match self.edges[axis] {
            Edge::Wrap => at.rem_euclid(size),
            Edge::Mirror => {
                let at = at.rem_euclid(2 * size);
                at.min(2 * size - 1 - at)
            }
            Edge::Clamp => at.clamp(0, size - 1),
            Edge::Border => at,
        }
    }

    /// Of each axis the two elements beside a point, and the second one's weight, which is 0 where the axis is not `linear`.
    fn beside(&self, point: &Point, size: [u32; 3], linear: [bool; 3]) -> [([i64; 2], f32); 3] {
        let mut beside = [([0; 2], 0.0); 3];
        for (axis, beside) in beside.iter_mut().enumerate().take(point.axes) {
            let scale = if self.unnormalized { 1.0 } else { size[axis] as f32 };
            let at = self.fixed(point.coordinates[axis] * scale);
            let from = if linear[axis] { at - 0.5 } else { at };
            let first = from.floor();
            let places = [first as i64, (first as i64).saturating_add(1)];
            let weight = if linear[axis] { from - first } else { 0.0 };
            *beside = (places.map(|place| self.element(axis, place, size[axis])), weight);
        }
        if let Some(first) = point.first_layer {
            let last = i64::from(size[2]) - 1;
            let nearest = (point.coordinates[2].round_ties_even() as i64 + i64::from(first)).clamp(0, last);
            beside[2] = ([nearest; 2], 0.0);
        }
        beside
    }

    /// Samples at a point. `load` gets the element at a place, or the border.
    pub fn sample(
        &self,
        point: &Point,
        size: [u32; 3],
        floats: bool,
        mut load: impl FnMut([i64; 3], Texel) -> Result<Texel, Fault>,
    ) -> Result<Texel, Fault> {
        let border = self.border(floats);
        let within = floats && if point.small { self.minified } else { self.magnified };
        let beside = self.beside(point, size, [within, within, floats && self.between.unwrap_or(within)]);
        let mut sum = [0.0_f32; 4];
        for corner in 0..8_usize {
            let side = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
            let weights = [0, 1, 2].map(|axis| if side[axis] == 1 { beside[axis].1 } else { 1.0 - beside[axis].1 });
            let weight: f32 = weights.iter().product();
            if weight == 0.0 {
                continue;
            }
            let texel = load([0, 1, 2].map(|axis| beside[axis].0[side[axis]]), border)?;
            if weight == 1.0 {
                return Ok(texel);
            }
            sum.iter_mut().zip(texel).for_each(|(sum, value)| *sum += weight * f32::from_bits(value));
        }
        Ok(sum.map(f32::to_bits))
    }

    /// One component of the four elements that a linear sample of a slice is made of, against the clock from the lower left.
    pub fn gather(
        &self,
        point: &Point,
        size: [u32; 3],
        floats: bool,
        component: usize,
        mut load: impl FnMut([i64; 3], Texel) -> Result<Texel, Fault>,
    ) -> Result<Texel, Fault> {
        let border = self.border(floats);
        let [(x, _), (y, _), (z, _)] = self.beside(point, size, [true, true, false]);
        let mut gathered = [0; 4];
        for (to, [right, lower]) in gathered.iter_mut().zip([[0, 1], [1, 1], [1, 0], [0, 0]]) {
            *to = load([x[right], y[lower], z[0]], border)?[component];
        }
        Ok(gathered)
    }
}
