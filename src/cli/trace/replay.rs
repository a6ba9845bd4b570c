//! Goes through the calls and keeps account of memory.
//!
//! What it holds grows with the allocations that live at one time, never with the calls.

use super::files::{Merged, Process, Unreadable, effective};
use super::lifetimes::Lifetimes;
use super::timeline::Timeline;
use rmcp_abi::effect::{Action, Effect, Location, Resource};
use rmcp_abi::{Hook, Library};
use rmcp_domain::trace::{Outcome, Pool, Record};
use std::collections::{BTreeMap, HashMap};

/// How many of the allocations that were never freed are told one by one.
const LARGEST: usize = 20;

/// Where memory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// On the card.
    Vram,
    /// Pinned on the host by the runtime.
    Pinned,
    /// Managed.
    Managed,
    /// The program's own, registered.
    Registered,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Kind; 4] = [Kind::Vram, Kind::Pinned, Kind::Managed, Kind::Registered];

    fn of(effect: &Effect, record: &Record) -> Option<Kind> {
        match effect.location {
            Location::Vram => Some(Kind::Vram),
            Location::Host => Some(Kind::Pinned),
            Location::Managed => Some(Kind::Managed),
            Location::Registered => Some(Kind::Registered),
            Location::Pool => record.passed_pool.map(|pool| if pool.gpu { Kind::Vram } else { Kind::Pinned }),
            Location::None => None,
        }
    }
}

/// An amount of memory that comes and goes, in bytes. Sums stop at the greatest number: a damaged file can claim anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Now.
    pub now: u64,
    /// The most that there was.
    pub peak: u64,
    /// When that was reached first, in ns from the beginning.
    pub peak_at: u64,
    /// All that ever came.
    pub total: u64,
    /// What was never freed.
    pub left: u64,
}

impl Usage {
    fn add(&mut self, bytes: u64, at: u64) {
        self.now = self.now.saturating_add(bytes);
        self.total = self.total.saturating_add(bytes);
        if self.now > self.peak {
            (self.peak, self.peak_at) = (self.now, at);
        }
    }

    fn take(&mut self, bytes: u64) {
        self.now = self.now.saturating_sub(bytes);
    }

    fn leave(&mut self, bytes: u64) {
        self.take(bytes);
        self.left = self.left.saturating_add(bytes);
    }
}

/// The calls of one function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// All, with those that failed and those that run.
    pub calls: u64,
    /// How often each error was returned.
    pub failures: BTreeMap<i32, u64>,
    /// What it allocated, or took back.
    pub memory: Usage,
    /// Its allocations that were never freed.
    pub left: u64,
    /// How long those lived that were freed.
    pub lifetimes: Lifetimes,
}

/// What the program chose for a call, and what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The function.
    pub hook: Hook,
    /// Whether the runtime made the call.
    pub by_runtime: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// Flags or advice; 0 where there is a pool.
    pub asked: u64,
    /// The same of the real call.
    pub given: u64,
    /// The kind of pool.
    pub asked_pool: Option<Pool>,
    /// That of the real call.
    pub given_pool: Option<Pool>,
}

/// How often something was, with how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls.
    pub calls: u64,
    /// Of these, failures.
    pub failures: u64,
    /// The bytes of those that succeeded.
    pub bytes: u64,
}

/// An allocation that was not freed, yet or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// The call that made it.
    pub record: Record,
    /// The number of its process.
    pub process: usize,
    kind: Option<Kind>,
}

/// Tells an allocation from all others: process, whose, kind of thing, address.
type Key = (usize, bool, Resource, u64);

/// The account. Moments are in ns from the beginning.
#[derive(Debug, Default)]
pub struct Replay {
    start: u64,
    live: HashMap<Key, Live>,
    /// By kind, in the order of [`Kind::ALL`]: the program's allocations.
    pub memory: [Usage; 4],
    /// The VRAM of each HIP device, as each process numbers them.
    pub devices: BTreeMap<u8, Usage>,
    /// By function, the program's calls and the runtime's own.
    pub functions: BTreeMap<(bool, usize), Function>,
    /// By choice.
    pub choices: HashMap<Choice, Count>,
    /// The memory over time.
    pub timeline: Timeline<4>,
    /// The largest allocations that were never freed, the largest first.
    pub largest: Vec<Live>,
    /// Calls that had not returned.
    pub running: Vec<Live>,
    /// The calls of each process.
    pub calls: Vec<u64>,
    /// Frees of what no recorded call had allocated.
    pub unknown_frees: u64,
    /// Allocations whose address was handed out again, so somebody freed them unseen.
    pub unseen_frees: u64,
}

