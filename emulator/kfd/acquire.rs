//! The buffers of a new queue (Linux drivers/gpu/drm/amd/amdkfd/kfd_queue.c, from 6.12 on).

use rmcp_machine::{Gpu, Kernel};

use crate::memory::Memory;
use crate::uapi::CreateQueue;

const PAGE: u64 = 4096;
/// `eop_buffer_size` of all cards since gfx9.
const EOP_BYTES: u64 = 4096;

/// What the kernel reckons a compute queue of a card to need for saving its waves (`kfd_queue_ctx_save_restore_size`).
#[derive(Debug, PartialEq, Eq)]
pub struct SaveArea {
    /// Bytes of the control stack.
    pub ctl_stack: u64,
    /// Bytes of control stack and waves.
    pub cwsr: u64,
    /// Bytes for debuggers, behind the area.
    pub debug: u64,
}

impl SaveArea {
    pub fn of(gpu: &Gpu) -> Self {
        let (units, target) = (u64::from(gpu.compute_units), gpu.gfx.version());
        let rdna = target >= 100_100;
        let waves = match rdna {
            true => units * 32,
            false => (units * 40).min(u64::from(gpu.shader_engines) * 512),
        };
        let vector_registers = match target {
            90_008 | 90_010 | 90_402 | 90_500 => 0x8_0000,
            110_000 | 110_001 | 120_000 | 120_001 => 0x6_0000,
            _ => 0x4_0000,
        };
        let (scalar_registers, lds, hardware_registers) = (0x4000, 0x1_0000, 0x1000);
        let unit = vector_registers + scalar_registers + lds + hardware_registers;
        let (header, per_wave) = (40 + 8, if rdna { 12 } else { 8 });
        let stack = (header + waves * per_wave).next_multiple_of(PAGE);
        let ctl_stack = if gpu.gfx.major == 10 { stack.min(0x7000) } else { stack };
        Self {
            ctl_stack,
            cwsr: ctl_stack + (units * unit).next_multiple_of(PAGE),
            debug: (waves * 32).next_multiple_of(64),
        }
    }
}

/// The buffer that is mapped to card `index` at `address` with just this size (`kfd_queue_buffer_get`); else why there is none.
/// Of less than a page only the start is looked at.
pub fn buffer(memory: &Memory, index: usize, what: &str, address: u64, size: u64) -> Result<u64, String> {
    let start = address & !(PAGE - 1);
    match memory.mapping(index, start) {
        Some((id, mapped)) if size < PAGE || mapped.next_multiple_of(PAGE) == size => Ok(id),
        Some((_, mapped)) => Err(format!("{what} at {start:#x} is a mapping of {mapped:#x} bytes, not of {size:#x}")),
        None => Err(format!("{what} at {address:#x} is no mapping's start")),
    }
}

/// The buffers of a new queue on card `index`, where the kernel takes them (`kfd_queue_acquire_buffers`); else why not.
pub fn check(memory: &Memory, kernel: Kernel, index: usize, gpu: &Gpu, a: &CreateQueue) -> Result<Vec<u64>, String> {
    const COMPUTE: [u32; 2] = [0, 2];
    if kernel < Kernel::Linux6_12 {
        return Ok(Vec::new());
    }
    let buffer = |what: &str, address: u64, size: u64| buffer(memory, index, what, address, size);
    let ring = buffer("ring", a.ring_base, a.ring_size.into())?;
    let mut found =
        vec![ring, buffer("write pointer", a.write_pointer, PAGE)?, buffer("read pointer", a.read_pointer, PAGE)?];
    if !COMPUTE.contains(&a.queue_type) {
        return Ok(found);
    }
    if a.eop_address != 0 {
        if a.eop_size != EOP_BYTES {
            return Err(format!("EOP buffer of {:#x} bytes, not {EOP_BYTES:#x}", a.eop_size));
        }
        found.push(buffer("EOP buffer", a.eop_address, EOP_BYTES)?);
    }
    let need = SaveArea::of(gpu);
    if u64::from(a.ctl_stack_size) != need.ctl_stack {
        return Err(format!("control stack of {:#x} bytes, not {:#x}", a.ctl_stack_size, need.ctl_stack));
    }
    let asked = u64::from(a.save_area_size);
    if asked < need.cwsr || (asked > need.cwsr && kernel < Kernel::Linux6_18) {
        return Err(format!("save area of {asked:#x} bytes, not {:#x}", need.cwsr));
    }
    let total = (asked + need.debug).next_multiple_of(PAGE);
    match buffer("save area", a.save_area, total) {
        Ok(area) => found.push(area),
        Err(_) if memory.svm.is_always_mapped(gpu.gpu_id(), a.save_area & !(PAGE - 1), total) => {}
        Err(wrong) => return Err(format!("{wrong}, nor is it shared memory that stays mapped")),
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp_machine::Machine;

    fn area(card: &str, units: u32) -> SaveArea {
        let mut gpu = Machine::load(card).unwrap().gpu.remove(0);
        gpu.compute_units = units;
        SaveArea::of(&gpu)
    }

    /// The report of an RX 5500 in ROCm/TheRock#7472: 0x6ab000 expected where 40 waves a unit make 0x6ad000.
    #[test]
    fn a_card_of_rdna1_saves_32_waves_a_unit() {
        let units = 20;
        let rx5500 = area("gfx1010", units);
        let mapped = |debug: u64| (rx5500.cwsr + debug).next_multiple_of(PAGE);
        assert_eq!((mapped(rx5500.debug), mapped(u64::from(units) * 40 * 32)), (0x6a_b000, 0x6a_d000));
    }

    #[test]
    fn the_control_stack_of_gfx10_ends_at_0x7000() {
        assert_eq!(area("gfx1030", 80).ctl_stack, 0x7000);
        assert_eq!(area("gfx1100", 96).ctl_stack, 0xa000);
    }
}
