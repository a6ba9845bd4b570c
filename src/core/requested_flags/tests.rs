use super::map::{FlagMap, bucket};
use super::{FIRST, GROWTH, SLOTS};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Marsaglia's xorshift64: numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Any of the values that hipHostMalloc's flags can have.
    fn flags(&mut self) -> u32 {
        self.next() as u32 & 0xf000_0007
    }
}

/// Addresses that share one bucket of the first table with the page at 0x1000.
fn crowd(map: &FlagMap, count: usize) -> Vec<u64> {
    let first = map.tables().next().unwrap();
    let crowded = bucket(first, 0x1000);
    let pages = (1..).map(|page| page * 0x1000);
    pages.filter(|&address| std::ptr::eq(bucket(first, address), crowded)).take(count).collect()
}

#[test]
fn every_combination_of_flags_comes_back() {
    static MAP: FlagMap = FlagMap::new();
    for (low, high) in (0..8).flat_map(|low| (0..16).map(move |high| (low, high << 28))) {
        assert!(MAP.insert(0x7fff_ffff_f000, low | high, |_| true));
        assert_eq!(MAP.remove(0x7fff_ffff_f000), Some(low | high));
    }
}

#[test]
fn what_is_no_hip_host_malloc_is_refused() {
    static MAP: FlagMap = FlagMap::new();
    for (address, flags) in [(0, 1), (0x1001, 1), (0x1800, 1), (0x1000, 8), (0x1000, 0x0800_0000)] {
        assert!(!MAP.insert(address, flags, |_| true));
        assert_eq!((MAP.get(address), MAP.remove(address)), (None, None));
    }
    assert_eq!(MAP.len(), 0);
}

#[test]
fn an_allocation_in_place_of_one_whose_free_was_not_seen_has_its_own_flags() {
    static MAP: FlagMap = FlagMap::new();
    assert!(MAP.insert(0x1000, 1, |_| true));
    assert!(MAP.insert(0x1000, 2, |_| true));
    assert_eq!((MAP.len(), MAP.remove(0x1000), MAP.get(0x1000)), (1, Some(2), None));
}

#[test]
fn it_answers_as_a_hash_map_does() {
    static MAP: FlagMap = FlagMap::new();
    let mut model = HashMap::new();
    let mut numbers = Numbers(0x5eed);
    // More than a bucket holds of those that share one, and some that do not.
    let mut addresses = crowd(&MAP, 5 * SLOTS);
    addresses.extend((0..100).map(|_| numbers.next() >> 17 << 12 | 0x1000));
    for _ in 0..200_000 {
        let address = addresses[numbers.below(addresses.len())];
        match numbers.below(3) {
            0 => {
                let flags = numbers.flags();
                assert!(MAP.insert(address, flags, |_| true));
                model.insert(address, flags);
            }
            1 => assert_eq!(MAP.remove(address), model.remove(&address)),
            _ => assert_eq!(MAP.get(address), model.get(&address).copied()),
        }
    }
    assert_eq!(MAP.len(), model.len());
    assert!(MAP.tables().count() > 1, "the crowd needed no further table");
}

#[test]
fn an_allocation_without_room_is_refused_and_the_others_keep_their_flags() {
    static MAP: FlagMap = FlagMap::new();
    // Those that share a bucket of the largest table share one of the smaller tables too.
    let largest: Vec<super::Bucket> = (0..FIRST * GROWTH * GROWTH).map(|_| Default::default()).collect();
    let crowded = bucket(&largest, 0x1000);
    let mut addresses = (1..).map(|page| page * 0x1000).filter(|&page| std::ptr::eq(bucket(&largest, page), crowded));
    let fitting: Vec<u64> = addresses.by_ref().take(3 * SLOTS).collect();
    for (&address, flags) in fitting.iter().zip((0..8).cycle()) {
        assert!(MAP.insert(address, flags, |_| true));
    }
    let refused = addresses.next().unwrap();
    assert!(!MAP.insert(refused, 1, |_| true));
    assert_eq!(MAP.get(refused), None);
    for (&address, flags) in fitting.iter().zip((0..8).cycle()) {
        assert_eq!(MAP.remove(address), Some(flags));
    }
    assert!(MAP.insert(refused, 1, |_| true));
}

#[test]
fn a_million_allocations_that_come_and_go_take_no_further_table() {
    static MAP: FlagMap = FlagMap::new();
    let mut live = std::collections::VecDeque::new();
    for page in 1..=1_000_000 {
        let (address, flags) = (page * 0x1000, page as u32 % 8);
        assert!(MAP.insert(address, flags, |_| true));
        live.push_back((address, flags));
        if live.len() > 4000 {
            let (address, flags) = live.pop_front().unwrap();
            assert_eq!(MAP.remove(address), Some(flags));
        }
    }
    assert_eq!((MAP.len(), MAP.tables().count()), (4000, 1));
}

#[test]
fn eight_thousand_allocations_of_any_common_size_fit_into_the_first_table() {
    for size in [1 << 12, 3 << 12, 1 << 16, 1 << 20, 1 << 21, 1 << 24, 1 << 30] {
        let map = Box::new(FlagMap::new());
        for nth in 0..8000 {
            assert!(map.insert(0x7f00_0000_0000 - nth * size, 1, |_| true));
        }
        assert_eq!((map.len(), map.tables().count()), (8000, 1), "allocations {size:#x} bytes apart");
    }
}