/// Everything in the folder, from `start` to `end` in ns of CLOCK_MONOTONIC. `ends` says which processes ended and when.
pub fn replay(processes: &[Process], ends: &[(u64, usize)], start: u64, end: u64) -> Result<Replay, Unreadable> {
    let mut replay = Replay { start, ..Replay::default() };
    let mut merged = Merged::new(processes)?;
    let mut ends = ends.to_vec();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    while let Some((process, record)) = merged.next_call()? {
        while let Some((at, ended)) = ends.next_if(|(at, _)| *at < effective(&record)) {
            replay.end(ended, at);
        }
        replay.apply(process, &record);
    }
    ends.for_each(|(at, ended)| replay.end(ended, at));
    replay.finish(end);
    Ok(replay)
}

impl Replay {
    /// One call.
    pub fn apply(&mut self, process: usize, record: &Record) {
        let Some(effect) = record.hook.effect() else { return };
        if self.calls.len() <= process {
            self.calls.resize(process + 1, 0);
        }
        self.calls[process] += 1;
        let function = self.functions.entry((record.by_runtime, record.hook as usize)).or_default();
        function.calls += 1;
        let kind = Kind::of(&effect, record);
        let live = Live { record: *record, process, kind };
        if record.end == 0 {
            self.running.push(live);
            return;
        }
        if record.status != 0 {
            *function.failures.entry(record.status).or_default() += 1;
        }
        self.choose(&effect, record);
        if record.status != 0 {
            return;
        }
        let key = (process, record.by_runtime, effect.resource, record.address);
        match effect.action {
            Action::Allocate => self.allocate(key, live),
            Action::Free => self.free(key, record),
            Action::FreeAll => self.reset(process, record),
            Action::Advise => {}
        }
    }

    fn choose(&mut self, effect: &Effect, record: &Record) {
        let chosen = effect.flags.is_some() && !record.by_runtime || record.outcome != Outcome::Unchanged;
        if !chosen {
            return;
        }
        let of_pool = record.requested_pool.is_some();
        let choice = Choice {
            hook: record.hook,
            by_runtime: record.by_runtime,
            outcome: record.outcome,
            asked: if of_pool { 0 } else { record.requested },
            given: if of_pool && record.outcome != Outcome::Kept { 0 } else { record.passed },
            asked_pool: record.requested_pool,
            given_pool: record.passed_pool,
        };
        let count = self.choices.entry(choice).or_default();
        count.calls += 1;
        if record.status == 0 {
            count.bytes = count.bytes.saturating_add(record.size);
        } else {
            count.failures += 1;
        }
    }

    fn allocate(&mut self, key: Key, live: Live) {
        let record = &live.record;
        if let Some(old) = self.live.insert(key, live) {
            self.unseen_frees += u64::from(!record.by_runtime);
            self.forget(&old, record.begin);
        }
        let at = self.since_start(effective(record));
        self.function(record).memory.add(record.size, at);
        if !record.by_runtime {
            if let Some(usage) = self.device(&live) {
                usage.add(record.size, at);
            }
            if let Some(kind) = live.kind {
                self.memory[kind as usize].add(record.size, at);
                self.draw(at);
            }
        }
    }

    fn free(&mut self, key: Key, record: &Record) {
        match self.live.remove(&key) {
            Some(live) => {
                let freed = &mut self.function(record).memory.total;
                *freed = freed.saturating_add(live.record.size);
                self.forget(&live, record.begin);
            }
            None => self.unknown_frees += u64::from(!record.by_runtime && record.address != 0),
        }
    }

    /// hipDeviceReset: what HIP allocated on the device is gone.
    fn reset(&mut self, process: usize, record: &Record) {
        let gone = |live: &Live| {
            live.process == process
                && !live.record.by_runtime
                && live.record.hook.info().library == Library::Hip
                && live.record.device == record.device
                && matches!(live.kind, Some(Kind::Vram | Kind::Managed))
        };
        let all: Vec<_> = self.live.extract_if(|_, live| gone(live)).map(|(_, live)| live).collect();
        all.iter().for_each(|live| self.forget(live, record.begin));
    }

    /// An allocation ends at this moment.
    fn forget(&mut self, live: &Live, at: u64) {
        let size = live.record.size;
        let function = self.function(&live.record);
        function.memory.take(size);
        function.lifetimes.add(at.saturating_sub(live.record.end));
        if live.record.by_runtime {
            return;
        }
        if let Some(usage) = self.device(live) {
            usage.take(size);
        }
        if let Some(kind) = live.kind {
            self.memory[kind as usize].take(size);
            self.draw(self.since_start(at));
        }
    }

