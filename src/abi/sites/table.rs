//! The tables, on the atomics of the module around.

use super::{AtomicPtr, AtomicU64};
use core::ffi::c_void;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Bits of a program's addresses.
const ADDRESS_BITS: u32 = 47;
/// Bits of an entry's answer, below the key.
pub const ANSWER_BITS: u32 = 10;
/// Answers lie below it.
pub const ANSWERS: usize = 1 << ANSWER_BITS;
/// The lowest bit of the function's number in a key.
pub const FUNCTION_SHIFT: u32 = ANSWER_BITS + ADDRESS_BITS;
/// Spreads keys; fits an instruction's immediate operand, for the gate's own look.
pub const HASH: u32 = 0x1e37_79b1;

/// The calls of one function that return to one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site(u64);

impl Site {
    /// `function` is a number below 128. None for an address that no program has by itself, such as 0.
    pub fn new(function: usize, return_address: usize) -> Option<Self> {
        let fits = return_address != 0 && return_address >> ADDRESS_BITS == 0 && function < 128;
        fits.then_some(Self((function as u64).wrapping_shl(FUNCTION_SHIFT) | (return_address as u64) << ANSWER_BITS))
    }

    /// The place in a table of `1 << bits` entries.
    fn place(self, bits: u32) -> usize {
        ((self.0 >> ANSWER_BITS).wrapping_mul(HASH.into()) >> 32 >> (32 - bits)) as usize
    }
}

/// The number of [`Routes`] as a power of two.
pub const ROUTE_BITS: u32 = 12;

/// Where the calls go. The gate reads it in assembly: the entries first, then the targets.
#[repr(C)]
pub struct Routes<const N: usize = { 1 << ROUTE_BITS }, const TARGETS: usize = ANSWERS> {
    pub(super) entries: [AtomicU64; N],
    /// Each is written once.
    pub(super) targets: [AtomicPtr<c_void>; TARGETS],
}

impl<const N: usize, const TARGETS: usize> Routes<N, TARGETS> {
    /// Notes where the calls of `site` go. Without room for one more target nothing is noted.
    pub fn insert(&self, site: Site, target: *mut c_void) {
        let is_free = |known: &AtomicPtr<c_void>| match known.load(Acquire) {
            there if there.is_null() => {
                known.compare_exchange(there, target, AcqRel, Acquire).map_or_else(|now| now == target, |_| true)
            }
            there => there == target,
        };
        if let (Some(answer), Some(entry)) = (self.targets.iter().position(is_free), self.entry(site)) {
            entry.store(site.0 | answer as u64, Release);
        }
    }

    /// Where the calls go; what the gate's assembly does.
    #[cfg(test)]
    pub fn find(&self, site: Site) -> Option<*mut c_void> {
        let answer = self.entry(site)?.load(Acquire) ^ site.0;
        self.targets.get(answer as usize).map(|target| target.load(Acquire))
    }

    /// Forgets every site.
    pub fn clear(&self) {
        self.entries.iter().for_each(|entry| entry.store(0, Relaxed));
    }

    fn entry(&self, site: Site) -> Option<&AtomicU64> {
        self.entries.get(site.place(N.trailing_zeros()))
    }
}

/// What is known of calls whose place can come to be another object's, when that of the caller is unloaded.
pub struct CallSites<const N: usize> {
    pub(super) entries: [AtomicU64; N],
    /// Each entry with what its object was recognised by: a reader that finds one of two threads' entry and the other's
    /// check finds nothing.
    pub(super) checks: [AtomicU64; N],
}

/// The check of an object that stays as long as the process.
const PERMANENT: u64 = 0x5bd1_e995_97f4_a7c1;

impl<const N: usize> CallSites<N> {
    /// The answer noted for the calls of `site`, while the object that holds it is the one that it was. `identity` tells that
    /// of the object there; it is asked only where objects can be unloaded.
    #[inline]
    pub fn find(&self, site: Site, identity: impl FnOnce() -> u64) -> Option<usize> {
        let place = site.place(N.trailing_zeros());
        let entry = self.entries.get(place)?.load(Acquire);
        let answer = entry ^ site.0;
        if answer >= ANSWERS as u64 {
            return None;
        }
        let check = self.checks.get(place)?.load(Acquire) ^ entry;
        (check == PERMANENT || check == identity()).then_some(answer as usize)
    }

    /// Notes an answer below [`ANSWERS`]. `identity`: of the object that makes the call; None: it is never unloaded.
    pub fn insert(&self, site: Site, answer: usize, identity: Option<u64>) {
        let place = site.place(N.trailing_zeros());
        if let (Some(entry), Some(check)) = (self.entries.get(place), self.checks.get(place)) {
            let new = site.0 | answer as u64;
            check.store(new ^ identity.unwrap_or(PERMANENT), Release);
            entry.store(new, Release);
        }
    }
}
