//! Where one hook's calls go in one copy, on the atomics of the module around.

use super::AtomicPtr;
use std::ffi::c_void;
use std::ptr::{from_ref, null_mut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

/// A hook's real function, and the place of the runtime's own table that leads to the hook.
pub struct Target {
    /// Where calls go from the hook; null while that is not known.
    pub(super) function: AtomicPtr<c_void>,
    /// Where the table leads to the hook; null: nowhere.
    pub(super) place: AtomicPtr<AtomicPtr<c_void>>,
}

impl Target {
    /// Where calls go from the hook; null: not known yet.
    #[inline]
    pub fn function(&self) -> *mut c_void {
        self.function.load(Acquire)
    }

    /// Notes that calls go to the runtime's export, unless it is known by now what stood in its table. Where they go.
    pub fn note_export(&self, export: *mut c_void) -> *mut c_void {
        self.function.compare_exchange(null_mut(), export, AcqRel, Acquire).map_or_else(|known| known, |_| export)
    }

    /// Whether the table leads to the hook: then whatever calls the export comes there.
    pub fn is_in_table(&self) -> bool {
        !self.place.load(Acquire).is_null()
    }

    /// Has a place of the table lead to the hook's `entry`; what stood there is where calls go from it. Not where that is
    /// somebody's who came after an earlier entry, since it leads there.
    pub fn take(&self, place: &'static AtomicPtr<c_void>, entry: *mut c_void, export: *mut c_void) {
        let (known, original) = (self.function(), place.load(Acquire));
        let follows = !known.is_null() && known != export && known != original;
        if original.is_null() || original == entry || follows {
            return;
        }
        // A swap: loom has a plain store come before what it follows.
        self.function.swap(original, AcqRel);
        if place.compare_exchange(original, entry, AcqRel, Acquire).is_ok() {
            self.place.store(from_ref(place).cast_mut(), Release);
        }
    }

    /// Has the table lead past the hook again, if nobody has put something else there.
    pub fn give_back(&self, entry: *mut c_void) {
        // SAFETY: what is stored came from a reference for the life of the process.
        if let Some(place) = unsafe { self.place.swap(null_mut(), AcqRel).as_ref() } {
            let _ = place.compare_exchange(entry, self.function(), AcqRel, Acquire);
        }
    }
}
