//! The ioctls of `/dev/kfd` (Linux drivers/gpu/drm/amd/amdkfd/kfd_chardev.c).

use std::time::Duration;

use serde_json::json;

use crate::buffers;
use crate::clock::nanoseconds;
use crate::events::{Outcome, Wait};
use crate::log;
use crate::queue;
use crate::queues;
use crate::session::{EVENT_PAGE_OFFSET, Session};
use crate::uapi::{self, Answer, nr};

/// Answers a KFD call.
///
/// # Safety
/// `arg` must be the argument that `request` asks for.
pub unsafe fn ioctl(session: &'static Session, request: u64, arg: u64) -> Answer {
    use uapi::with;
    // SAFETY, for every `with`: the caller passes the argument of the request, and each type is the one
    // the kernel reads for that number. The same promise covers the arrays the arguments point to.
    let interface = session.tree.machine.kernel.interface();
    let answer = match uapi::ioc_nr(request) {
        number if uapi::since(number) > interface => {
            Err(log::refused("ioctl", libc::ENOTTY, &format!("interface 1.{interface} has no call {number:#x}")))
        }
        // SAFETY: see above.
        nr::GET_VERSION => unsafe {
            with(request, arg, |a: &mut uapi::GetVersion| {
                (a.major, a.minor) = (1, session.tree.machine.kernel.interface());
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::CREATE_QUEUE => unsafe { with(request, arg, |a| queues::create(session, a)) },
        // SAFETY: see above.
        nr::DESTROY_QUEUE => unsafe { with(request, arg, |a| queues::destroy(session, a)) },
        // SAFETY: see above.
        nr::UPDATE_QUEUE => unsafe { with(request, arg, |a| queues::update(session, a)) },
        // SAFETY: see above; the mask is part of the argument.
        nr::SET_CU_MASK => unsafe { with(request, arg, |a| queues::set_cu_mask(session, a)) },
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
        // SAFETY: see above.
        nr::SET_MEMORY_POLICY => unsafe {
            with(request, arg, |a: &mut uapi::MemoryPolicy| {
                const NONCOHERENT: u32 = 1;
                let known = a.default <= NONCOHERENT && a.alternate <= NONCOHERENT;
                if known { bound_for_queues(session, a.gpu_id) } else { Err(libc::EINVAL) }
            })
        },
        // SAFETY: see above.
        nr::SET_TRAP_HANDLER => unsafe {
            with(request, arg, |a: &mut uapi::TrapHandler| bound_for_queues(session, a.gpu_id))
        },
        // SAFETY: see above.
        nr::SET_SCRATCH_BACKING_VA => unsafe {
            with(request, arg, |a: &mut uapi::ScratchBacking| session.bound(a.gpu_id).map(drop))
        },
        // SAFETY: see above.
        nr::GET_TILE_CONFIG => unsafe {
            with(request, arg, |a: &mut uapi::TileConfig| {
                session.gpu(a.gpu_id).ok_or(libc::EINVAL)?;
                (a.num_tile, a.num_macro_tile) = (0, 0);
                (a.gb_addr_config, a.num_banks, a.num_ranks) = (0, 0, 0);
                Ok(())
            })
        },
        // SAFETY: see above.
        nr::ACQUIRE_VM => unsafe { with(request, arg, |a: &mut uapi::AcquireVm| session.bind(a.gpu_id, a.drm_fd)) },
        // SAFETY: see above.
        nr::ALLOC_MEMORY_OF_GPU => unsafe { with(request, arg, |a| buffers::alloc(session, a)) },
        // SAFETY: see above.
        nr::FREE_MEMORY_OF_GPU => unsafe { with(request, arg, |a| buffers::free(session, a)) },
        // SAFETY: see above; the cards' ids are part of the argument.
        nr::MAP_MEMORY_TO_GPU => unsafe { with(request, arg, |a| buffers::map(session, a, true)) },
        // SAFETY: see above; the cards' ids are part of the argument.
        nr::UNMAP_MEMORY_FROM_GPU => unsafe { with(request, arg, |a| buffers::map(session, a, false)) },
        // SAFETY: see above; the room for metadata is part of the argument.
        nr::GET_DMABUF_INFO => unsafe { with(request, arg, |a| buffers::dmabuf_info(session, a)) },
        // SAFETY: see above.
        nr::IMPORT_DMABUF => unsafe { with(request, arg, |a| buffers::import_dmabuf(session, a)) },
        // SAFETY: see above.
        nr::EXPORT_DMABUF => unsafe { with(request, arg, |a| buffers::export_dmabuf(session, a)) },
        // SAFETY: see above.
        nr::ALLOC_QUEUE_GWS => unsafe { with(request, arg, |a| queues::alloc_gws(session, a)) },
        // SAFETY: see above.
        nr::SVM => unsafe { buffers::svm(session, arg) },
        // SAFETY: see above.
        nr::SET_XNACK_MODE => unsafe {
            with(request, arg, |a: &mut uapi::XnackMode| {
                if a.enabled >= 0 && !session.queues().is_empty() {
                    return Err(libc::EBUSY);
                }
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

/// Queue settings need a card that is bound (`kfd_bind_process_to_device`).
fn bound_for_queues(session: &Session, gpu_id: u32) -> Answer {
    match session.bound(gpu_id) {
        Err(libc::ENODEV) => Err(libc::ESRCH),
        found => found.map(drop),
    }
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
    // The processor is a node of the topology too.
    if a.num_of_nodes as usize > all.len() + 1 {
        return Err(libc::EINVAL);
    }
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
    // The buffer for signals comes with the first event (`kfd_kmap_event_page`).
    if a.event_page_offset != 0 {
        session.memory().buffer(buffers::buffer_id(a.event_page_offset)).ok_or(libc::EINVAL)?;
        if !session.events.set_page(a.event_page_offset) {
            return Err(log::refused("CREATE_EVENT", libc::EINVAL, "there is a page for signals"));
        }
    }
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
    let has_ages = session.tree.machine.kernel.interface() >= uapi::EVENT_AGES;
    let size = size_of::<uapi::EventData>() as u64;
    let place = |i: usize| a.events + size * i as u64;
    let read = |i: usize| {
        // SAFETY: the caller passed `num_events` of them.
        let data: uapi::EventData = unsafe { uapi::read(place(i)) };
        let age = u64::from(data.data[1]) << 32 | u64::from(data.data[0]);
        Wait { id: data.event_id, age: if has_ages { age } else { 0 }, fault: None }
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
