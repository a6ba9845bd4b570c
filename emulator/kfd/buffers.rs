//! The calls of `/dev/kfd` that give, take and map memory (Linux kfd_chardev.c, amdgpu_amdkfd_gpuvm.c and kfd_svm.c).

use rmcp_machine::Kernel;

use crate::dmabuf::Metadata;
use crate::log;
use crate::memory::{Buffer, Place, flag};
use crate::pages;
use crate::session::{DOORBELL_BYTES, MMIO_OFFSET, Session, doorbells};
use crate::svm::attr;
use crate::uapi::{self, Answer};

/// Handles carry the card in their upper half, as the kernel's do.
fn buffer_handle(gpu_id: u32, id: u64) -> u64 {
    u64::from(gpu_id) << 32 | id
}

/// The card's KFD id in a handle.
fn handle_gpu(handle: u64) -> u32 {
    (handle >> 32) as u32
}

pub fn buffer_id(handle: u64) -> u64 {
    handle & 0xffff_ffff
}

pub fn alloc(session: &Session, a: &mut uapi::AllocMemory) -> Answer {
    let refuse = |errno, why: &str| {
        let place = format!("{why}: {:#x} bytes at {:#x}, flags {:#x}", a.size, a.va, a.flags);
        log::refused("ALLOC_MEMORY_OF_GPU", errno, &place)
    };
    let has = |flags: u32| a.flags & flags == flags;
    if a.size == 0 {
        return Err(refuse(libc::EINVAL, "no size"));
    }
    let (gpu, card) = session.gpu(a.gpu_id).ok_or_else(|| refuse(libc::EINVAL, "no such card"))?;
    if has(flag::PUBLIC | flag::VRAM) && !card.large_bar {
        return Err(refuse(libc::EINVAL, "VRAM for the CPU on a card with a small BAR"));
    }
    session.bound(a.gpu_id).map_err(|errno| refuse(errno, "the card is bound to no render node"))?;
    if has(flag::DOORBELL) && a.size != DOORBELL_BYTES {
        return Err(refuse(libc::EINVAL, "doorbells of another size"));
    }
    if has(flag::USERPTR) && a.mmap_offset != 0 && !pages::is_registrable(a.mmap_offset, a.size) {
        return Err(refuse(libc::EFAULT, "memory that the process does not have, or may not write"));
    }
    let kfd = session.kfd_base as u64;
    let mut memory = session.memory_mut();
    // Shared memory that lay there was unmapped, by libc itself perhaps, whose calls are not seen.
    memory.svm.forget(a.va, a.size);
    let (place, offset) = match a.flags & 0x1f {
        flag::VRAM | flag::GTT => {
            session.reclaim(&mut memory);
            let place = memory.take(gpu, a.size, a.flags & flag::VRAM != 0).ok_or(libc::ENOMEM)?;
            let Place::File { offset, .. } = place else { return Err(libc::EINVAL) };
            (place, offset)
        }
        flag::USERPTR if a.mmap_offset != 0 => (Place::Host(a.mmap_offset), 0),
        flag::DOORBELL => {
            let offset = doorbells(gpu);
            (Place::Host(kfd + offset), offset)
        }
        flag::MMIO_REMAP if a.size == 4096 => (Place::Host(kfd + MMIO_OFFSET), MMIO_OFFSET),
        _ => return Err(libc::EINVAL),
    };
    a.handle = buffer_handle(a.gpu_id, memory.add(Buffer::new(gpu, a.flags, a.va, a.size, place)));
    a.mmap_offset = offset;
    Ok(())
}

pub fn free(session: &Session, a: &mut uapi::FreeMemory) -> Answer {
    let refuse = |errno, why: &str| log::refused("FREE_MEMORY_OF_GPU", errno, &format!("{why}: {:#x}", a.handle));
    if session.events.is_page(a.handle) {
        return Err(refuse(libc::EPERM, "the events' page"));
    }
    session.gpu(handle_gpu(a.handle)).ok_or_else(|| refuse(libc::EINVAL, "no such card"))?;
    let id = buffer_id(a.handle);
    match session.memory().buffer(id).map(|buffer| buffer.mapped) {
        None => return Err(refuse(libc::EINVAL, "no such buffer")),
        Some(0) => {}
        Some(_) => return Err(refuse(libc::EBUSY, "it is still mapped")),
    }
    session.release(id);
    Ok(())
}

