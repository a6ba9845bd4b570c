//! When what is noted of calls no longer holds: a state changed, and everything is to be asked for anew.

mod count;
#[cfg(test)]
mod model;

use core::sync::atomic::AtomicUsize;
pub use count::Releases;

impl Releases {
    /// Nothing was released yet.
    #[allow(clippy::new_without_default)] // for statics
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }
}
