//! The tables on loom's atomics, in every order of the steps of threads that call at once.

#[allow(clippy::duplicate_mod)] // the second time on purpose: the atomics are those of this module
#[allow(dead_code)]
#[path = "table.rs"]
mod table;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicU64};
use loom::thread;
use std::array::from_fn;
use std::ffi::c_void;
use std::ptr::{null_mut, without_provenance_mut};
use table::{CallSites, Routes, Site};

/// Where the calls of a function from a place go.
fn target(function: usize, address: usize) -> *mut c_void {
    without_provenance_mut(0x1000 + 0x10 * function + address)
}

fn site(function: usize, address: usize) -> Site {
    Site::new(function, address).unwrap()
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_call_goes_to_its_own_target_whichever_others_are_noted_at_the_same_time() {
    check(|| {
        let entries = from_fn(|_| AtomicU64::new(0));
        let routes = Arc::new(Routes::<2, 4> { entries, targets: from_fn(|_| AtomicPtr::new(null_mut())) });
        let call = |routes: &Routes<2, 4>, function, address| match routes.find(site(function, address)) {
            Some(found) => assert_eq!(found, target(function, address)),
            None => routes.insert(site(function, address), target(function, address)),
        };
        // The same function from two places, and one place that calls two functions: they share two entries.
        let other = thread::spawn({
            let routes = routes.clone();
            move || [(1, 1), (2, 1)].map(|(function, address)| call(&routes, function, address))
        });
        for (function, address) in [(1, 2), (1, 1)] {
            call(&routes, function, address);
        }
        other.join().unwrap();
        for (function, address) in [(1, 1), (2, 1), (1, 2)] {
            assert!(routes.find(site(function, address)).is_none_or(|found| found == target(function, address)));
        }
    });
}

#[test]
fn what_is_noted_of_an_unloaded_object_is_never_found_for_the_one_in_its_place() {
    check(|| {
        let sites = Arc::new(CallSites::<1> { entries: [AtomicU64::new(0)], checks: [AtomicU64::new(0)] });
        // The first object, of identity 7, was answered 1. Another of identity 8 takes its place, and another call of its
        // own takes the entry meanwhile.
        sites.insert(site(1, 1), 1, Some(7));
        let other = thread::spawn({
            let sites = sites.clone();
            move || sites.insert(site(2, 1), 3, Some(8))
        });
        assert_eq!(sites.find(site(1, 1), || 8), None);
        if let Some(found) = sites.find(site(2, 1), || 8) {
            assert_eq!(found, 3);
        }
        other.join().unwrap();
        assert_eq!(sites.find(site(2, 1), || 8), Some(3));
        assert_eq!(sites.find(site(2, 1), || 9), None);
    });
}

#[test]
fn an_object_that_stays_is_not_asked_for_its_identity() {
    check(|| {
        let sites = CallSites::<1> { entries: [AtomicU64::new(0)], checks: [AtomicU64::new(0)] };
        sites.insert(site(1, 5), 2, None);
        assert_eq!(sites.find(site(1, 5), || unreachable!()), Some(2));
        assert_eq!(sites.find(site(1, 6), || unreachable!()), None);
    });
}

#[test]
fn addresses_that_no_program_has_are_no_sites() {
    assert_eq!([Site::new(1, 0), Site::new(1, 1 << 47), Site::new(128, 1)], [None; 3]);
    assert_ne!(Site::new(1, 1), Site::new(2, 1));
}
