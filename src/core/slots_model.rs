//! The gate's slots on loom's atomics, in every order of two threads' steps: threads bind a slot while another finds a
//! second copy of the runtime.

use loom::sync::Arc;
use loom::sync::atomic::AtomicPtr;
use loom::thread;
use std::ffi::c_void;
use std::sync::atomic::Ordering::{self, SeqCst};

/// loom's atomic, whose loads are writes of the same value: loom 0.7 takes a load with SeqCst for one with Acquire, which
/// may miss what another thread has stored.
struct AtomicBool(loom::sync::atomic::AtomicBool);

impl AtomicBool {
    fn new(value: bool) -> Self {
        Self(loom::sync::atomic::AtomicBool::new(value))
    }

    fn load(&self, order: Ordering) -> bool {
        self.0.fetch_or(false, order)
    }

    fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

#[path = "../gate/slots.rs"]
mod slots;
use slots::Slots;

const UNBOUND: *mut c_void = std::ptr::without_provenance_mut(1);
/// The first copy's function, right for every caller as long as there is no other copy.
const FIRST: *mut c_void = std::ptr::without_provenance_mut(2);
/// The hook, which asks whose call it is.
const HOOK: *mut c_void = std::ptr::without_provenance_mut(3);

/// A process: one slot, and whether the second copy is there.
struct Process {
    slots: Slots,
    slot: AtomicPtr<c_void>,
    second: AtomicBool,
}

impl Process {
    fn new() -> Arc<Self> {
        let slots = Slots { released: AtomicBool::new(false) };
        Arc::new(Self { slots, slot: AtomicPtr::new(UNBOUND), second: AtomicBool::new(false) })
    }

    /// A call of a slot that is not bound.
    fn bind(&self) {
        self.slots.bind(&self.slot, UNBOUND, || {
            if self.second.load(SeqCst) {
                self.release();
                (HOOK, true)
            } else {
                (FIRST, true)
            }
        });
    }

    fn release(&self) {
        self.slots.release(std::iter::once((&self.slot, UNBOUND)));
    }

    /// The second copy starts, which calls a slot that is never bound.
    fn start_second(&self) {
        self.second.swap(true, SeqCst);
        self.release();
    }
}

#[test]
fn no_slot_leads_to_the_first_copy_alone_once_a_second_one_has_started() {
    loom::model(|| {
        let process = Process::new();
        let binder = thread::spawn({
            let process = process.clone();
            move || process.bind()
        });
        process.start_second();
        binder.join().unwrap();
        assert_ne!(process.slot.load(SeqCst), FIRST);
    });
}

#[test]
fn two_threads_that_bind_leave_the_hook_or_bind_again() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let process = Process::new();
        let binders = [(); 2].map(|()| {
            let process = process.clone();
            thread::spawn(move || process.bind())
        });
        process.start_second();
        for binder in binders {
            binder.join().unwrap();
        }
        let slot = process.slot.load(SeqCst);
        assert!(slot == HOOK || slot == UNBOUND, "{slot:?}");
    });
}
