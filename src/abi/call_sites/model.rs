//! The table of call sites on loom's atomics, in every order of the steps of threads that call at once.

use super::{CallSite, CallSites, NEVER_EXPIRES};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicUsize};
use loom::thread;
use std::ffi::c_void;
use std::ptr::{null_mut, without_provenance_mut};

/// What the calls of a function from a place go to.
fn target(slot: usize, caller: usize) -> *mut c_void {
    without_provenance_mut(0x1000 + 0x10 * slot + caller)
}

fn empty() -> CallSite {
    let zero = || AtomicUsize::new(0);
    CallSite { caller: zero(), function: zero(), unload_count: zero(), target: AtomicPtr::new(null_mut()) }
}

/// A call: by what is noted, else as it is asked for and then noted.
fn call(sites: &CallSites<2>, slot: usize, caller: usize) {
    match sites.find(slot, caller, || Some(0)) {
        Some(found) => assert_eq!(found, target(slot, caller)),
        None => sites.insert(slot, caller, 0, target(slot, caller)),
    }
}

#[test]
fn a_call_goes_to_its_own_target_whichever_others_are_noted_at_the_same_time() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let sites = Arc::new(CallSites([empty(), empty()]));
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
            assert!(sites.find(slot, caller, || Some(0)).is_none_or(|found| found == target(slot, caller)));
        }
    });
}

#[test]
fn a_target_that_may_be_unloaded_holds_until_any_object_was() {
    loom::model(|| {
        let sites = CallSites(std::array::from_fn::<_, 8, _>(|_| empty()));
        sites.insert(1, 1, 5, target(1, 1));
        sites.insert(2, 1, NEVER_EXPIRES, target(2, 1));
        let now = |count| [1, 2].map(|slot| sites.find(slot, 1, || count).is_some());
        assert_eq!([now(Some(5)), now(Some(6)), now(None)], [[true, true], [false, true], [false, true]]);
        sites.insert(1, 1, 6, target(1, 2));
        assert_eq!(sites.find(1, 1, || Some(6)), Some(target(1, 2)));
    });
}
