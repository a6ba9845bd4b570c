//! KFD events (Linux drivers/gpu/drm/amd/amdkfd/kfd_events.c).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// `KFD_SIGNAL_EVENT_LIMIT`.
const LIMIT: u32 = 4096;

/// Event types (`KFD_IOC_EVENT_*`) with a meaning of their own here.
pub mod kind {
    pub const SIGNAL: u32 = 0;
    pub const MEMORY: u32 = 8;
}

/// A page fault as a waiter learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Faulting GPU address.
    pub va: u64,
    /// KFD id of the card.
    pub gpu_id: u32,
}

#[derive(Debug)]
struct Event {
    kind: u32,
    auto_reset: bool,
    signaled: bool,
    age: u64,
    waiters: u32,
    fault: Option<Fault>,
}

/// One event of a wait, and what the wait learned of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Which event.
    pub id: u32,
    /// In: the age the caller has seen (0: it does not track ages). Out: the present age.
    pub age: u64,
    /// Out: the fault that a memory event carries.
    pub fault: Option<Fault>,
}

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The condition holds.
    Complete,
    /// Time is up.
    Timeout,
    /// An event was destroyed meanwhile.
    Fail,
}

/// The events of a process.
#[derive(Debug, Default)]
pub struct Events {
    table: Mutex<HashMap<u32, Event>>,
    changed: Condvar,
    /// Handle of the buffer that the kernel writes signals to; 0: there is none yet.
    page: AtomicU64,
}

