//! What the instruction tests share: waves, operands and rows by name.

use super::mutation;
use crate::atomic::Atomic;
use crate::memory::{Fault, Memory};
use crate::operands::{Src, Vector};
use crate::ram::Ram;
use crate::row::Row;
use crate::valu::VectorFn;
use crate::valu::{vop1, vop2, vop3, vop3p, vopc};
use crate::wave::{Wave, reg};

/// A wave32 with lane 0 active.
pub fn wave() -> Wave {
    let mut w = Wave::new(32, 64);
    w.s[usize::from(reg::EXEC)] = 1;
    w
}

/// Every row of the vector encodings.
pub fn vector_rows() -> impl Iterator<Item = &'static Row<VectorFn>> {
    [vop1::TABLE, vop2::TABLE, vopc::TABLE, vop3::TABLE, vop3p::TABLE].into_iter().flatten()
}

/// The row of a mnemonic, spoilt where a mutation run wants it.
pub fn vector_row(name: &str) -> Row<VectorFn> {
    let row = vector_rows().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"));
    mutation::VECTOR.with(|spoilt| spoilt.of(row))
}

/// Where the tests put a vector result, and a mask.
pub const DST: u8 = 20;
pub const SDST: u8 = 40;

/// Operands in v0, v2 and v4 (pairs), results to v20, masks to s40.
pub fn operands(count: usize) -> Vector {
    let mut i = Vector { dst: DST, sdst: SDST, op_sel_hi: 7, ..Vector::default() };
    for n in 0..count.min(3) {
        i.src[n] = Src::vgpr(2 * n as u8);
    }
    i
}

/// Puts values of up to 64 bits where [`operands`] reads them in a lane.
pub fn give(w: &mut Wave, lane: usize, values: &[u64]) {
    for (n, value) in values.iter().enumerate() {
        w.v[2 * n][lane] = *value as u32;
        w.v[2 * n + 1][lane] = (value >> 32) as u32;
    }
}

/// The result in a lane.
pub fn got(w: &Wave, lane: usize) -> u64 {
    let r = usize::from(DST);
    u64::from(w.v[r][lane]) | u64::from(w.v[r + 1][lane]) << 32
}

pub fn set(w: &mut Wave, lane: usize, value: u64) {
    let r = usize::from(DST);
    w.v[r][lane] = value as u32;
    w.v[r + 1][lane] = (value >> 32) as u32;
}

/// Bits of a single, a double and a half.
pub const fn f(v: f32) -> u64 {
    v.to_bits() as u64
}

pub const fn d(v: f64) -> u64 {
    v.to_bits()
}

pub const fn h(v: f32) -> u64 {
    half::f16::from_f32_const(v).to_bits() as u64
}

/// What [`Clock`] shows.
pub const TICKS: u64 = 1 << 32 | 777;

/// Memory with a clock.
pub struct Clock<'a>(pub &'a Ram);

impl Memory for Clock<'_> {
    fn load(&self, va: u64, into: &mut [u8]) -> Result<(), Fault> {
        self.0.load(va, into)
    }

    fn store(&self, va: u64, from: &[u8]) -> Result<(), Fault> {
        self.0.store(va, from)
    }

    fn atomic(&self, va: u64, wide: bool, op: Atomic, data: u64, compare: u64) -> Result<u64, Fault> {
        self.0.atomic(va, wide, op, data, compare)
    }

    fn ticks(&self) -> u64 {
        TICKS
    }
}
