//! What the exports jump to: each slot leads to the binder until it is bound.
//!
//! The core compiles this file too, on loom's atomics, to try every order of its steps.

use super::{AtomicBool, AtomicPtr};
use core::ffi::c_void;
use core::sync::atomic::Ordering::SeqCst;

/// The slots of this process.
pub struct Slots {
    /// Whether all were unbound again, which happens once.
    pub released: AtomicBool,
}

impl Slots {
    /// Where a call goes, as `decide` says, and whether every later one goes there too, which `slot` then does.
    ///
    /// What was decided before the slots were released does not outlive that.
    pub fn bind(
        &self,
        slot: &AtomicPtr<c_void>,
        unbound: *mut c_void,
        decide: impl FnOnce() -> (*mut c_void, bool),
    ) -> *mut c_void {
        let released = self.released.load(SeqCst);
        let (target, keep) = decide();
        if keep {
            slot.store(target, SeqCst);
            // Another thread may have released the slots since this one looked at the copies.
            if self.released.load(SeqCst) != released {
                slot.store(unbound, SeqCst);
            }
        }
        target
    }

    /// Unbinds every slot, given with what it holds then; the first time only.
    pub fn release<'a>(&self, slots: impl Iterator<Item = (&'a AtomicPtr<c_void>, *mut c_void)>) {
        if !self.released.swap(true, SeqCst) {
            slots.for_each(|(slot, unbound)| slot.store(unbound, SeqCst));
        }
    }
}
