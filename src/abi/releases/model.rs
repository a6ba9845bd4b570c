//! The count on loom's atomics, in every order of the steps of threads that ask and release at once.

#[allow(clippy::duplicate_mod)] // the second time on purpose: the atomics are those of this module
#[path = "count.rs"]
mod count;

use count::Releases;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What calls depend on, and what is noted for later ones; 0: nothing.
struct Calls {
    releases: Releases,
    state: AtomicUsize,
    slot: AtomicUsize,
}

impl Calls {
    fn ask(&self) -> usize {
        self.releases.ask(
            || self.state.load(Acquire),
            |answer| self.slot.store(*answer, Release),
            || self.slot.store(0, Release),
        )
    }

    fn change(&self, state: usize) {
        self.state.store(state, Release);
        self.releases.release(|| self.slot.store(0, Release));
    }
}

#[test]
fn what_held_before_a_release_is_not_noted_after_it() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let calls = Arc::new(Calls {
            releases: Releases(AtomicUsize::new(0)),
            state: AtomicUsize::new(1),
            slot: AtomicUsize::new(0),
        });
        let other = [(); 2].map(|()| {
            let calls = calls.clone();
            thread::spawn(move || calls.ask())
        });
        calls.change(2);
        assert_eq!(calls.ask(), 2);
        for asked in other {
            assert!([1, 2].contains(&asked.join().unwrap()));
        }
        assert!([0, 2].contains(&calls.slot.load(Relaxed)));
    });
}