/// # Safety
/// The ids of the cards must be readable.
pub unsafe fn map(session: &Session, a: &mut uapi::MapMemory, map: bool) -> Answer {
    let (handle, call) = (a.handle, if map { "MAP_MEMORY_TO_GPU" } else { "UNMAP_MEMORY_FROM_GPU" });
    let refuse = |errno, why: &str| log::refused(call, errno, &format!("{why}: {handle:#x}"));
    if a.n_gpus == 0 || a.n_success > a.n_gpus {
        return Err(refuse(libc::EINVAL, "no cards"));
    }
    session.gpu(handle_gpu(handle)).ok_or_else(|| refuse(libc::EINVAL, "no such card"))?;
    let id = buffer_id(handle);
    session.memory().buffer(id).ok_or_else(|| refuse(libc::ENOMEM, "no such buffer"))?;
    if !map {
        session.release_caches_of(id);
    }
    for i in a.n_success..a.n_gpus {
        // SAFETY: the caller passed `n_gpus` ids.
        let gpu_id: u32 = unsafe { uapi::read(a.gpu_ids + 4 * u64::from(i)) };
        let (gpu, _) = session.gpu(gpu_id).ok_or_else(|| refuse(libc::EINVAL, "no such card"))?;
        if map {
            session.bound(gpu_id).map_err(|errno| refuse(errno, "the card is bound to no render node"))?;
        } else if session.tree.machine.kernel >= Kernel::Linux6_12
            && session.queues().values().any(|queue| queue.gpu == gpu && queue.buffers.contains(&id))
        {
            return Err(refuse(libc::EBUSY, "a queue needs it"));
        }
        let mut memory = session.memory_mut();
        let buffer = memory.buffer_mut(id).ok_or(libc::ENOMEM)?;
        let (va, size, bit) = (buffer.va, buffer.size, 1 << gpu);
        if map {
            let on_card = buffer.place.is_vram() || buffer.flags & (flag::DOORBELL | flag::MMIO_REMAP) != 0;
            if buffer.gpu != gpu && on_card && !session.tree.machine.gpu[buffer.gpu].large_bar {
                return Err(refuse(libc::EINVAL, "memory of a card with a small BAR, on another card"));
            }
            buffer.mapped |= bit;
            memory.map(id, va, 0, size, bit);
        } else {
            if buffer.mapped & bit == 0 {
                return Err(refuse(libc::EINVAL, "it is not mapped to that card"));
            }
            buffer.mapped &= !bit;
            memory.unmap(va, bit);
        }
        a.n_success = i + 1;
    }
    Ok(())
}

/// # Safety
/// There is room for the metadata.
pub unsafe fn dmabuf_info(session: &Session, a: &mut uapi::DmabufInfo) -> Answer {
    let refuse = |errno| log::refused("GET_DMABUF_INFO", errno, "no dma-buf of these cards");
    let id = session.import(a.fd).map_err(refuse)?;
    let memory = session.memory();
    let buffer = memory.buffer(id).ok_or(libc::EINVAL)?;
    let metadata = Metadata::read(buffer.metadata.as_deref());
    a.size = buffer.size;
    a.gpu_id = session.tree.machine.gpu[buffer.gpu].gpu_id();
    a.flags = buffer.flags & (flag::VRAM | flag::GTT | flag::PUBLIC);
    drop(memory);
    session.release(id);
    let room = std::mem::replace(&mut a.metadata_size, metadata.size);
    if a.metadata != 0 && room < metadata.size {
        return Err(log::refused("GET_DMABUF_INFO", libc::EINVAL, &format!("{} bytes of metadata", metadata.size)));
    }
    if a.metadata != 0 {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(metadata.data.as_ptr(), a.metadata as *mut u8, metadata.size as usize) };
    }
    Ok(())
}

