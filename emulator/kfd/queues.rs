//! The calls of `/dev/kfd` on user-mode queues (Linux kfd_chardev.c and kfd_process_queue_manager.c).

use rmcp_machine::Kernel;

use crate::acquire;
use crate::engine::{self, Kind};
use crate::log;
use crate::queue::Queue;
use crate::session::{DOORBELL_BYTES, Session, doorbells};
use crate::uapi::{self, Answer};

/// `KFD_MAX_QUEUE_PERCENTAGE` and `_PRIORITY`; what stands above the percentage's lowest byte means something else.
const MAX_PERCENTAGE: u32 = 100;
const MAX_PRIORITY: u32 = 15;
/// `KFD_MIN_QUEUE_RING_SIZE`: smaller rings become so large.
const MIN_RING: u32 = 1024;
/// Queues of a process on one card (`pqm_create_queue`), and those of SDMA among them: 8 for each of two engines.
const MAX_QUEUES: usize = 127;
const MAX_SDMA_QUEUES: usize = 16;
/// `TASK_SIZE`: no address of a process lies beyond.
const USER_END: u64 = (1 << 47) - 4096;
/// Linux' own number, which no header of libc has.
const ENOTSUPP: i32 = 524;

/// `set_queue_properties_from_user`, for a new queue and for one that is changed; the size that its ring gets.
fn check(percentage: u32, priority: u32, ring: u64, ring_size: u32) -> Result<u32, (i32, String)> {
    let percentage = percentage & 0xff;
    if percentage > MAX_PERCENTAGE || priority > MAX_PRIORITY {
        return Err((libc::EINVAL, format!("percentage {percentage}, priority {priority}")));
    }
    if ring > USER_END {
        return Err((libc::EFAULT, format!("ring at {ring:#x}")));
    }
    if !ring_size.is_power_of_two() && ring_size != 0 {
        return Err((libc::EINVAL, format!("ring of {ring_size} bytes")));
    }
    Ok(ring_size.max(MIN_RING))
}

pub fn create(session: &'static Session, a: &mut uapi::CreateQueue) -> Answer {
    let refuse = |(errno, why): (i32, String)| log::refused("CREATE_QUEUE", errno, &why);
    a.ring_size = check(a.percentage, a.priority, a.ring_base, a.ring_size).map_err(refuse)?;
    for (what, address) in [
        ("read pointer", a.read_pointer),
        ("write pointer", a.write_pointer),
        ("EOP", a.eop_address),
        ("save area", a.save_area),
    ] {
        if address > USER_END {
            return Err(refuse((libc::EFAULT, format!("{what} at {address:#x}"))));
        }
    }
    let kind = match a.queue_type {
        2 => Kind::Aql,
        1 | 3 | 4 => Kind::Sdma,
        other => return Err(refuse((ENOTSUPP, format!("type {other}")))),
    };
    let (gpu, card) = session.bound(a.gpu_id).map_err(|errno| match errno {
        libc::ENODEV => refuse((libc::ESRCH, format!("card {} is bound to no render node", a.gpu_id))),
        other => refuse((other, format!("there is no card {}", a.gpu_id))),
    })?;
    let buffers = acquire::check(&session.memory(), session.tree.machine.kernel, gpu, card, a)
        .map_err(|why| refuse((libc::EINVAL, why)))?;
    let mut queues = session.queues();
    let own = || queues.values().filter(|queue| queue.gpu == gpu);
    if own().count() >= MAX_QUEUES {
        return Err(refuse((libc::ENOSPC, format!("{MAX_QUEUES} queues are there"))));
    }
    if kind == Kind::Sdma && own().filter(|queue| queue.kind == kind).count() >= MAX_SDMA_QUEUES {
        return Err(refuse((libc::ENOMEM, format!("{MAX_SDMA_QUEUES} SDMA queues are there"))));
    }
    let slot = (0..DOORBELL_BYTES / 8).find(|slot| own().all(|queue| queue.slot != *slot)).ok_or(libc::ENOMEM)?;
    let queue_id = (1..).find(|id| !queues.contains_key(id)).ok_or(libc::ENOMEM)?;
    a.doorbell_offset = doorbells(gpu) + 8 * slot;
    a.queue_id = queue_id;
    let queue = engine::start(session, gpu, slot, kind, a).map_err(|_| libc::ENOMEM)?;
    queues.insert(queue_id, Queue { buffers, ..queue });
    Ok(())
}

pub fn destroy(session: &Session, a: &mut uapi::DestroyQueue) -> Answer {
    let queue = session.queues().remove(&a.queue_id).ok_or(libc::EINVAL)?;
    queue.stop();
    Ok(())
}

pub fn update(session: &Session, a: &mut uapi::UpdateQueue) -> Answer {
    let refuse = |(errno, why): (i32, String)| log::refused("UPDATE_QUEUE", errno, &why);
    let size = check(a.percentage, a.priority, a.ring_base, a.ring_size).map_err(refuse)?;
    let mut queues = session.queues();
    let no_queue = || refuse((libc::EFAULT, format!("there is no queue {}", a.queue_id)));
    let queue = queues.get_mut(&a.queue_id).ok_or_else(no_queue)?;
    // Without an address the queue stands still.
    if a.ring_base != 0 && session.tree.machine.kernel >= Kernel::Linux6_12 {
        let ring = acquire::buffer(&session.memory(), queue.gpu, "ring", a.ring_base, size.into());
        queue.set_ring(ring.map_err(|why| refuse((libc::EFAULT, why)))?);
    }
    let size = if a.ring_base == 0 { 0 } else { size };
    queue.update(a.ring_base, size, a.percentage);
    Ok(())
}

/// `kfd_ioctl_set_cu_mask` and `pqm_update_mqd`: from gfx10 on the two units of a pair are on or off together.
///
/// # Safety
/// The mask must be readable.
pub unsafe fn set_cu_mask(session: &Session, a: &mut uapi::CuMask) -> Answer {
    const MOST: u32 = 1024;
    let refuse = |errno, why: String| log::refused("SET_CU_MASK", errno, &why);
    if a.bits == 0 || !a.bits.is_multiple_of(32) {
        return Err(refuse(libc::EINVAL, format!("a mask of {} bits", a.bits)));
    }
    let queues = session.queues();
    let no_queue = || refuse(libc::EFAULT, format!("there is no queue {}", a.queue_id));
    let queue = queues.get(&a.queue_id).ok_or_else(no_queue)?;
    // SAFETY: the caller's promise.
    let words = (0..a.bits.min(MOST) / 32).map(|word| unsafe { uapi::read::<u32>(a.mask + 4 * u64::from(word)) });
    let is_split = |word: u32| (word ^ word >> 1) & 0x5555_5555 != 0;
    if session.tree.machine.gpu[queue.gpu].gfx.major >= 10 && words.into_iter().any(is_split) {
        return Err(refuse(libc::EINVAL, "one unit of a pair is masked".into()));
    }
    Ok(())
}

pub fn alloc_gws(session: &Session, a: &mut uapi::AllocQueueGws) -> Answer {
    let queues = session.queues();
    let queue = queues.get(&a.queue_id).ok_or(libc::EINVAL)?;
    if crate::topology::gws(&session.tree.machine.gpu[queue.gpu]) == 0 {
        return Err(log::refused("ALLOC_QUEUE_GWS", libc::ENODEV, "the card has no global wave sync"));
    }
    a.first_gws = 0;
    Ok(())
}
