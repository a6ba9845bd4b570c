//! User-mode queues: one thread each, which watches the doorbell and runs what arrives.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::gl2::Gl2;
use crate::session::{PageFault, Session, doorbells};
use crate::uapi;
use crate::{aql, sdma};

/// What a queue's packets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Architected queueing language: barriers and kernel dispatches.
    Aql,
    /// System DMA.
    Sdma,
}

/// A queue as its thread sees it.
pub struct Ring {
    /// The session it belongs to.
    pub session: &'static Session,
    /// Index of its card.
    pub gpu: usize,
    /// Id given to the creator.
    pub id: u32,
    /// GPU address of the ring.
    pub base: AtomicU64,
    /// Bytes of the ring, a power of two.
    pub size: AtomicU64,
    /// GPU address of the read index.
    pub read_pointer: u64,
    doorbell: &'static AtomicU64,
    stopping: AtomicBool,
    paused: AtomicBool,
}

/// A running queue.
pub struct Queue {
    /// Index of its card.
    pub gpu: usize,
    /// Doorbell it has on the card.
    pub slot: u64,
    ring: Arc<Ring>,
    thread: std::thread::JoinHandle<()>,
}

/// The queue is being destroyed.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped;

/// Why a packet was not carried out.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The queue is being destroyed.
    Stopped,
    /// The card does not see an address.
    Fault(PageFault),
    /// Not a packet that is known here; what it was.
    Unknown(String),
}

impl From<PageFault> for Trouble {
    fn from(fault: PageFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Stopped> for Trouble {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
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
    let ring = Arc::new(Ring {
        session,
        gpu,
        id: a.queue_id,
        base: a.ring_base.into(),
        size: u64::from(a.ring_size).into(),
        read_pointer: a.read_pointer,
        doorbell,
        stopping: false.into(),
        paused: (a.percentage == 0).into(),
    });
    let seen = Arc::clone(&ring);
    let thread = std::thread::Builder::new().name(format!("kfd-queue-{}", a.queue_id)).spawn(move || {
        block_signals();
        let result = match kind {
            Kind::Aql => aql::run(&seen),
            Kind::Sdma => sdma::run(&seen),
        };
        if let Err(Trouble::Fault(fault)) = result {
            seen.session.report(fault);
        }
    })?;
    Ok(Queue { gpu, slot, ring, thread })
}

impl Queue {
    /// Ends the queue and waits until its thread no longer touches memory.
    pub fn stop(self) {
        self.ring.stopping.store(true, Ordering::Release);
        wake_all();
        let _ = self.thread.join();
    }

    /// Moves the ring; with a percentage of 0 the queue stands still.
    pub fn update(&self, base: u64, size: u32, percentage: u32) {
        self.ring.paused.store(percentage == 0 || size == 0, Ordering::Release);
        if size != 0 {
            self.ring.base.store(base, Ordering::Release);
            self.ring.size.store(size.into(), Ordering::Release);
        }
        wake_all();
    }
}

/// Value of a doorbell that nobody has rung: 0 is what the first packet of an AQL queue writes.
pub const NEVER_RUNG: u64 = u64::MAX;

impl Ring {
    /// The doorbell's value.
    pub fn doorbell(&self) -> u64 {
        self.doorbell.load(Ordering::Acquire)
    }

    /// Whether packets may be taken now.
    pub fn may_run(&self) -> Result<bool, Stopped> {
        if self.stopping.load(Ordering::Acquire) { Err(Stopped) } else { Ok(!self.paused.load(Ordering::Acquire)) }
    }

    /// The card's cache.
    pub fn gl2(&self) -> &'static Gl2 {
        &self.session.gl2[self.gpu]
    }

    /// An aligned word that the card sees at `va`.
    pub fn word(&self, va: u64) -> Result<&'static AtomicU64, PageFault> {
        if !va.is_multiple_of(8) {
            return Err(PageFault { gpu: self.gpu, va });
        }
        let host = self.session.reach(self.gpu, va, 8)?;
        // SAFETY: reachable and aligned; the program may change it at any time, hence the atomic.
        Ok(unsafe { &*host.cast::<AtomicU64>() })
    }

    /// Waits until `met` says so.
    pub fn wait_until(&self, mut met: impl FnMut() -> Result<bool, Trouble>) -> Result<(), Trouble> {
        let mut idle = Idle::default();
        while !met()? {
            self.may_run()?;
            idle.pause();
        }
        Ok(())
    }
}

/// Waiting that starts with spinning, since packets come in bursts, and ends with long naps.
#[derive(Default)]
pub struct Idle {
    rounds: u32,
}

impl Idle {
    /// Something happened: be quick again.
    pub fn reset(&mut self) {
        self.rounds = 0;
    }

    /// Waits a little, longer each time: about 20 us of spinning, then naps of 50 us to 4 ms.
    pub fn pause(&mut self) {
        const SPINS: u32 = 400;
        const SHORTEST: Duration = Duration::from_micros(50);
        const LONGEST: Duration = Duration::from_millis(4);
        if self.rounds < SPINS {
            std::hint::spin_loop();
        } else {
            let doublings = ((self.rounds - SPINS) / 16).min(10);
            nap((SHORTEST * (1 << doublings)).min(LONGEST));
        }
        self.rounds = self.rounds.saturating_add(1);
    }
}

static NAPPING: Mutex<()> = Mutex::new(());
static WAKE: Condvar = Condvar::new();

fn nap(time: Duration) {
    let guard = NAPPING.lock().unwrap_or_else(PoisonError::into_inner);
    drop(WAKE.wait_timeout(guard, time));
}

/// Ends every queue's nap: a program that starts to wait has rung its doorbells before.
pub fn wake_all() {
    WAKE.notify_all();
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
