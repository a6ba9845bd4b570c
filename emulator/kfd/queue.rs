//! What a user-mode queue's creator holds of it: where its packets lie, and whether they may be run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::Kind;

/// A running queue.
pub struct Queue {
    /// Index of its card.
    pub gpu: usize,
    /// Doorbell it has on the card.
    pub slot: u64,
    /// What its packets are.
    pub kind: Kind,
    /// The buffers that it needs, the ring first: they stay mapped as long as it lives.
    pub buffers: Vec<u64>,
    /// What its thread follows.
    pub control: Arc<Control>,
    /// Its thread.
    pub thread: std::thread::JoinHandle<()>,
}

/// What its creator changes while it runs.
pub struct Control {
    /// GPU address of the ring.
    pub base: AtomicU64,
    /// Bytes of the ring, a power of two.
    pub size: AtomicU64,
    stopping: AtomicBool,
    paused: AtomicBool,
}

/// The queue is being destroyed.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped;

/// Value of a doorbell that nobody has rung: 0 is what the first packet of an AQL queue writes.
pub const NEVER_RUNG: u64 = u64::MAX;

impl Queue {
    /// Ends the queue and waits until its thread no longer touches memory.
    pub fn stop(self) {
        self.control.stopping.store(true, Ordering::Release);
        wake_all();
        let _ = self.thread.join();
    }

    /// Another buffer is the ring.
    pub fn set_ring(&mut self, buffer: u64) {
        self.buffers.splice(..self.buffers.len().min(1), [buffer]);
    }

    /// Moves the ring; with a percentage of 0 the queue stands still.
    pub fn update(&self, base: u64, size: u32, percentage: u32) {
        self.control.paused.store(percentage == 0 || size == 0, Ordering::Release);
        if size != 0 {
            self.control.base.store(base, Ordering::Release);
            self.control.size.store(size.into(), Ordering::Release);
        }
        wake_all();
    }
}

impl Control {
    /// That of a new queue.
    pub fn new(base: u64, size: u32, percentage: u32) -> Self {
        let (stopping, paused) = (false.into(), (percentage == 0).into());
        Self { base: base.into(), size: u64::from(size).into(), stopping, paused }
    }

    /// Whether packets may be taken now.
    pub fn may_run(&self) -> Result<bool, Stopped> {
        if self.stopping.load(Ordering::Acquire) { Err(Stopped) } else { Ok(!self.paused.load(Ordering::Acquire)) }
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
