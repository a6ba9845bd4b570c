//! From a kernel's descriptor and a dispatch to waves as they start.
//!
//! LLVM, "User Guide for AMDGPU Backend", "Kernel Descriptor" and "Initial Kernel Execution State". The older
//! `amd_kernel_code_t` (amd_hsa_kernel_code.h) has the fields used here at the same places.

use crate::dispatch::Dispatch;
use crate::group::Group;
use crate::mem::SCRATCH_RESOURCE;
use crate::memory::Memory;
use crate::stop::Stop;
use crate::wave::{PRIVATE_APERTURE, SLACK, Wave, reg};

/// What the descriptor says.
pub struct Kernel {
    entry: u64,
    rsrc1: u32,
    rsrc2: u32,
    properties: u32,
}

impl Kernel {
    pub fn read(memory: &dyn Memory, at: u64) -> Result<Self, Stop> {
        let mut bytes = [0; 64];
        for (n, part) in bytes.chunks_exact_mut(8).enumerate() {
            memory.load(at + 8 * n as u64, part).map_err(|fault| Stop::Fault {
                fault,
                pc: at,
                text: "reading the kernel descriptor".into(),
            })?;
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let offset = u64::from(word(16)) | u64::from(word(20)) << 32;
        Ok(Self { entry: at.wrapping_add(offset), rsrc1: word(48), rsrc2: word(52), properties: word(56) })
    }

    fn lanes(&self) -> usize {
        if self.properties & 1 << 10 != 0 { 32 } else { 64 }
    }

    pub fn vgprs(&self) -> usize {
        let granule = if self.lanes() == 32 { 8 } else { 4 };
        (self.rsrc1 as usize & 63) * granule + granule
    }

    /// A work-group as it starts.
    pub fn group(&self, dispatch: &Dispatch, id: [u32; 3]) -> Group {
        // The last group of a dimension may be a part of one.
        let size: [u32; 3] = std::array::from_fn(|n| {
            u32::from(dispatch.workgroup[n]).min(dispatch.grid[n].max(1) - id[n] * u32::from(dispatch.workgroup[n]))
        });
        let items: u32 = size.iter().product();
        let lanes = self.lanes();
        let waves = (0..items.div_ceil(lanes as u32)).map(|n| {
            let first = n * lanes as u32;
            self.wave(dispatch, id, size, first, items)
        });
        // LDS is allocated by 512 bytes.
        Group { id, waves: waves.collect(), lds: vec![0; (dispatch.group_bytes as usize).next_multiple_of(512)] }
    }

    fn wave(&self, dispatch: &Dispatch, id: [u32; 3], size: [u32; 3], first: u32, items: u32) -> Wave {
        let lanes = self.lanes();
        let mut w = Wave::new(lanes, self.vgprs() + SLACK);
        w.pc = self.entry;
        // FLOAT_MODE, DX10_CLAMP and IEEE_MODE.
        w.mode = self.rsrc1 >> 12 & 0xff | (self.rsrc1 >> 21 & 1) << 8 | (self.rsrc1 >> 23 & 1) << 9;
        w.private_bytes = dispatch.private_bytes.next_multiple_of(4);
        w.scratch = vec![0; w.private_bytes as usize * lanes];
        let present = (items - first).min(lanes as u32);
        w.set_mask(reg::EXEC, u64::MAX >> (64 - present));
        self.scalars(&mut w, dispatch, id);

        let dimensions = (self.rsrc2 >> 11 & 3).min(2);
        for lane in 0..present {
            let item = first + lane;
            let place = [item % size[0], item / size[0] % size[1], item / size[0] / size[1]];
            for (n, at) in place.into_iter().enumerate().take(dimensions as usize + 1) {
                w.v[n][lane as usize] = at;
            }
        }
        w
    }

    /// Scalar registers: what the kernel asked for, in a fixed order.
    fn scalars(&self, w: &mut Wave, dispatch: &Dispatch, id: [u32; 3]) {
        let is_enabled = |bit: u32| self.properties >> bit & 1 != 0;
        let mut user: Vec<u32> = Vec::new();
        let pair = |v: u64| [v as u32, (v >> 32) as u32];
        if is_enabled(0) {
            user.extend(SCRATCH_RESOURCE);
        }
        for (bit, value) in [(1, dispatch.packet), (2, dispatch.queue), (3, dispatch.kernarg), (4, dispatch.id)] {
            if is_enabled(bit) {
                user.extend(pair(value));
            }
        }
        if is_enabled(5) {
            user.extend(pair(PRIVATE_APERTURE));
        }
        if is_enabled(6) {
            user.push(dispatch.private_bytes);
        }
        // What was asked for beyond USER_SGPR_COUNT is not there.
        let count = (self.rsrc2 >> 1 & 31) as usize;
        user.resize(count, 0);
        for (n, bit) in [7, 8, 9].into_iter().enumerate() {
            if self.rsrc2 >> bit & 1 != 0 {
                user.push(id[n]);
            }
        }
        if self.rsrc2 >> 10 & 1 != 0 {
            user.push(0);
        }
        // Offset of the wave's scratch: each has its own.
        if self.rsrc2 & 1 != 0 {
            user.push(0);
        }
        w.s[..user.len()].copy_from_slice(&user);
    }
}
