//! The gate's table of call sites on loom's atomics, in every order of the steps of threads that call at once.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicUsize};
use loom::thread;
use std::ffi::c_void;
use std::ptr::{null_mut, without_provenance_mut};

#[path = "../gate/sites.rs"]
mod sites;
use sites::{Site, Sites};

/// What the calls of a function from a place go to.
fn target(slot: usize, caller: usize) -> *mut c_void {
    without_provenance_mut(0x1000 + 0x10 * slot + caller)
}

/// A call: by what is noted, else as it is asked for and then noted.
fn call(sites: &Sites<2>, slot: usize, caller: usize) {
    match sites.find(slot, caller) {
        Some(found) => assert_eq!(found, target(slot, caller)),
        None => sites.note(slot, caller, target(slot, caller)),
    }
}

#[test]
fn a_call_goes_to_its_own_target_whichever_others_are_noted_at_the_same_time() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let empty =
            || Site { caller: AtomicUsize::new(0), slot: AtomicUsize::new(0), target: AtomicPtr::new(null_mut()) };
        let sites = Arc::new(Sites([empty(), empty()]));
        // The same function from two places, and one place that calls two functions.
        let other = thread::spawn({
            let sites = sites.clone();
            move || [(1, 1), (2, 1)].map(|(slot, caller)| call(&sites, slot, caller))
        });
        for (slot, caller) in [(1, 2), (1, 1)] {
            call(&sites, slot, caller);
        }
        other.join().unwrap();
        for (slot, caller) in [(1, 1), (2, 1), (1, 2)] {
            assert!(sites.find(slot, caller).is_none_or(|found| found == target(slot, caller)));
        }
    });
}
