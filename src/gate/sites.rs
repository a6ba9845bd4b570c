//! Where the calls from one place go, while that is not the same for every caller.
//!
//! The core compiles this file too, on loom's atomics, to try every order of its steps.

use super::{AtomicPtr, AtomicUsize};
use core::ffi::c_void;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The calls of one function from one place: written once, never changed.
pub struct Site {
    /// The address that the call returns to; 0: free.
    pub caller: AtomicUsize,
    /// The address of the function's slot.
    pub slot: AtomicUsize,
    /// Where the call goes; null until the others are written.
    pub target: AtomicPtr<c_void>,
}

/// A table of them. A call that finds no room is asked for anew each time.
pub struct Sites<const N: usize>(pub [Site; N]);

impl<const N: usize> Sites<N> {
    /// Where the call of `slot`'s function that returns to `caller` goes, if that was noted.
    pub fn find(&self, slot: usize, caller: usize) -> Option<*mut c_void> {
        let is_it = |site: &&Site| {
            let target = site.target.load(Acquire);
            !target.is_null() && site.caller.load(Relaxed) == caller && site.slot.load(Relaxed) == slot
        };
        self.probe(slot, caller).find(is_it).map(|site| site.target.load(Relaxed))
    }

    /// Notes that it goes to `target`.
    pub fn note(&self, slot: usize, caller: usize, target: *mut c_void) {
        let free = |site: &&Site| site.caller.compare_exchange(0, caller, Relaxed, Relaxed).is_ok();
        if let Some(site) = self.probe(slot, caller).find(free) {
            site.slot.store(slot, Relaxed);
            site.target.store(target, Release);
        }
    }

    /// The few entries that a call may have.
    fn probe(&self, slot: usize, caller: usize) -> impl Iterator<Item = &Site> {
        const PROBES: usize = 4;
        // Calls stand a few bytes apart, slots some dozens: a multiplication spreads both.
        let first = (caller ^ slot.rotate_left(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (first..first + PROBES).filter_map(|place| self.0.get(place % N))
    }
}
