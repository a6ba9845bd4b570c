//! What the instruction tests share: waves, operands and rows by name.

use std::sync::Mutex;

use super::mutation;
use crate::atomic::Atomic;
use crate::memory::{Fault, Memory};
use crate::operands::{Src, Vector};
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

/// What the clock of [`Ram`] shows.
pub const TICKS: u64 = 1 << 32 | 777;

/// Some bytes from an address on.
pub struct Ram {
    pub base: u64,
    pub bytes: Mutex<Vec<u8>>,
}

impl Ram {
    pub fn new(base: u64, len: usize) -> Self {
        Self { base, bytes: Mutex::new(vec![0; len]) }
    }

    pub fn put(&self, va: u64, words: &[u32]) {
        for (n, word) in words.iter().enumerate() {
            self.store(va + 4 * n as u64, &word.to_le_bytes()).unwrap();
        }
    }

    pub fn word(&self, va: u64) -> u32 {
        let mut bytes = [0; 4];
        self.load(va, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    fn range(&self, va: u64, len: usize) -> Result<std::ops::Range<usize>, Fault> {
        let at = va.checked_sub(self.base).ok_or(Fault { va })? as usize;
        let all = self.bytes.lock().unwrap().len();
        if at + len <= all { Ok(at..at + len) } else { Err(Fault { va }) }
    }
}

impl Memory for Ram {
    fn load(&self, va: u64, into: &mut [u8]) -> Result<(), Fault> {
        let range = self.range(va, into.len())?;
        into.copy_from_slice(&self.bytes.lock().unwrap()[range]);
        Ok(())
    }

    fn store(&self, va: u64, from: &[u8]) -> Result<(), Fault> {
        let range = self.range(va, from.len())?;
        self.bytes.lock().unwrap()[range].copy_from_slice(from);
        Ok(())
    }

    fn ticks(&self) -> u64 {
        TICKS
    }

    fn atomic(&self, va: u64, wide: bool, op: Atomic, data: u64, compare: u64) -> Result<u64, Fault> {
        let range = self.range(va, if wide { 8 } else { 4 })?;
        Ok(crate::mem::access::update(&mut self.bytes.lock().unwrap()[range], op, data, compare))
    }
}
