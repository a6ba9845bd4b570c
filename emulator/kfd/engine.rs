//! The engines of a card: a thread for each user-mode queue, which watches the doorbell and runs what arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::queue::{Control, NEVER_RUNG, Queue};
use crate::ring::{PacketError, Ring};
use crate::session::{Session, doorbells};
use crate::{aql, sdma, uapi};

/// What a queue's packets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Architected queueing language: barriers and kernel dispatches.
    Aql,
    /// System DMA.
    Sdma,
}

/// Starts a queue.
pub fn start(
    session: &'static Session,
    gpu: usize,
    slot: u64,
    kind: Kind,
    a: &uapi::CreateQueue,
) -> std::io::Result<Queue> {
    let place = session.kfd_base as u64 + doorbells(gpu) + 8 * slot;
    // SAFETY: doorbells are aligned words of a mapping that lives as long as the process.
    let doorbell = unsafe { &*(place as *const AtomicU64) };
    doorbell.store(NEVER_RUNG, Ordering::Relaxed);
    let control = Arc::new(Control::new(a.ring_base, a.ring_size, a.percentage));
    let (id, read_pointer) = (a.queue_id, a.read_pointer);
    let ring = Ring { session, gpu, id, read_pointer, control: Arc::clone(&control), doorbell };
    let thread = std::thread::Builder::new().name(format!("kfd-queue-{id}")).spawn(move || {
        block_signals();
        let result = match kind {
            Kind::Aql => aql::run(&ring),
            Kind::Sdma => sdma::run(&ring),
        };
        if let Err(PacketError::Fault(fault)) = result {
            ring.session.report(fault);
        }
    })?;
    Ok(Queue { gpu, slot, kind, buffers: Vec::new(), control, thread })
}

/// The program's signal handlers must not run on our threads.
fn block_signals() {
    // SAFETY: a set that is filled before use; only this thread's mask changes.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}
