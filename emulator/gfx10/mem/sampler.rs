//! Sampler resources (S#): where a coordinate leads, and what is made of the elements there ("RDNA 2 ISA", 8.2.5).

use crate::memory::Fault;

/// Four components as registers have them.
pub type Texel = [u32; 4];

/// What happens to a coordinate beyond an edge. Those that mirror once, or end in half of the border, count as the nearest
/// of these: HIP has no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Wrap,
    Mirror,
    Clamp,
    Border,
}

pub struct Sampler {
    edges: [Edge; 3],
    /// Coordinates count elements.
    unnormalized: bool,
    /// Linear filtering within a slice, and between slices.
    linear: [bool; 2],
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
        let within = words[2] >> 20 & 1 != 0;
        // None is as within a slice.
        let between = match words[2] >> 24 & 3 {
            0 => within,
            filter => filter == 2,
        };
        Self {
            edges: [edge(0), edge(1), edge(2)],
            unnormalized: unnormalized || words[0] >> 15 & 1 != 0,
            linear: [within, between],
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

    /// Samples at `coordinates`, of which `count` are given; with `layer`, the first one, the last is a layer. `load` gets the
    /// element at a place, or the border.
    pub fn sample(
        &self,
        coordinates: [f32; 3],
        size: [u32; 3],
        layer: Option<u32>,
        count: usize,
        floats: bool,
        mut load: impl FnMut([i64; 3], Texel) -> Result<Texel, Fault>,
    ) -> Result<Texel, Fault> {
        let axes = count - usize::from(layer.is_some());
        let border = self.border(floats);
        // Of each axis the two elements beside the place, and the second one's weight.
        let mut beside = [([0_i64; 2], 0.0_f32); 3];
        for (axis, beside) in beside.iter_mut().enumerate().take(axes) {
            let scale = if self.unnormalized { 1.0 } else { size[axis] as f32 };
            let at = coordinates[axis] * scale;
            let linear = floats && self.linear[usize::from(axis == 2)];
            let from = if linear { at - 0.5 } else { at };
            let first = from.floor();
            let places = [first as i64, (first as i64).saturating_add(1)];
            let weight = if linear { from - first } else { 0.0 };
            *beside = (places.map(|place| self.element(axis, place, size[axis])), weight);
        }
        if let Some(first) = layer {
            let last = i64::from(size[2]) - 1;
            let nearest = (coordinates[2].round_ties_even() as i64 + i64::from(first)).clamp(0, last);
            beside[2] = ([nearest; 2], 0.0);
        }
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
}