impl Events {
    fn table(&self) -> MutexGuard<'_, HashMap<u32, Event>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a buffer for the page of signals; false where there is one.
    pub fn set_page(&self, handle: u64) -> bool {
        self.page.compare_exchange(0, handle, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether this buffer is the page of signals.
    pub fn is_page(&self, handle: u64) -> bool {
        handle != 0 && self.page.load(Ordering::Acquire) == handle
    }

    /// Makes an event; its id is also its slot in the event page. None: the limit is reached.
    pub fn create(&self, kind: u32, auto_reset: bool) -> Option<u32> {
        let mut table = self.table();
        let id = (1..LIMIT).find(|id| !table.contains_key(id))?;
        table.insert(id, Event { kind, auto_reset, signaled: false, age: 1, waiters: 0, fault: None });
        Some(id)
    }

    /// Removes an event; its waiters fail.
    pub fn destroy(&self, id: u32) -> bool {
        let found = self.table().remove(&id).is_some();
        self.changed.notify_all();
        found
    }

    /// Signals an event.
    pub fn set(&self, id: u32) -> bool {
        let mut table = self.table();
        let found = table.get_mut(&id).map(Event::signal).is_some();
        drop(table);
        self.changed.notify_all();
        found
    }

    /// Takes a signal back.
    pub fn reset(&self, id: u32) -> bool {
        self.table().get_mut(&id).map(|event| event.signaled = false).is_some()
    }

    /// Tells every memory event of a page fault; false when nobody listens.
    pub fn fault(&self, fault: Fault) -> bool {
        let mut table = self.table();
        let mut heard = false;
        for event in table.values_mut().filter(|event| event.kind == kind::MEMORY) {
            event.fault = Some(fault);
            event.signal();
            heard = true;
        }
        drop(table);
        self.changed.notify_all();
        heard
    }

    /// Waits for one or all of `waits`; None when an event does not exist.
    /// `timeout` None waits for ever.
    pub fn wait(&self, waits: &mut [Wait], all: bool, timeout: Option<Duration>) -> Option<Outcome> {
        let deadline = timeout.map(|t| Instant::now() + t);
        let mut table = self.table();
        if waits.iter().any(|w| !table.contains_key(&w.id)) {
            return None;
        }
        // (age at the start, already signaled)
        let mut start = Vec::with_capacity(waits.len());
        for w in waits.iter() {
            let event = table.get_mut(&w.id)?;
            let tracked = event.kind == kind::SIGNAL && w.age != 0;
            start.push((event.age, event.signaled || (tracked && event.age != w.age)));
            event.signaled &= !event.auto_reset;
            event.waiters += 1;
        }
        let outcome = loop {
            let active =
                |(w, (age, set)): (&Wait, &(u64, bool))| table.get(&w.id).map(|event| *set || event.age != *age);
            let states: Vec<_> = waits.iter().zip(&start).map(active).collect();
            if states.contains(&None) {
                break Outcome::Fail;
            }
            let mut signaled = states.iter().map(|s| s.unwrap_or(false));
            if if all { signaled.all(|s| s) } else { signaled.any(|s| s) } {
                break Outcome::Complete;
            }
            let left = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break Outcome::Timeout,
                Some(left) => left,
                None => Duration::from_secs(3600),
            };
            table = self.changed.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        for (w, (age, set)) in waits.iter_mut().zip(start) {
            let Some(event) = table.get_mut(&w.id) else { continue };
            event.waiters -= 1;
            if set || event.age != age {
                w.fault = event.fault;
                if w.age != 0 {
                    w.age = event.age;
                }
            }
        }
        Some(outcome)
    }
}

impl Event {
    fn signal(&mut self) {
        self.signaled = !self.auto_reset || self.waiters == 0;
        // 0 and 1 mean "not tracked" and "new".
        self.age = self.age.checked_add(1).unwrap_or(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    fn waits(id: u32, age: u64) -> Wait {
        Wait { id, age, fault: None }
    }

    #[test]
    fn a_signal_set_before_the_wait_is_not_lost_and_resets_itself() {
        let events = Events::default();
        let id = events.create(kind::SIGNAL, true).unwrap();
        events.set(id);
        assert_eq!(events.wait(&mut [waits(id, 0)], true, NOW), Some(Outcome::Complete));
        assert_eq!(events.wait(&mut [waits(id, 0)], true, NOW), Some(Outcome::Timeout));
    }

    #[test]
    fn a_waiter_with_an_old_age_learns_of_a_signal_that_somebody_else_consumed() {
        let events = Events::default();
        let id = events.create(kind::SIGNAL, true).unwrap();
        events.set(id);
        events.wait(&mut [waits(id, 0)], true, NOW);
        let mut late = [waits(id, 1)];
        assert_eq!(events.wait(&mut late, true, NOW), Some(Outcome::Complete));
        assert_eq!(late[0].age, 2);
        assert_eq!(events.wait(&mut late, true, NOW), Some(Outcome::Timeout));
    }

    #[test]
    fn a_sleeping_waiter_wakes_when_another_thread_signals() {
        let events = Arc::new(Events::default());
        let id = events.create(kind::SIGNAL, true).unwrap();
        let other = Arc::clone(&events);
        let waiter = std::thread::spawn(move || other.wait(&mut [waits(id, 0)], false, None));
        while events.table()[&id].waiters == 0 {
            std::thread::yield_now();
        }
        events.set(id);
        assert_eq!(waiter.join().unwrap(), Some(Outcome::Complete));
    }

    #[test]
    fn destroying_an_event_fails_its_waiter() {
        let events = Arc::new(Events::default());
        let id = events.create(kind::SIGNAL, false).unwrap();
        let other = Arc::clone(&events);
        let waiter = std::thread::spawn(move || other.wait(&mut [waits(id, 0)], false, None));
        while events.table()[&id].waiters == 0 {
            std::thread::yield_now();
        }
        events.destroy(id);
        assert_eq!(waiter.join().unwrap(), Some(Outcome::Fail));
        assert_eq!(events.wait(&mut [waits(id, 0)], false, NOW), None);
    }

    #[test]
    fn a_page_fault_reaches_memory_events_only() {
        let events = Events::default();
        let fault = Fault { va: 0x1000, gpu_id: 7 };
        assert!(!events.fault(fault));
        let signal = events.create(kind::SIGNAL, true).unwrap();
        let memory = events.create(kind::MEMORY, true).unwrap();
        assert!(events.fault(fault));
        let mut both = [waits(signal, 0), waits(memory, 0)];
        assert_eq!(events.wait(&mut both, false, NOW), Some(Outcome::Complete));
        assert_eq!([both[0].fault, both[1].fault], [None, Some(fault)]);
    }
}
