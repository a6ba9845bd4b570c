//! The count of releases, on the atomic of the module around.

use super::AtomicUsize;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

/// How often everything was asked for anew.
pub struct Releases(pub(super) AtomicUsize);

impl Releases {
    /// Asks `look` for an answer and has `note` keep it for later calls. If everything was released meanwhile, the answer was
    /// one under what held before, and `forget` takes it back.
    pub fn ask<T>(&self, look: impl FnOnce() -> T, note: impl FnOnce(&T), forget: impl FnOnce()) -> T {
        let before = self.0.load(Acquire);
        let answer = look();
        note(&answer);
        // A write, so that a release that it does not see comes after it, and forgets what was noted.
        if self.0.fetch_add(0, AcqRel) != before {
            forget();
        }
        answer
    }

    /// Has `forget` take back what was noted, after a change of what answers depend on.
    pub fn release(&self, forget: impl FnOnce()) {
        self.0.fetch_add(1, AcqRel);
        forget();
    }
}
