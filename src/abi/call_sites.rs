//! Where the calls from one place go, while that is not the same for every caller.
//! The tests try every order of its steps, on loom's atomics.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
#[cfg(not(test))]
use core::sync::atomic::{AtomicPtr, AtomicUsize};
#[cfg(test)]
use loom::sync::atomic::{AtomicPtr, AtomicUsize};

#[cfg(test)]
mod model;

/// The calls of one function from one place: written once, never changed.
pub struct CallSite {
    /// Where the calls come from, such as the address that they return to; 0: free.
    pub caller: AtomicUsize,
    /// Which function is called: a number of its own.
    pub function: AtomicUsize,
    /// What [`CallSites::insert`] was told.
    pub unload_count: AtomicUsize,
    /// Where the calls go; null until the others are written.
    pub target: AtomicPtr<c_void>,
}

/// In place of a number of unloaded objects: the target stays for good.
pub const NEVER_EXPIRES: usize = usize::MAX;

/// A table of them. A call that finds no room is asked for anew each time.
pub struct CallSites<const N: usize>(pub [CallSite; N]);

impl<const N: usize> CallSites<N> {
    /// Where the call goes, if that was noted and holds: for good, or while as many objects have been unloaded as then.
    pub fn find(
        &self,
        function: usize,
        caller: usize,
        unload_count: impl Fn() -> Option<usize>,
    ) -> Option<*mut c_void> {
        let is_match = |site: &&CallSite| {
            !site.target.load(Acquire).is_null()
                && (site.caller.load(Relaxed), site.function.load(Relaxed)) == (caller, function)
                && match site.unload_count.load(Relaxed) {
                    NEVER_EXPIRES => true,
                    then => unload_count() == Some(then),
                }
        };
        self.probe(function, caller).find(is_match).map(|site| site.target.load(Relaxed))
    }

    /// Notes that it goes to `target`, and for how long.
    pub fn insert(&self, function: usize, caller: usize, unload_count: usize, target: *mut c_void) {
        let free = |site: &&CallSite| site.caller.compare_exchange(0, caller, Relaxed, Relaxed).is_ok();
        if let Some(site) = self.probe(function, caller).find(free) {
            site.function.store(function, Relaxed);
            site.unload_count.store(unload_count, Relaxed);
            site.target.store(target, Release);
        }
    }

    /// The few entries that a call may have.
    fn probe(&self, function: usize, caller: usize) -> impl Iterator<Item = &CallSite> {
        const PROBES: usize = 4;
        // Calls stand a few bytes apart, and so do functions: a multiplication spreads both.
        let first = (caller ^ function.rotate_left(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (first..first + PROBES).filter_map(|place| self.0.get(place % N))
    }
}
