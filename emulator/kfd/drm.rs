//! The ioctls of the render nodes (include/uapi/drm/drm.h and amdgpu_drm.h).

use serde_json::json;

use crate::clock::gpu_ticks;
use crate::dmabuf::Metadata;
use crate::log;
use crate::memory::{Buffer, GTT_BYTES, Place, flag, window};
use crate::session::Session;
use crate::uapi::{self, Answer, Plain, ioc_nr, ioc_size};
use rmcp_machine::Gpu;

/// `DRM_IOCTL_BASE`.
pub const BASE: u64 = b'd' as u64;

/// Function numbers; amdgpu's own start at `DRM_COMMAND_BASE`, 0x40.
mod nr {
    pub const VERSION: u32 = 0x00;
    pub const GEM_CLOSE: u32 = 0x09;
    pub const GET_CAP: u32 = 0x0c;
    pub const PRIME_HANDLE_TO_FD: u32 = 0x2d;
    pub const PRIME_FD_TO_HANDLE: u32 = 0x2e;
    pub const GEM_CREATE: u32 = 0x40;
    pub const GEM_MMAP: u32 = 0x41;
    pub const INFO: u32 = 0x45;
    pub const GEM_METADATA: u32 = 0x46;
    pub const GEM_WAIT_IDLE: u32 = 0x47;
    pub const GEM_VA: u32 = 0x48;
    pub const GEM_OP: u32 = 0x50;
}

/// `AMDGPU_GEM_DOMAIN_GTT` and `_VRAM`.
const DOMAIN_GTT: u64 = 2;
const DOMAIN_VRAM: u64 = 4;

macro_rules! layouts {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default)]
        struct $name { $($field: $type),* }
        // SAFETY: only integers, laid out by repr(C): any bytes are a value.
        unsafe impl Plain for $name {}
    )*};
}

layouts! {
    // drm_version; the lengths are those of the buffers, then of the texts.
    Version {
        major: i32, minor: i32, patch: i32, pad: i32,
        name_len: u64, name: u64, date_len: u64, date: u64, desc_len: u64, desc: u64,
    }
    Cap { capability: u64, value: u64 }
    GemClose { handle: u32, pad: u32 }
    Prime { handle: u32, flags: u32, fd: i32 }
    // drm_amdgpu_gem_create: `size` is the handle on return.
    GemCreate { size: u64, alignment: u64, domains: u64, flags: u64 }
    // drm_amdgpu_gem_mmap: `handle` is the offset on return.
    GemMmap { handle: u64 }
    GemVa {
        handle: u32, pad: u32, operation: u32, flags: u32, va: u64, offset: u64, size: u64,
    }
    // drm_amdgpu_gem_metadata: `size` is that of `data`, in bytes.
    GemMetadata {
        handle: u32, operation: u32, flags: u64, tiling: u64, size: u32, data: [[u32; 32]; 2],
    }
    // drm_amdgpu_gem_op: operation 0 asks for what GEM_CREATE was told.
    GemOp { handle: u32, operation: u32, value: u64 }
    Info { pointer: u64, size: u32, query: u32, a: u32, b: u32, c: u32, d: u32 }
    HwIp {
        major: u32, minor: u32, capabilities: u64, start_alignment: u32, size_alignment: u32, rings: u32,
        discovery: u32, slots: u32, pad: u32,
    }
    Heap { total: u64, usable: u64, used: u64, max: u64 }
    // drm_amdgpu_info_device.
    DevInfo {
        device_id: u32, chip_rev: u32, external_rev: u32, pci_rev: u32, family: u32, engines: u32, arrays: u32,
        counter_khz: u32, engine_khz: u64, memory_khz: u64, cu_active: u32, cu_ao_mask: u32, cu_bitmap: [u32; 16],
        rb_mask: u32, rb_pipes: u32, hw_contexts: u32, pcie_gen: u32, ids_flags: u64, va_offset: u64, va_max: u64,
        va_alignment: u32, pte_fragment: u32, gart_page: u32, ce_ram: u32, vram_type: u32, vram_bits: u32,
        vce_harvest: u32, double_lds: u32, buffer_addresses: [u64; 4], buffer_sizes: [u32; 4], wavefront: u32,
        vgprs: u32, cu_per_array: u32, tcc_blocks: u32, gs: [u32; 3], pcie_lanes: u32, cu_ao_bitmap: [u32; 16],
        high_va_offset: u64, high_va_max: u64, tile_steering: u32, pad: u32, tcc_disabled: u64,
        min_engine_khz: u64, min_memory_khz: u64,
    }
}

