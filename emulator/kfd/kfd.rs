//! The ioctls of `/dev/kfd` (Linux drivers/gpu/drm/amd/amdkfd/kfd_chardev.c).

use std::time::Duration;

use serde_json::json;

use crate::acquire;
use crate::clock::nanoseconds;
use crate::engine::{self, Kind};
use crate::events::{Outcome, Wait};
use crate::log;
use crate::memory::{Buffer, Place, flag};
use crate::queue;
use crate::session::{self, DOORBELL_BYTES, EVENT_PAGE_OFFSET, MMIO_OFFSET, Opened, Session, doorbells};
use crate::tree::Device;
use crate::uapi::{self, Answer, nr};

/// Answers a KFD call.
///
/// # Safety
/// `arg` must be the argument that `request` asks for.
pub unsafe fn ioctl(session: &'static Session, request: u64, arg: u64) -> Answer {
    use uapi::with;
    // SAFETY, for every `with`: the caller passes the argument of the request, and each type is the one
    // the kernel reads for that number. The same promise covers the arrays the arguments point to.
    let answer = match uapi::ioc_nr(request) {
        // SAFETY: see above.
        nr::GET_VERSION => unsafe {
            with(request, arg, |a: &mut uapi::GetVersion| {
                (a.major, a.minor) = uapi::VERSION;
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::CREATE_QUEUE => unsafe { with(request, arg, |a| create_queue(session, a)) },
        // SAFETY: see above.
        nr::DESTROY_QUEUE => unsafe {
            with(request, arg, |a: &mut uapi::DestroyQueue| {
                let queue = session.queues().remove(&a.queue_id).ok_or(libc::EINVAL)?;
                queue.stop();
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::UPDATE_QUEUE => unsafe {
            with(request, arg, |a: &mut uapi::UpdateQueue| {
                let queues = session.queues();
                let queue = queues.get(&a.queue_id).ok_or(libc::EINVAL)?;
                queue.update(a.ring_base, a.ring_size, a.percentage);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::GET_CLOCK_COUNTERS => unsafe { with(request, arg, |a| clock_counters(session, a)) },
        // SAFETY: see above.
        nr::GET_PROCESS_APERTURES => unsafe {
            with(request, arg, |a: &mut uapi::AperturesOld| {
                let all = apertures(session);
                a.num_of_nodes = all.len().min(a.apertures.len()) as u32;
                a.apertures.iter_mut().zip(all).for_each(|(to, from)| *to = from);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::GET_PROCESS_APERTURES_NEW => unsafe { with(request, arg, |a| apertures_new(session, a)) },
        // SAFETY: see above.
        nr::CREATE_EVENT => unsafe { with(request, arg, |a| create_event(session, a)) },
        // SAFETY: see above.
        number @ (nr::DESTROY_EVENT | nr::SET_EVENT | nr::RESET_EVENT) => unsafe {
            with(request, arg, |a: &mut uapi::EventId| {
                let found = match number {
                    nr::DESTROY_EVENT => session.events.destroy(a.event_id),
                    nr::SET_EVENT => session.events.set(a.event_id),
                    _ => session.events.reset(a.event_id),
                };
                found.then_some(()).ok_or(libc::EINVAL)
            })
        },
        // SAFETY: see above.
        nr::WAIT_EVENTS => unsafe { with(request, arg, |a| wait_events(session, a)) },
        nr::SET_MEMORY_POLICY | nr::SET_SCRATCH_BACKING_VA | nr::SET_TRAP_HANDLER | nr::SET_CU_MASK => Ok(()),
        // SAFETY: see above.
        nr::GET_TILE_CONFIG => unsafe {
            with(request, arg, |a: &mut uapi::TileConfig| {
                (a.num_tile, a.num_macro_tile) = (0, 0);
                (a.gb_addr_config, a.num_banks, a.num_ranks) = (0, 0, 0);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::ACQUIRE_VM => unsafe {
            with(request, arg, |a: &mut uapi::AcquireVm| {
                let (gpu, _) = session.gpu(a.gpu_id).ok_or(libc::EINVAL)?;
                match session::identify(a.drm_fd) {
                    Some(Opened::Node(_, Device::Drm { gpu: opened, .. })) if opened == gpu => Ok(()),
                    _ => Err(libc::EINVAL),
                }
            })
        },
        // SAFETY: see above.
        nr::ALLOC_MEMORY_OF_GPU => unsafe { with(request, arg, |a| alloc(session, a)) },
        // SAFETY: see above.
        nr::FREE_MEMORY_OF_GPU => unsafe {
            with(request, arg, |a: &mut uapi::FreeMemory| {
                let id = buffer_id(a.handle);
                session.memory().buffer(id).ok_or(libc::EINVAL)?;
                session.release(id);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::MAP_MEMORY_TO_GPU => unsafe { with(request, arg, |a| map(session, a, true)) },
        // SAFETY: see above.
        nr::UNMAP_MEMORY_FROM_GPU => unsafe { with(request, arg, |a| map(session, a, false)) },
        // SAFETY: see above.
        nr::GET_DMABUF_INFO => unsafe { with(request, arg, |a| dmabuf_info(session, a)) },
        // SAFETY: see above.
        nr::IMPORT_DMABUF => unsafe { with(request, arg, |a| import_dmabuf(session, a)) },
        // SAFETY: see above.
        nr::EXPORT_DMABUF => unsafe {
            with(request, arg, |a: &mut uapi::ExportDmabuf| {
                let id = buffer_id(a.handle);
                session.memory().buffer(id).ok_or(libc::EINVAL)?;
                a.fd = session.export(id)?;
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::ALLOC_QUEUE_GWS => unsafe {
            with(request, arg, |a: &mut uapi::AllocQueueGws| {
                a.first_gws = 0;
                session.queues().contains_key(&a.queue_id).then_some(()).ok_or(libc::EINVAL)
            })
        },
        // SAFETY: see above.
        nr::SVM => unsafe { svm(session, arg) },
        // SAFETY: see above.
        nr::SET_XNACK_MODE => unsafe {
            with(request, arg, |a: &mut uapi::XnackMode| {
                if a.enabled > 0 && session.tree.machine.gpu.iter().any(|gpu| !gpu.xnack()) {
                    return Err(libc::EPERM);
                }
                a.enabled = a.enabled.max(0);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::AVAILABLE_MEMORY => unsafe {
            with(request, arg, |a: &mut uapi::AvailableMemory| {
                let (gpu, _) = session.gpu(a.gpu_id).ok_or(libc::EINVAL)?;
                // The kernel rounds down to whole huge pages.
                a.available = session.memory().vram_left(gpu) & !((2 << 20) - 1);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::RUNTIME_ENABLE => unsafe {
            with(request, arg, |a: &mut uapi::RuntimeEnable| {
                a.capabilities = 0;
                Ok(())
            })
        },
        number => {
            log::event("unknown_ioctl", json!({ "device": "kfd", "request": log::hex(request), "nr": number }));
            return Err(libc::ENOTTY);
        }
    };
    // SAFETY: `arg` is still the caller's argument.
    unsafe { log::call(request, arg, answer.err().unwrap_or(0)) };
    answer
}

/// Handles carry the card in their upper half, as the kernel's do.
fn buffer_handle(gpu_id: u32, id: u64) -> u64 {
    u64::from(gpu_id) << 32 | id
}

fn buffer_id(handle: u64) -> u64 {
    handle & 0xffff_ffff
}

/// `KFD_MAX_QUEUE_PERCENTAGE` and `_PRIORITY`; what stands above the percentage's lowest byte means something else.
const MAX_PERCENTAGE: u32 = 100;
const MAX_PRIORITY: u32 = 15;
/// Linux' own number, which no header of libc has.
const ENOTSUPP: i32 = 524;

fn create_queue(session: &'static Session, a: &mut uapi::CreateQueue) -> Answer {
    let refuse = |errno: i32, why: String| {
        log::event("refused", json!({ "call": "CREATE_QUEUE", "errno": errno, "why": why }));
        errno
    };
    if a.percentage & 0xff > MAX_PERCENTAGE || a.priority > MAX_PRIORITY {
        return Err(refuse(libc::EINVAL, format!("percentage {}, priority {}", a.percentage & 0xff, a.priority)));
    }
    let Some((gpu, card)) = session.gpu(a.gpu_id) else {
        return Err(refuse(libc::EINVAL, format!("there is no card {}", a.gpu_id)));
    };
    let kind = match a.queue_type {
        2 => Kind::Aql,
        1 | 3 | 4 => Kind::Sdma,
        other => return Err(refuse(ENOTSUPP, format!("type {other}"))),
    };
    if !a.ring_size.is_power_of_two() || a.ring_size < 1024 {
        return Err(refuse(libc::EINVAL, format!("ring of {} bytes", a.ring_size)));
    }
    acquire::check(&session.memory(), session.tree.machine.kernel, gpu, card, a)
        .map_err(|why| refuse(libc::EINVAL, why))?;
    let mut queues = session.queues();
    let used = |slot: &u64| queues.values().any(|q| q.gpu == gpu && q.slot == *slot);
    let slot = (0..DOORBELL_BYTES / 8).find(|slot| !used(slot)).ok_or(libc::ENOMEM)?;
    let queue_id = (1..).find(|id| !queues.contains_key(id)).ok_or(libc::ENOMEM)?;
    a.doorbell_offset = doorbells(gpu) + 8 * slot;
    a.queue_id = queue_id;
    let queue = engine::start(session, gpu, slot, kind, a).map_err(|_| libc::ENOMEM)?;
    queues.insert(queue_id, queue);
    Ok(())
}

fn clock_counters(session: &Session, a: &mut uapi::ClockCounters) -> Answer {
    let now = nanoseconds();
    // 5.2.3 asks for the CPU node too; the kernel then answers without the GPU's counter.
    let gpu = session.gpu(a.gpu_id).map_or(0, |_| now / 10);
    (a.gpu, a.cpu, a.system, a.system_freq) = (gpu, now, now, 1_000_000_000);
    Ok(())
}

/// Apertures of gfx9 and later (`kfd_init_apertures_v9`).
fn apertures(session: &Session) -> Vec<uapi::Apertures> {
    let aperture = |gpu: &rmcp_machine::Gpu| uapi::Apertures {
        lds_base: 1 << 48,
        lds_limit: 1 << 48 | 0xffff_ffff,
        scratch_base: 2 << 48,
        scratch_limit: 2 << 48 | 0xffff_ffff,
        gpuvm_base: 0x4000,
        gpuvm_limit: (1 << 47) - 1,
        gpu_id: gpu.gpu_id(),
        pad: 0,
    };
    session.tree.machine.gpu.iter().map(aperture).collect()
}

fn apertures_new(session: &Session, a: &mut uapi::AperturesNew) -> Answer {
    let all = apertures(session);
    if a.num_of_nodes != 0 {
        let size = size_of::<uapi::Apertures>() as u64;
        for (i, aperture) in all.iter().take(a.num_of_nodes as usize).enumerate() {
            // SAFETY: the caller has room for `num_of_nodes` of them.
            unsafe { uapi::write(a.apertures + size * i as u64, *aperture) };
        }
        a.num_of_nodes = a.num_of_nodes.min(all.len() as u32);
    } else {
        a.num_of_nodes = all.len() as u32;
    }
    Ok(())
}

/// Without an offset the runtime's signals get no mailbox, and a wait for one never ends.
fn create_event(session: &Session, a: &mut uapi::CreateEvent) -> Answer {
    a.event_id = session.events.create(a.event_type, a.auto_reset != 0).ok_or(libc::ENOSPC)?;
    a.slot = a.event_id;
    a.trigger_data = a.event_id;
    a.event_page_offset = EVENT_PAGE_OFFSET;
    Ok(())
}

fn wait_events(session: &Session, a: &mut uapi::WaitEvents) -> Answer {
    const FOR_EVER: u32 = u32::MAX;
    if a.num_events > 4096 {
        return Err(libc::EINVAL);
    }
    let size = size_of::<uapi::EventData>() as u64;
    let place = |i: usize| a.events + size * i as u64;
    let read = |i: usize| {
        // SAFETY: the caller passed `num_events` of them.
        let data: uapi::EventData = unsafe { uapi::read(place(i)) };
        Wait { id: data.event_id, age: u64::from(data.data[1]) << 32 | u64::from(data.data[0]), fault: None }
    };
    let mut waits: Vec<Wait> = (0..a.num_events as usize).map(read).collect();
    let timeout = (a.timeout != FOR_EVER).then(|| Duration::from_millis(a.timeout.into()));
    queue::wake_all();
    let outcome = session.events.wait(&mut waits, a.wait_for_all != 0, timeout).ok_or(libc::EINVAL)?;
    for (i, w) in waits.iter().enumerate() {
        // SAFETY: as above.
        let mut data: uapi::EventData = unsafe { uapi::read(place(i)) };
        match w.fault {
            // NotPresent, then the address and the card behind the four failure words.
            Some(fault) => {
                data.data = [1, 0, 0, 0, fault.va as u32, (fault.va >> 32) as u32, fault.gpu_id, 0];
            }
            None if w.age != 0 => (data.data[0], data.data[1]) = (w.age as u32, (w.age >> 32) as u32),
            None => {}
        }
        // SAFETY: as above.
        unsafe { uapi::write(place(i), data) };
    }
    a.result = match outcome {
        Outcome::Complete => 0,
        Outcome::Timeout => 1,
        Outcome::Fail => 2,
    };
    Ok(())
}

fn alloc(session: &Session, a: &mut uapi::AllocMemory) -> Answer {
    let (gpu, _) = session.gpu(a.gpu_id).ok_or(libc::EINVAL)?;
    if a.size == 0 {
        return Err(libc::EINVAL);
    }
    let kfd = session.kfd_base as u64;
    let mut memory = session.memory_mut();
    let (place, offset) = match a.flags & 0x1f {
        flag::VRAM | flag::GTT => {
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
    let buffer = Buffer { gpu, flags: a.flags, va: a.va, size: a.size, place, mapped: 0, uses: 1, parent: None };
    a.handle = buffer_handle(a.gpu_id, memory.add(buffer));
    a.mmap_offset = offset;
    Ok(())
}

fn map(session: &Session, a: &mut uapi::MapMemory, map: bool) -> Answer {
    let count = session.tree.machine.gpu.len() as u32;
    if a.n_gpus == 0 || a.n_gpus > count || a.n_success > a.n_gpus {
        return Err(libc::EINVAL);
    }
    let id = buffer_id(a.handle);
    if !map {
        session.release_caches_of(id);
    }
    let mut memory = session.memory_mut();
    for i in a.n_success..a.n_gpus {
        // SAFETY: the caller passed `n_gpus` ids.
        let gpu_id: u32 = unsafe { uapi::read(a.gpu_ids + 4 * u64::from(i)) };
        let (gpu, _) = session.gpu(gpu_id).ok_or(libc::EINVAL)?;
        let buffer = memory.buffer_mut(id).ok_or(libc::EINVAL)?;
        let bit = 1 << gpu;
        if map {
            buffer.mapped |= bit;
        } else {
            buffer.mapped &= !bit;
        }
        let (va, size) = (buffer.va, buffer.size);
        if map {
            memory.map(id, va, 0, size, bit);
        } else {
            memory.unmap(va, bit);
        }
        a.n_success = i + 1;
    }
    Ok(())
}

fn dmabuf(fd: i32) -> Result<u64, i32> {
    match session::identify(fd) {
        Some(Opened::DmaBuf(buffer)) => Ok(buffer),
        _ => Err(libc::EINVAL),
    }
}

fn dmabuf_info(session: &Session, a: &mut uapi::DmabufInfo) -> Answer {
    let memory = session.memory();
    let buffer = memory.buffer(dmabuf(a.fd)?).ok_or(libc::EINVAL)?;
    a.size = buffer.size;
    a.metadata_size = 0;
    a.gpu_id = session.tree.machine.gpu[buffer.gpu].gpu_id();
    a.flags = buffer.flags & (flag::VRAM | flag::GTT);
    Ok(())
}

fn import_dmabuf(session: &Session, a: &mut uapi::ImportDmabuf) -> Answer {
    session.gpu(a.gpu_id).ok_or(libc::EINVAL)?;
    let original = dmabuf(a.fd)?;
    let mut memory = session.memory_mut();
    let buffer = memory.buffer_mut(original).ok_or(libc::EINVAL)?;
    // The import shares the bytes but has an address of its own.
    buffer.uses += 1;
    let import = Buffer { va: a.va, mapped: 0, uses: 1, parent: Some(original), ..buffer.clone() };
    let id = memory.add(import);
    a.handle = buffer_handle(a.gpu_id, id);
    Ok(())
}

unsafe fn svm(session: &Session, arg: u64) -> Answer {
    // SAFETY: `arg` is the head of an SVM call with its attributes behind it.
    let (head, mut attrs) = unsafe {
        let head: uapi::Svm = uapi::read(arg);
        (head, log::svm_attrs(arg, head.nattr))
    };
    if head.start == 0 || head.size == 0 || (head.start | head.size) & 0xfff != 0 {
        return Err(libc::EINVAL);
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
        return Err(libc::EINVAL);
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
