//! The same map on loom's atomics: three slots, each a table of its own, and every order of two threads' steps that takes
//! at most three preemptions.
//!
//! The tables exist before the threads start: adding one is `OnceBox`'s work, which loom does not see into.

use loom::sync::{Arc, Mutex};
use loom::thread;
use once_cell::race::OnceBox;
use std::sync::atomic::Ordering;

/// loom's atomic, whose loads are writes of the same value: of plain loads that precede a write loom 0.7 tries too few
/// orders, since it keeps one last access of each atomic and forgets another thread's load for the writer's own.
#[derive(Default)]
struct AtomicU64(loom::sync::atomic::AtomicU64);

impl AtomicU64 {
    fn load(&self, order: Ordering) -> u64 {
        self.0.fetch_or(0, order)
    }

    fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
        self.0.compare_exchange(current, new, success, failure)
    }
}

const SLOTS: usize = 1;
const FIRST: usize = 1;
const GROWTH: usize = 1;

#[allow(clippy::duplicate_mod)] // the second time on purpose: `AtomicU64` and the sizes are those of this module
#[path = "map.rs"]
mod map;
use map::{Bucket, FlagMap};

const A: u64 = 0x1000;
const B: u64 = 0x2000;
const C: u64 = 0x3000;

fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

fn map_of_three_slots() -> Arc<FlagMap> {
    let map = FlagMap { first: [Bucket::default()], further: [OnceBox::new(), OnceBox::new()] };
    for address in [A, B, C] {
        assert!(map.insert(address, 0, |_| true));
    }
    assert_eq!(map.tables().count(), 3);
    for address in [A, B, C] {
        assert_eq!(map.remove(address), Some(0));
    }
    Arc::new(map)
}

/// A program's thread: allocates, asks and frees.
fn insert_and_remove(map: &FlagMap, address: u64, flags: u32) {
    assert!(map.insert(address, flags, |_| true));
    assert_eq!(map.get(address), Some(flags));
    assert_eq!(map.remove(address), Some(flags));
    assert_eq!(map.get(address), None);
}

#[test]
fn threads_that_share_every_bucket_never_see_each_others_entries() {
    model(|| {
        let map = map_of_three_slots();
        assert!(map.insert(B, 2, |_| true));
        let other = map.clone();
        let thread = thread::spawn(move || insert_and_remove(&other, A, 1));
        insert_and_remove(&map, C, 4);
        assert_eq!(map.get(B), Some(2));
        thread.join().unwrap();
        assert_eq!((map.get(B), map.len()), (Some(2), 1));
    });
}

#[test]
fn an_entry_stays_visible_to_all_while_the_slots_before_it_come_and_go() {
    model(|| {
        let map = map_of_three_slots();
        assert!(map.insert(A, 1, |_| true));
        assert!(map.insert(B, 2, |_| true));
        let other = map.clone();
        let thread = thread::spawn(move || {
            assert_eq!(other.remove(A), Some(1));
            assert_eq!(other.get(B), Some(2));
            insert_and_remove(&other, C, 4);
        });
        assert_eq!((map.get(B), map.get(B)), (Some(2), Some(2)));
        thread.join().unwrap();
        assert_eq!((map.remove(B), map.len()), (Some(2), 0));
    });
}

#[test]
fn an_address_that_another_thread_gets_at_once_has_its_new_flags() {
    model(|| {
        let map = map_of_three_slots();
        assert!(map.insert(A, 1, |_| true));
        // What the runtime has to hand out. Its lock is what orders a free before the next allocation.
        let free = Arc::new(Mutex::new(vec![B]));
        let (others_map, others_free) = (map.clone(), free.clone());
        let thread = thread::spawn(move || {
            assert_eq!(others_map.remove(A), Some(1));
            others_free.lock().unwrap().push(A);
        });
        let given = free.lock().unwrap().pop().unwrap();
        insert_and_remove(&map, given, 4);
        thread.join().unwrap();
        assert_eq!(map.len(), 0);
    });
}

#[test]
fn what_makes_room_loses_no_address_that_another_thread_comes_to_own_meanwhile() {
    model(|| {
        let map = map_of_three_slots();
        assert!(map.insert(A, 1, |_| true));
        // A was freed, which the map is not told. The runtime's lock orders what is alive.
        let alive = Arc::new(Mutex::new(Vec::new()));
        let (others_map, others_alive) = (map.clone(), alive.clone());
        let thread = thread::spawn(move || {
            others_alive.lock().unwrap().push(A);
            assert!(others_map.insert(A, 1, |address| others_alive.lock().unwrap().contains(&address)));
        });
        alive.lock().unwrap().push(B);
        assert!(map.insert(B, 2, |address| alive.lock().unwrap().contains(&address)));
        thread.join().unwrap();
        assert_eq!((map.get(A), map.get(B)), (Some(1), Some(2)));
    });
}
