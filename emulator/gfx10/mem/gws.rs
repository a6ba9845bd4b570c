//! Global wave sync: barriers of all of a card's waves ("RDNA 2 ISA", DS_GWS_INIT and DS_GWS_BARRIER).

use std::sync::atomic::{AtomicU64, Ordering};

use super::Reach;
use super::ds::Ds;
use crate::wave::{Status, Wave, reg};

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
    fn init(&self, resource: usize, waves: u32) {
        self.0[resource].store(waves.into(), Ordering::SeqCst);
    }

    fn passed(&self, resource: usize) -> u64 {
        self.0[resource].load(Ordering::SeqCst) / PASSED
    }

    /// One wave arrives; the last one opens the barrier and sets how many shall wait at the next. Says what `passed` is as
    /// long as the wave has to wait, or nothing where it was the last.
    fn arrive(&self, resource: usize, next: u32) -> Option<u64> {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GwsOp {
    Init,
    Barrier,
}

/// Bytes of the instruction: a wave that has to wait does it again when it has its next turn.
const SIZE: u64 = 8;

pub fn run(w: &mut Wave, i: &Ds, op: GwsOp, reach: &Reach<'_>) {
    let gws = reach.memory.gws();
    let resource = ((w.s32(reg::M0) >> 16) as usize + usize::from(i.offset)) % 64;
    let first = w.exec().trailing_zeros() as usize;
    // The field of the address holds the data here.
    let value = if first < w.lanes { w.v[usize::from(i.addr)][first] } else { 0 };
    match op {
        GwsOp::Init => gws.init(resource, value),
        GwsOp::Barrier => {
            let waits = match w.at_barrier.take() {
                None => gws.arrive(resource, value),
                waits => waits.filter(|&passed| gws.passed(resource) == passed),
            };
            if waits.is_some() {
                w.at_barrier = waits;
                w.pc -= SIZE;
                w.status = Status::Yielding;
            }
        }
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