    /// A process ends at this moment, and its memory with it.
    fn end(&mut self, process: usize, at: u64) {
        let all: Vec<_> = self.live.extract_if(|key, _| key.0 == process).map(|(_, live)| live).collect();
        all.into_iter().for_each(|live| self.leave(live));
        self.draw(self.since_start(at));
    }

    /// An allocation was never freed.
    fn leave(&mut self, live: Live) {
        let size = live.record.size;
        let function = self.function(&live.record);
        function.memory.leave(size);
        function.left += 1;
        if live.record.by_runtime {
            return;
        }
        if let Some(usage) = self.device(&live) {
            usage.leave(size);
        }
        if let Some(kind) = live.kind {
            self.memory[kind as usize].leave(size);
            let order = |live: &Live| (u64::MAX - live.record.size, live.record.end, live.record.address);
            let place = self.largest.partition_point(|other| order(other) <= order(&live));
            self.largest.insert(place, live);
            self.largest.truncate(LARGEST);
        }
    }

    /// That was all, at this moment. The plot shows what is left.
    fn finish(&mut self, end: u64) {
        self.timeline.until(self.since_start(end));
        std::mem::take(&mut self.live).into_values().for_each(|live| self.leave(live));
    }

    fn function(&mut self, record: &Record) -> &mut Function {
        self.functions.entry((record.by_runtime, record.hook as usize)).or_default()
    }

    fn device(&mut self, live: &Live) -> Option<&mut Usage> {
        let device = live.record.device.filter(|_| live.kind == Some(Kind::Vram))?;
        Some(self.devices.entry(device).or_default())
    }

    fn draw(&mut self, at: u64) {
        self.timeline.set(at, self.memory.map(|usage| usage.now));
    }

