//! Global wave sync: barriers of all of a card's waves ("RDNA 2 ISA", DS_GWS_INIT and DS_GWS_BARRIER).

use std::sync::atomic::{AtomicU64, Ordering};

/// The resources of a card. Each is a counter of the waves to come, and above it the number of barriers passed.
#[derive(Debug)]
pub struct Gws([AtomicU64; 64]);

impl Default for Gws {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// One barrier passed, as the upper half of a resource counts it.
const PASSED: u64 = 1 << 32;

impl Gws {
    /// Sets how many waves shall wait for the last one.
    pub(crate) fn init(&self, resource: usize, waves: u32) {
        self.0[resource].store(waves.into(), Ordering::SeqCst);
    }

    pub(crate) fn passed(&self, resource: usize) -> u64 {
        self.0[resource].load(Ordering::SeqCst) / PASSED
    }

    /// One wave arrives; the last one opens the barrier and sets how many shall wait at the next. Says what `passed` is as
    /// long as the wave has to wait, or nothing where it was the last.
    pub(crate) fn arrive(&self, resource: usize, next: u32) -> Option<u64> {
        let arrived = |state: u64| {
            let last = state.is_multiple_of(PASSED);
            Some(if last { state + PASSED + u64::from(next) } else { state - 1 })
        };
        // The closure never refuses.
        let before =
            self.0[resource].fetch_update(Ordering::SeqCst, Ordering::SeqCst, arrived).unwrap_or_else(|before| before);
        (!before.is_multiple_of(PASSED)).then_some(before / PASSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wave_opens_the_barrier_for_all_and_sets_the_next() {
        let gws = Gws::default();
        gws.init(3, 2);
        let waits = gws.arrive(3, 1);
        assert_eq!((waits, gws.arrive(3, 1)), (Some(0), Some(0)));
        assert_eq!(gws.passed(3), 0);
        assert_eq!(gws.arrive(3, 1), None);
        assert_eq!(gws.passed(3), 1);
        assert_eq!((gws.arrive(3, 0), gws.arrive(3, 0)), (Some(1), None));
        assert_eq!(gws.passed(0), 0);
    }
}