pub fn import_dmabuf(session: &Session, a: &mut uapi::ImportDmabuf) -> Answer {
    let refuse = |errno, why: &str| log::refused("IMPORT_DMABUF", errno, why);
    let (gpu, _) = session.bound(a.gpu_id).map_err(|errno| refuse(errno, "the card is bound to no render node"))?;
    let original = session.import(a.fd).map_err(|errno| refuse(errno, "no dma-buf of these cards"))?;
    let mut memory = session.memory_mut();
    let buffer = memory.buffer(original).ok_or(libc::EINVAL)?;
    if buffer.gpu != gpu && session.tree.machine.kernel < Kernel::Linux6_12 {
        drop(memory);
        session.release(original);
        return Err(refuse(libc::EINVAL, "a buffer of another card"));
    }
    // The import shares the bytes but has an address of its own.
    let import = Buffer { va: a.va, mapped: 0, uses: 1, parent: Some(original), ..buffer.clone() };
    let id = memory.add(import);
    a.handle = buffer_handle(a.gpu_id, id);
    Ok(())
}

pub fn export_dmabuf(session: &Session, a: &mut uapi::ExportDmabuf) -> Answer {
    let refuse = |errno, why: &str| log::refused("EXPORT_DMABUF", errno, &format!("{why}: {:#x}", a.handle));
    session.gpu(handle_gpu(a.handle)).ok_or_else(|| refuse(libc::EINVAL, "no such card"))?;
    let id = buffer_id(a.handle);
    session.memory().buffer(id).ok_or_else(|| refuse(libc::EINVAL, "no such buffer"))?;
    let exported = session.export(id, a.flags & libc::O_CLOEXEC as u32 != 0);
    a.fd = exported.map_err(|errno| refuse(errno, "memory of the process"))?;
    Ok(())
}

/// Whether an attribute names no card but those of the machine (`svm_range_check_attr`).
fn is_attribute(session: &Session, (kind, value): (u32, u32)) -> bool {
    const SYSTEM_MEMORY: u32 = 0;
    const UNDEFINED: u32 = u32::MAX;
    let is_card = || session.gpu(value).is_some();
    match kind {
        attr::PREFERRED_LOC => [SYSTEM_MEMORY, UNDEFINED].contains(&value) || is_card(),
        attr::PREFETCH_LOC => value == SYSTEM_MEMORY || is_card(),
        attr::ACCESS | attr::ACCESS_IN_PLACE | attr::NO_ACCESS => is_card(),
        attr::SET_FLAGS | attr::CLR_FLAGS | attr::GRANULARITY => true,
        _ => false,
    }
}

/// # Safety
/// `arg` must be the head of an SVM call with its attributes behind it.
pub unsafe fn svm(session: &Session, arg: u64) -> Answer {
    // SAFETY: `arg` is the head of an SVM call with its attributes behind it.
    let (head, mut attrs) = unsafe {
        let head: uapi::Svm = uapi::read(arg);
        (head, log::svm_attrs(arg, head.nattr))
    };
    let refuse =
        |errno, why: &str| log::refused("SVM", errno, &format!("{why}: {:#x} bytes at {:#x}", head.size, head.start));
    if head.start == 0 || head.size == 0 || (head.start | head.size) & 0xfff != 0 {
        return Err(refuse(libc::EINVAL, "no whole pages"));
    }
    if head.op == 0 && !attrs.iter().all(|&attribute| is_attribute(session, attribute)) {
        return Err(refuse(libc::EINVAL, "an attribute that is none, or of no card"));
    }
    if !pages::is_mapped(head.start, head.size) {
        return Err(refuse(libc::EFAULT, "memory that the process does not have"));
    }
    if session.memory().overlaps(head.start, head.size) {
        return Err(refuse(libc::EADDRINUSE, "a buffer lies there"));
    }
    // With its attributes its kind may change.
    session.release_caches(head.start..head.start.saturating_add(head.size));
    let mut memory = session.memory_mut();
    let valid = match head.op {
        0 => memory.svm.set(head.start, head.size, &attrs),
        1 => memory.svm.get(head.start, head.size, &mut attrs),
        _ => false,
    };
    if !valid {
        return Err(refuse(libc::EINVAL, "no such operation or attribute"));
    }
    if head.op == 1 {
        let first = arg + size_of::<uapi::Svm>() as u64;
        for (i, (kind, value)) in attrs.into_iter().enumerate() {
            // SAFETY: the attributes were read from there.
            unsafe {
                uapi::write(first + 8 * i as u64, kind);
                uapi::write(first + 8 * i as u64 + 4, value);
            }
        }
    }
    Ok(())
}