    fn since_start(&self, at: u64) -> u64 {
        at.saturating_sub(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::files::processes;
    use crate::trace::testing::{Folder, Variation, call};

    const MS: u64 = 1_000_000;

    /// One process with these calls, until 1 s.
    fn of(calls: &[Record]) -> Replay {
        let folder = Folder::new();
        folder.process(1, 0, calls);
        replay(&processes(folder.path()).unwrap(), &[], 0, 1000 * MS).unwrap()
    }

    fn function(replay: &Replay, hook: Hook) -> &Function {
        &replay.functions[&(false, hook as usize)]
    }

    #[test]
    fn a_free_meets_its_allocation_and_tells_how_long_it_lived() {
        let replay = of(&[
            call(Hook::hipMalloc, 10 * MS, 11 * MS),
            call(Hook::hipHostMalloc, 20 * MS, 21 * MS).at(0x9000).bytes(100),
            call(Hook::hipFree, 51 * MS, 60 * MS),
        ]);
        assert_eq!(function(&replay, Hook::hipMalloc).lifetimes.summary(), Some([40 * MS; 3]));
        assert_eq!(function(&replay, Hook::hipMalloc).left, 0);
        assert_eq!(function(&replay, Hook::hipFree).memory.total, 4096);
        let [vram, pinned, ..] = replay.memory;
        assert_eq!(vram, Usage { now: 0, peak: 4096, peak_at: 11 * MS, total: 4096, left: 0 });
        assert_eq!(pinned, Usage { now: 0, peak: 100, peak_at: 21 * MS, total: 100, left: 100 });
        assert_eq!(replay.largest.len(), 1);
        assert_eq!(replay.devices[&0].peak, 4096);
    }

    #[test]
    fn a_failed_call_allocates_nothing_and_is_counted_by_its_error() {
        let refused = Record { status: 2, ..call(Hook::hipMalloc, 10, 11) };
        let replay = of(&[refused, refused]);
        assert_eq!(function(&replay, Hook::hipMalloc).failures, BTreeMap::from([(2, 2)]));
        assert_eq!(replay.memory[0], Usage::default());
    }

    #[test]
    fn what_the_runtime_allocates_for_itself_is_not_the_programs() {
        let own = Record { by_runtime: true, ..call(Hook::hsa_amd_memory_pool_allocate, 10, 11) };
        // The same address: the runtime hands to the program what it got itself.
        let replay = of(&[own, call(Hook::hipMalloc, 5, 12)]);
        assert_eq!(replay.memory[0].peak, 4096);
        assert_eq!(replay.unseen_frees, 0);
        assert_eq!(replay.functions[&(true, Hook::hsa_amd_memory_pool_allocate as usize)].left, 1);
    }

    #[test]
    fn handles_arrays_and_registrations_are_not_memory_at_the_same_address() {
        let replay = of(&[
            call(Hook::hipMalloc, 10, 11),
            call(Hook::hipMemCreate, 12, 13),
            call(Hook::hipMallocArray, 14, 15),
            call(Hook::hipHostRegister, 16, 17),
            call(Hook::hipMemRelease, 18, 19),
            call(Hook::hipFreeArray, 20, 21),
            call(Hook::hipHostUnregister, 22, 23),
        ]);
        assert_eq!((replay.unseen_frees, replay.unknown_frees), (0, 0));
        assert_eq!(replay.memory.map(|usage| usage.left), [4096, 0, 0, 0]);
        assert_eq!(replay.memory[0].peak, 3 * 4096);
    }

    #[test]
    fn frees_that_nobody_saw_are_counted_and_not_taken_for_leaks() {
        let replay = of(&[
            call(Hook::hipMalloc, 10, 11),
            call(Hook::hipMalloc, 20, 21),
            call(Hook::hipFree, 30, 31).at(0xdead),
            call(Hook::hipFree, 32, 33).at(0),
        ]);
        assert_eq!((replay.unseen_frees, replay.unknown_frees), (1, 1));
        assert_eq!(replay.memory[0], Usage { now: 0, peak: 4096, peak_at: 11, total: 8192, left: 4096 });
    }

    #[test]
    fn a_reset_frees_what_hip_holds_on_the_device() {
        let other = Record { device: Some(1), ..call(Hook::hipMalloc, 12, 13).at(0x9000) };
        let replay = of(&[call(Hook::hipMalloc, 10, 11), other, call(Hook::hipDeviceReset, 20, 21)]);
        assert_eq!(function(&replay, Hook::hipMalloc).left, 1);
        assert_eq!(replay.devices[&1].left, 4096);
    }

    #[test]
    fn memory_of_a_process_that_ended_is_no_longer_there_for_the_next() {
        let folder = Folder::new();
        folder.process(1, 10, &[call(Hook::hipMalloc, 10, 11)]);
        folder.process(2, 100, &[call(Hook::hipMalloc, 100, 101)]);
        let processes = processes(folder.path()).unwrap();
        let together = replay(&processes, &[], 0, 1000).unwrap();
        assert_eq!(together.memory[0].peak, 8192);
        let apart = replay(&processes, &[(50, 0), (150, 1)], 0, 1000).unwrap();
        assert_eq!(apart.memory[0].peak, 4096);
        assert_eq!(apart.memory[0].left, 8192);
        assert_eq!(apart.calls, [1, 1]);
    }

    #[test]
    fn a_call_that_never_returned_is_told_and_changes_nothing() {
        let replay = of(&[call(Hook::hipMalloc, 10, 11), call(Hook::hipFree, 20, 0)]);
        assert_eq!(replay.running.len(), 1);
        assert_eq!(replay.memory[0].left, 4096);
    }

    #[test]
    fn choices_are_counted_by_what_was_asked_and_given() {
        let rewritten =
            Record { outcome: Outcome::Rewritten, passed: 0x8000_0000, ..call(Hook::hipHostMalloc, 10, 11) };
        let replay = of(&[rewritten, rewritten.at(0x9000), call(Hook::hipHostMalloc, 20, 21).at(0xa000)]);
        let counts = |outcome| replay.choices.iter().find(|(choice, _)| choice.outcome == outcome).unwrap().1;
        assert_eq!(*counts(Outcome::Rewritten), Count { calls: 2, failures: 0, bytes: 8192 });
        assert_eq!(*counts(Outcome::Unchanged), Count { calls: 1, failures: 0, bytes: 4096 });
    }

    #[test]
    fn a_hundred_thousand_calls_are_replayed_exactly() {
        let calls = (0..50_000).flat_map(|n| {
            let address = 0x1000 * (1 + n % 1000);
            [
                call(Hook::hipMalloc, 10 * n + 1, 10 * n + 2).at(address),
                call(Hook::hipFree, 10 * n + 5, 10 * n + 6).at(address),
            ]
        });
        let replay = of(&calls.collect::<Vec<_>>());
        assert_eq!(function(&replay, Hook::hipMalloc).calls, 50_000);
        assert_eq!(function(&replay, Hook::hipFree).calls, 50_000);
        assert_eq!(replay.memory[0], Usage { now: 0, peak: 4096, peak_at: 2, total: 50_000 * 4096, left: 0 });
        assert_eq!((replay.unknown_frees, replay.unseen_frees), (0, 0));
    }
}
