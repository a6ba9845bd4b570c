//! SMEM: scalar loads.

use super::access::{Storage, number};
use crate::memory::Fault;
use crate::operands::Smem;
use crate::row::{Row, both, rdna1};
use crate::wave::{Wave, reg};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmemOp {
    /// This many registers.
    Load(usize),
    /// The same through a buffer resource.
    BufferLoad(usize),
    /// Cache control: there is no cache.
    Nothing,
    /// A clock: the number of instructions done stands for the core's.
    CoreTime,
    /// The 100 MHz clock.
    RealTime,
}

pub static TABLE: &[Row<SmemOp>] = &[
    both(0x00, "s_load_dword", SmemOp::Load(1)),
    both(0x01, "s_load_dwordx2", SmemOp::Load(2)),
    both(0x02, "s_load_dwordx4", SmemOp::Load(4)),
    both(0x03, "s_load_dwordx8", SmemOp::Load(8)),
    both(0x04, "s_load_dwordx16", SmemOp::Load(16)),
    both(0x08, "s_buffer_load_dword", SmemOp::BufferLoad(1)),
    both(0x09, "s_buffer_load_dwordx2", SmemOp::BufferLoad(2)),
    both(0x0a, "s_buffer_load_dwordx4", SmemOp::BufferLoad(4)),
    both(0x0b, "s_buffer_load_dwordx8", SmemOp::BufferLoad(8)),
    both(0x0c, "s_buffer_load_dwordx16", SmemOp::BufferLoad(16)),
    both(0x1f, "s_gl1_inv", SmemOp::Nothing),
    both(0x20, "s_dcache_inv", SmemOp::Nothing),
    rdna1(0x21, "s_dcache_wb", SmemOp::Nothing),
    // Probes fill the translation cache ahead.
    both(0x26, "s_atc_probe", SmemOp::Nothing),
    both(0x27, "s_atc_probe_buffer", SmemOp::Nothing),
    both(0x24, "s_memtime", SmemOp::CoreTime),
    both(0x25, "s_memrealtime", SmemOp::RealTime),
];

pub fn run(w: &mut Wave, i: &Smem, op: SmemOp, storage: &mut Storage<'_>) -> Result<(), Fault> {
    match op {
        SmemOp::Nothing => {}
        SmemOp::CoreTime => w.set_s64(i.dst, w.count),
        SmemOp::RealTime => w.set_s64(i.dst, storage.memory.ticks()),
        SmemOp::Load(count) => load(w, i, w.s64(i.base), count, u64::MAX, storage)?,
        SmemOp::BufferLoad(count) => {
            let base = w.s64(i.base) & 0xffff_ffff_ffff;
            // Records times stride, or bytes where there is no stride.
            let stride = u64::from(w.s32(i.base + 1) >> 16 & 0x3fff).max(1);
            let records = u64::from(w.s32(i.base + 2));
            load(w, i, base, count, records * stride, storage)?;
        }
    }
    Ok(())
}

fn load(w: &mut Wave, i: &Smem, base: u64, count: usize, size: u64, storage: &mut Storage<'_>) -> Result<(), Fault> {
    let soffset = if i.soffset == reg::NULL { 0 } else { w.s32(i.soffset) };
    let offset = i64::from(i.offset) + i64::from(soffset);
    for n in 0..count {
        let offset = (offset as u64 & !3).wrapping_add(4 * n as u64);
        let mut bytes = [0; 4];
        if offset < size || size == u64::MAX {
            storage.memory.load(base.wrapping_add(offset) & !3, &mut bytes)?;
        }
        w.set_s32(i.dst + n as u8, number(&bytes) as u32);
    }
    Ok(())
}