/// Answers a call on card `gpu`.
///
/// # Safety
/// `arg` must be the argument that `request` asks for.
pub unsafe fn ioctl(session: &'static Session, gpu: usize, request: u64, arg: u64) -> Answer {
    use uapi::with;
    // SAFETY, for every `with`: the caller passes the argument of the request, and each type is the one
    // the kernel reads for that number.
    match ioc_nr(request) {
        // SAFETY: see above.
        nr::VERSION => unsafe { with(request, arg, version) },
        // SAFETY: see above.
        nr::GET_CAP => unsafe {
            with(request, arg, |a: &mut Cap| {
                // DRM_CAP_PRIME, _SYNCOBJ and _SYNCOBJ_TIMELINE.
                a.value = match a.capability {
                    5 => 3,
                    0x13 | 0x14 => 1,
                    _ => 0,
                };
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::GEM_CLOSE => unsafe {
            with(request, arg, |a: &mut GemClose| {
                let buffer = session.gem().remove(&(gpu, a.handle)).ok_or(libc::EINVAL)?;
                session.release(buffer);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::PRIME_HANDLE_TO_FD => unsafe {
            with(request, arg, |a: &mut Prime| {
                let id = named(session, gpu, a.handle)?;
                a.fd = session.export(id, a.flags & libc::O_CLOEXEC as u32 != 0)?;
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::PRIME_FD_TO_HANDLE => unsafe { with(request, arg, |a| import(session, gpu, a)) },
        // SAFETY: see above.
        nr::GEM_CREATE => unsafe { with(request, arg, |a| create(session, gpu, a)) },
        // SAFETY: see above.
        nr::GEM_MMAP => unsafe {
            with(request, arg, |a: &mut GemMmap| {
                let id = named(session, gpu, a.handle as u32)?;
                let memory = session.memory();
                match memory.buffer(id).map(|buffer| buffer.place) {
                    Some(Place::File { offset, .. }) => a.handle = offset,
                    Some(Place::Import { .. }) => a.handle = window(memory.root(id)),
                    _ => return Err(libc::EPERM),
                }
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::GEM_VA => unsafe { with(request, arg, |a| map(session, gpu, a)) },
        // SAFETY: see above.
        nr::GEM_METADATA => unsafe { with(request, arg, |a| metadata(session, gpu, a)) },
        nr::GEM_WAIT_IDLE => {
            // SAFETY: the answer is in the argument, which has that many bytes: nothing is busy.
            unsafe { (arg as *mut u8).write_bytes(0, ioc_size(request)) };
            Ok(())
        }
        // SAFETY: see above.
        nr::GEM_OP => unsafe {
            with(request, arg, |a: &mut GemOp| {
                let id = named(session, gpu, a.handle)?;
                let memory = session.memory();
                let buffer = memory.buffer(id).filter(|_| a.operation == 0).ok_or(libc::EINVAL)?;
                let domains = if buffer.flags & flag::VRAM != 0 { DOMAIN_VRAM } else { DOMAIN_GTT };
                let created = GemCreate { size: buffer.size, alignment: 4096, domains, flags: 0 };
                uapi::write(a.value, created);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::INFO => unsafe { with(request, arg, |a: &mut Info| info(session, gpu, a)) },
        number => {
            log::event("unknown_ioctl", json!({ "device": "drm", "request": log::hex(request), "nr": number }));
            Err(libc::EINVAL)
        }
    }
}

fn version(a: &mut Version) -> Answer {
    // That of Linux 6.12.
    (a.major, a.minor, a.patch) = (3, 59, 0);
    let fill = |len: &mut u64, at: u64, text: &str| {
        if at != 0 {
            let count = text.len().min(*len as usize);
            // SAFETY: the caller has room for `len` bytes there.
            unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), at as *mut u8, count) };
        }
        *len = text.len() as u64;
    };
    fill(&mut a.name_len, a.name, "amdgpu");
    fill(&mut a.date_len, a.date, "20150101");
    fill(&mut a.desc_len, a.desc, "AMD GPU");
    Ok(())
}

/// The buffer that a GEM handle names.
fn named(session: &Session, gpu: usize, handle: u32) -> Result<u64, i32> {
    session.gem().get(&(gpu, handle)).copied().ok_or(libc::EINVAL)
}

/// A handle for a buffer; importing one twice gives the same handle, as GEM does.
fn handle(session: &Session, gpu: usize, buffer: u64) -> u32 {
    let handle = session.fresh() as u32;
    session.gem().insert((gpu, handle), buffer);
    handle
}

fn import(session: &Session, gpu: usize, a: &mut Prime) -> Answer {
    let buffer = session.import(a.fd)?;
    let existing = session.gem().iter().find(|((g, _), b)| *g == gpu && **b == buffer).map(|((_, h), _)| *h);
    a.handle = match existing {
        Some(handle) => {
            session.release(buffer);
            handle
        }
        None => handle(session, gpu, buffer),
    };
    Ok(())
}

fn create(session: &Session, gpu: usize, a: &mut GemCreate) -> Answer {
    let vram = a.domains & DOMAIN_VRAM != 0;
    let mut memory = session.memory_mut();
    let place = memory.take(gpu, a.size, vram).ok_or(libc::ENOMEM)?;
    let flags = if vram { flag::VRAM } else { flag::GTT };
    let id = memory.add(Buffer::new(gpu, flags, 0, a.size, place));
    drop(memory);
    a.size = handle(session, gpu, id).into();
    Ok(())
}

fn map(session: &Session, gpu: usize, a: &mut GemVa) -> Answer {
    let mut memory = session.memory_mut();
    // AMDGPU_VA_OP_MAP, _UNMAP, _CLEAR and _REPLACE.
    match a.operation {
        1 | 4 => {
            let id = named(session, gpu, a.handle)?;
            memory.buffer(id).filter(|b| a.offset + a.size <= b.size.next_multiple_of(4096)).ok_or(libc::EINVAL)?;
            memory.map(id, a.va, a.offset, a.size, 1 << gpu);
        }
        2 | 3 => memory.unmap(a.va, 1 << gpu),
        _ => return Err(libc::EINVAL),
    }
    Ok(())
}

/// `amdgpu_gem_metadata_ioctl`: what processes tell each other of a buffer.
fn metadata(session: &Session, gpu: usize, a: &mut GemMetadata) -> Answer {
    const SET: u32 = 1;
    const GET: u32 = 2;
    let id = named(session, gpu, a.handle)?;
    match a.operation {
        GET => {
            let memory = session.memory();
            let found = Metadata::read(memory.buffer(memory.root(id)).and_then(|buffer| buffer.metadata.as_deref()));
            (a.flags, a.tiling, a.size) = (found.flags, found.tiling, found.size);
            let words = found.data.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_le_bytes));
            a.data.as_flattened_mut().iter_mut().zip(words).for_each(|(to, word)| *to = word);
            Ok(())
        }
        SET if a.size as usize > Metadata::BYTES => Err(libc::EINVAL),
        SET => {
            let mut data = [0; Metadata::BYTES];
            data.copy_from_slice(&a.data.as_flattened().iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
            let set = Metadata { flags: a.flags, tiling: a.tiling, size: a.size, data };
            set.write(&*session.metadata(id)?).map_err(|_| libc::ENOMEM)
        }
        _ => Err(libc::EPERM),
    }
}

/// Copies as much of an answer as the caller wants.
fn give<T: Plain>(a: &Info, value: T) -> Answer {
    let len = (a.size as usize).min(size_of::<T>());
    // SAFETY: the caller has room for `size` bytes at its pointer.
    unsafe { std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), a.pointer as *mut u8, len) };
    Ok(())
}

/// Queries, by `AMDGPU_INFO_*`.
fn info(session: &Session, index: usize, a: &mut Info) -> Answer {
    let gpu = &session.tree.machine.gpu[index];
    let visible = if gpu.large_bar { gpu.vram_bytes } else { 256 << 20 };
    let used = || gpu.vram_bytes - session.memory().vram_left(index);
    let heap = |total: u64, used: u64| Heap { total, usable: total, used, max: total / 4 * 3 };
    match a.query {
        // ACCEL_WORKING, HW_IP_COUNT.
        0x00 | 0x03 => give(a, 1_u32),
        // HW_IP_INFO: graphics, compute and DMA exist.
        0x02 => {
            let rings = if a.a <= 2 { 1 } else { 0 };
            let ip = HwIp {
                major: gpu.gfx.major,
                minor: gpu.gfx.minor,
                start_alignment: 32,
                size_alignment: 32,
                rings,
                ..HwIp::default()
            };
            give(a, ip)
        }
        // TIMESTAMP.
        0x05 => give(a, gpu_ticks()),
        // FW_VERSION: version, feature.
        0x0e => give(a, u64::from(if a.a == 0x0b { gpu.sdma_firmware } else { gpu.mec_firmware })),
        // VRAM_USAGE, VIS_VRAM_USAGE.
        0x10 | 0x17 => give(a, used()),
        // NUM_BYTES_MOVED, GTT_USAGE, NUM_EVICTIONS, SENSOR, VRAM_LOST_COUNTER, RAS_ENABLED_FEATURES.
        0x0f | 0x11 | 0x18 | 0x1d | 0x1f | 0x20 => give(a, 0_u64),
        // VRAM_GTT.
        0x14 => give(a, Heap { total: gpu.vram_bytes, usable: visible, used: GTT_BYTES, max: 0 }),
        // READ_MMR_REG: `count` registers.
        0x15 => {
            let len = (a.size as usize).min(4 * a.b as usize);
            // SAFETY: the caller has room for `size` bytes at its pointer.
            unsafe { (a.pointer as *mut u8).write_bytes(0, len) };
            Ok(())
        }
        // DEV_INFO.
        0x16 => give(a, device(gpu)),
        // MEMORY: VRAM, the part the CPU reaches, GTT.
        0x19 => {
            let heaps = [heap(gpu.vram_bytes, used()), heap(visible, 0), heap(GTT_BYTES, 0)];
            let len = (a.size as usize).min(size_of_val(&heaps));
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(heaps.as_ptr().cast::<u8>(), a.pointer as *mut u8, len) };
            Ok(())
        }
        query => {
            log::event("unknown_ioctl", json!({ "device": "drm", "request": "INFO", "nr": query }));
            Err(libc::EINVAL)
        }
    }
}

fn device(gpu: &Gpu) -> DevInfo {
    let per_array = gpu.compute_units / (gpu.shader_engines * gpu.arrays_per_engine).max(1);
    let bitmap = (1_u32 << per_array.min(31)) - 1;
    DevInfo {
        device_id: gpu.device_id.into(),
        external_rev: 1,
        pci_rev: gpu.revision.into(),
        family: gpu.drm_family(),
        engines: gpu.shader_engines,
        arrays: gpu.arrays_per_engine,
        counter_khz: 100_000,
        engine_khz: u64::from(gpu.engine_mhz) * 1000,
        memory_khz: u64::from(gpu.memory_mhz) * 1000,
        cu_active: gpu.compute_units,
        cu_bitmap: [bitmap; 16],
        rb_mask: 0xffff,
        rb_pipes: 16,
        hw_contexts: 8,
        pcie_gen: 4,
        va_offset: 0x20_0000,
        va_max: 1 << 47,
        va_alignment: 4096,
        pte_fragment: 2 << 20,
        gart_page: 4096,
        // GDDR6, or HBM on the wide bus.
        vram_type: if gpu.memory_bits > 1024 { 6 } else { 9 },
        vram_bits: gpu.memory_bits,
        wavefront: gpu.wavefront,
        vgprs: 256,
        cu_per_array: gpu.cu_per_array,
        tcc_blocks: 16,
        pcie_lanes: 16,
        high_va_offset: 0xffff_8000_0000_0000,
        high_va_max: 0xffff_ffff_ffe0_0000,
        ..DevInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes and offsets of include/uapi/drm/amdgpu_drm.h and drm.h.
    #[test]
    fn layouts_are_those_of_the_kernel_headers() {
        assert_eq!(size_of::<Version>(), 64);
        assert_eq!(size_of::<GemCreate>(), 32);
        assert_eq!(size_of::<GemVa>(), 40);
        assert_eq!(size_of::<GemMetadata>(), 288);
        assert_eq!(size_of::<Info>(), 32);
        assert_eq!(std::mem::offset_of!(DevInfo, engine_khz), 32);
        assert_eq!(std::mem::offset_of!(DevInfo, ids_flags), 136);
        assert_eq!(std::mem::offset_of!(DevInfo, vram_bits), 180);
        assert_eq!(std::mem::offset_of!(DevInfo, pcie_lanes), 268);
        assert_eq!(std::mem::offset_of!(DevInfo, high_va_offset), 336);
    }

    #[test]
    fn the_version_call_first_tells_lengths_and_then_fills_texts() {
        let mut first = Version::default();
        version(&mut first).unwrap();
        let mut name = [0_u8; 6];
        let mut second = Version { name_len: 6, name: name.as_mut_ptr() as u64, ..Version::default() };
        version(&mut second).unwrap();
        assert_eq!((first.name_len, &name), (6, b"amdgpu"));
    }
}