/// A runtime whose lock makes sure that nobody is given an address before the last owner has freed it.
struct Runtime(Mutex<Vec<u64>>);

impl Runtime {
    fn allocate(&self, numbers: &mut Numbers) -> Option<u64> {
        let mut free = self.0.lock().unwrap();
        let nth = numbers.below(free.len().max(1));
        (!free.is_empty()).then(|| free.swap_remove(nth))
    }

    fn free(&self, address: u64) {
        self.0.lock().unwrap().push(address);
    }
}

#[test]
fn eight_threads_in_one_crowd_read_their_own_flags_and_lose_no_settled_ones() {
    static MAP: FlagMap = FlagMap::new();
    let mut free = crowd(&MAP, 6 * SLOTS);
    let settled = free.split_off(5 * SLOTS);
    // The settled ones come last, behind slots that the others leave and take.
    for &address in free.iter().chain(&settled) {
        assert!(MAP.insert(address, 4, |_| true));
    }
    for &address in &free {
        assert_eq!(MAP.remove(address), Some(4));
    }
    let runtime = Runtime(Mutex::new(free));
    let work = |seed| {
        let mut numbers = Numbers(seed);
        let mut mine = Vec::new();
        for _ in 0..50_000 {
            if numbers.below(2) == 0 {
                let Some(address) = runtime.allocate(&mut numbers) else { continue };
                let flags = numbers.flags();
                assert!(MAP.insert(address, flags, |_| true));
                mine.push((address, flags));
            } else if !mine.is_empty() {
                let (address, flags) = mine.swap_remove(numbers.below(mine.len()));
                assert_eq!(MAP.get(address), Some(flags));
                assert_eq!(MAP.remove(address), Some(flags));
                assert_eq!(MAP.get(address), None);
                runtime.free(address);
            }
            assert_eq!(MAP.get(settled[numbers.below(settled.len())]), Some(4));
        }
        mine
    };
    let live: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (1..=8).map(|seed| scope.spawn(move || work(seed))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(MAP.len(), live.len() + settled.len());
    for (address, flags) in live {
        assert_eq!(MAP.get(address), Some(flags));
    }
}

#[test]
fn a_child_forked_amid_other_threads_calls_reads_and_writes_its_own_map() {
    static MAP: FlagMap = FlagMap::new();
    static STOP: AtomicBool = AtomicBool::new(false);
    // No more than a bucket holds, so that no child adds a table.
    let mut busy = crowd(&MAP, SLOTS);
    let settled = busy.split_off(SLOTS / 2);
    let new = busy.pop().unwrap();
    for &address in &settled {
        assert!(MAP.insert(address, 4, |_| true));
    }
    let child = || {
        let kept = settled.iter().all(|&address| MAP.get(address) == Some(4));
        let writes = MAP.insert(new, 2, |_| true) && MAP.get(new) == Some(2) && MAP.remove(settled[0]) == Some(4);
        // At most the address that the other thread was at is half way.
        kept && writes && MAP.len() >= settled.len()
    };
    let statuses: Vec<i32> = thread::scope(|scope| {
        scope.spawn(|| {
            for &address in busy.iter().cycle() {
                assert!(MAP.insert(address, 1, |_| true));
                assert_eq!(MAP.remove(address), Some(1));
                if STOP.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let statuses = (0..100).map(|_| fork(child)).collect();
        STOP.store(true, Ordering::Relaxed);
        statuses
    });
    assert_eq!(statuses, [0; 100]);
    assert_eq!((MAP.get(new), MAP.len()), (None, settled.len()));
}

/// The wait status of a child that exits with 0 if `check` holds in it.
fn fork(check: impl Fn() -> bool) -> i32 {
    // SAFETY: the child only reads and writes atomics, and leaves by _exit.
    match unsafe { libc::fork() } {
        // SAFETY: ends this process without running anything of its parent's.
        0 => unsafe { libc::_exit(i32::from(!check())) },
        child => {
            let mut status = -1;
            // SAFETY: waits for the own child; `status` can be written.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            status
        }
    }
}

#[test]
fn what_is_freed_unseen_makes_room_before_the_map_grows() {
    static MAP: FlagMap = FlagMap::new();
    for address in crowd(&MAP, 1000 * SLOTS) {
        // One allocation at a time: all before it are freed.
        assert!(MAP.insert(address, 1, |_| false));
        assert_eq!(MAP.get(address), Some(1));
    }
    assert_eq!(MAP.tables().count(), 1);
    assert!(MAP.len() <= SLOTS);
}

#[test]
fn what_is_alive_stays_where_room_is_needed() {
    static MAP: FlagMap = FlagMap::new();
    let addresses = crowd(&MAP, 3 * SLOTS);
    let alive = |address: u64| addresses.iter().position(|&other| other == address).unwrap() % 3 == 0;
    for &address in &addresses {
        assert!(MAP.insert(address, 1, alive));
    }
    for &address in addresses.iter().filter(|&&address| alive(address)) {
        assert_eq!(MAP.get(address), Some(1));
    }
}
