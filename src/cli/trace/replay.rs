//! Goes through the calls and keeps account of memory.
//!
//! What it holds grows with the allocations that live at one time, never with the calls.

#[cfg(test)]
mod tests;

use super::files::{MergedCalls, Process, TraceError, effect_time};
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
pub enum MemoryKind {
    /// On the card.
    Vram,
    /// Pinned on the host by the runtime.
    Pinned,
    /// Managed.
    Managed,
    /// The program's own, registered.
    Registered,
}

impl MemoryKind {
    /// All, in the order of their numbers.
    pub const ALL: [MemoryKind; 4] =
        [MemoryKind::Vram, MemoryKind::Pinned, MemoryKind::Managed, MemoryKind::Registered];

    fn of_effect(effect: &Effect, record: &Record) -> Option<MemoryKind> {
        match effect.location {
            Location::Vram => Some(MemoryKind::Vram),
            Location::Host => Some(MemoryKind::Pinned),
            Location::Managed => Some(MemoryKind::Managed),
            Location::Registered => Some(MemoryKind::Registered),
            Location::Pool => {
                record.passed_pool.map(|pool| if pool.gpu { MemoryKind::Vram } else { MemoryKind::Pinned })
            }
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
    pub never_freed: u64,
}

impl Usage {
    fn add(&mut self, bytes: u64, at: u64) {
        self.now = self.now.saturating_add(bytes);
        self.total = self.total.saturating_add(bytes);
        if self.now > self.peak {
            (self.peak, self.peak_at) = (self.now, at);
        }
    }

    fn subtract(&mut self, bytes: u64) {
        self.now = self.now.saturating_sub(bytes);
    }

    fn count_never_freed(&mut self, bytes: u64) {
        self.subtract(bytes);
        self.never_freed = self.never_freed.saturating_add(bytes);
    }
}

/// The calls of one function.
#[derive(Clone, Debug, Default)]
pub struct FunctionUsage {
    /// All, with those that failed and those that run.
    pub calls: u64,
    /// How often each error was returned.
    pub failures: BTreeMap<i32, u64>,
    /// What it allocated, or took back.
    pub memory: Usage,
    /// Its allocations that were never freed.
    pub never_freed: u64,
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
    pub requested: u64,
    /// The same of the real call.
    pub passed: u64,
    /// The kind of pool.
    pub requested_pool: Option<Pool>,
    /// That of the real call.
    pub passed_pool: Option<Pool>,
}

/// How often something was, with how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Calls.
    pub calls: u64,
    /// Of these, failures.
    pub failures: u64,
    /// The bytes of those that succeeded.
    pub bytes: u64,
}

/// An allocation that was not freed, yet or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveAllocation {
    /// The call that made it.
    pub record: Record,
    /// The number of its process.
    pub process: usize,
    kind: Option<MemoryKind>,
}

/// Tells an allocation from all others: process, whose, kind of thing, address.
type AllocationKey = (usize, bool, Resource, u64);

/// The account. Moments are in ns from the beginning.
#[derive(Debug, Default)]
pub struct Replay {
    start: u64,
    live: HashMap<AllocationKey, LiveAllocation>,
    /// By kind, in the order of [`MemoryKind::ALL`]: the program's allocations.
    pub memory: [Usage; 4],
    /// The VRAM of each HIP device, as each process numbers them.
    pub devices: BTreeMap<u8, Usage>,
    /// By function, the program's calls and the runtime's own.
    pub functions: BTreeMap<(bool, usize), FunctionUsage>,
    /// By choice.
    pub choices: HashMap<Choice, CallCount>,
    /// The memory over time.
    pub timeline: Timeline<4>,
    /// The largest allocations that were never freed, the largest first.
    pub largest: Vec<LiveAllocation>,
    /// Calls that had not returned.
    pub running: Vec<LiveAllocation>,
    /// The calls of each process.
    pub calls: Vec<u64>,
    /// Frees of what no recorded call had allocated.
    pub unknown_frees: u64,
    /// Allocations whose address was handed out again, so somebody freed them unseen.
    pub unseen_frees: u64,
}

/// Everything in the folder, from `start` to `end` in ns of CLOCK_MONOTONIC. `ends` says which processes ended and when.
pub fn replay(processes: &[Process], ends: &[(u64, usize)], start: u64, end: u64) -> Result<Replay, TraceError> {
    let mut replay = Replay { start, ..Replay::default() };
    let mut merged = MergedCalls::new(processes)?;
    let mut ends = ends.to_vec();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    while let Some((process, record)) = merged.next_call()? {
        while let Some((at, ended)) = ends.next_if(|(at, _)| *at < effect_time(&record)) {
            replay.end_process(ended, at);
        }
        replay.apply(process, &record);
    }
    ends.for_each(|(at, ended)| replay.end_process(ended, at));
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
        let kind = MemoryKind::of_effect(&effect, record);
        let live = LiveAllocation { record: *record, process, kind };
        if record.end == 0 {
            self.running.push(live);
            return;
        }
        if record.status != 0 {
            *function.failures.entry(record.status).or_default() += 1;
        }
        self.count_choice(&effect, record);
        if record.status != 0 {
            return;
        }
        let key = (process, record.by_runtime, effect.resource, record.address);
        match effect.action {
            Action::Allocate => self.allocate(key, live),
            Action::Free => self.free(key, record),
            Action::FreeAll => self.reset_device(process, record),
            Action::Advise => {}
        }
    }

    fn count_choice(&mut self, effect: &Effect, record: &Record) {
        let chosen = effect.flags.is_some() && !record.by_runtime || record.outcome != Outcome::Unchanged;
        if !chosen {
            return;
        }
        let of_pool = record.requested_pool.is_some();
        let choice = Choice {
            hook: record.hook,
            by_runtime: record.by_runtime,
            outcome: record.outcome,
            requested: if of_pool { 0 } else { record.requested },
            passed: if of_pool && record.outcome != Outcome::Kept { 0 } else { record.passed },
            requested_pool: record.requested_pool,
            passed_pool: record.passed_pool,
        };
        let count = self.choices.entry(choice).or_default();
        count.calls += 1;
        if record.status == 0 {
            count.bytes = count.bytes.saturating_add(record.size);
        } else {
            count.failures += 1;
        }
    }

    fn allocate(&mut self, key: AllocationKey, live: LiveAllocation) {
        let record = &live.record;
        if let Some(old) = self.live.insert(key, live) {
            self.unseen_frees += u64::from(!record.by_runtime);
            self.end_lifetime(&old, record.begin);
        }
        let at = self.since_start(effect_time(record));
        self.function(record).memory.add(record.size, at);
        if !record.by_runtime {
            if let Some(usage) = self.device(&live) {
                usage.add(record.size, at);
            }
            if let Some(kind) = live.kind {
                self.memory[kind as usize].add(record.size, at);
                self.update_timeline(at);
            }
        }
    }

    fn free(&mut self, key: AllocationKey, record: &Record) {
        match self.live.remove(&key) {
            Some(live) => {
                let freed = &mut self.function(record).memory.total;
                *freed = freed.saturating_add(live.record.size);
                self.end_lifetime(&live, record.begin);
            }
            None => self.unknown_frees += u64::from(!record.by_runtime && record.address != 0),
        }
    }

    /// hipDeviceReset: what HIP allocated on the device is gone.
    fn reset_device(&mut self, process: usize, record: &Record) {
        let is_freed = |live: &LiveAllocation| {
            live.process == process
                && !live.record.by_runtime
                && live.record.hook.info().library == Library::Hip
                && live.record.device == record.device
                && matches!(live.kind, Some(MemoryKind::Vram | MemoryKind::Managed))
        };
        let all: Vec<_> = self.live.extract_if(|_, live| is_freed(live)).map(|(_, live)| live).collect();
        all.iter().for_each(|live| self.end_lifetime(live, record.begin));
    }

    /// An allocation ends at this moment.
    fn end_lifetime(&mut self, live: &LiveAllocation, at: u64) {
        let size = live.record.size;
        let function = self.function(&live.record);
        function.memory.subtract(size);
        function.lifetimes.add(at.saturating_sub(live.record.end));
        if live.record.by_runtime {
            return;
        }
        if let Some(usage) = self.device(live) {
            usage.subtract(size);
        }
        if let Some(kind) = live.kind {
            self.memory[kind as usize].subtract(size);
            self.update_timeline(self.since_start(at));
        }
    }

    /// A process ends at this moment, and its memory with it.
    fn end_process(&mut self, process: usize, at: u64) {
        let all: Vec<_> = self.live.extract_if(|key, _| key.0 == process).map(|(_, live)| live).collect();
        all.into_iter().for_each(|live| self.mark_never_freed(live));
        self.update_timeline(self.since_start(at));
    }

    /// An allocation was never freed.
    fn mark_never_freed(&mut self, live: LiveAllocation) {
        let size = live.record.size;
        let function = self.function(&live.record);
        function.memory.count_never_freed(size);
        function.never_freed += 1;
        if live.record.by_runtime {
            return;
        }
        if let Some(usage) = self.device(&live) {
            usage.count_never_freed(size);
        }
        if let Some(kind) = live.kind {
            self.memory[kind as usize].count_never_freed(size);
            let order = |live: &LiveAllocation| (u64::MAX - live.record.size, live.record.end, live.record.address);
            let place = self.largest.partition_point(|other| order(other) <= order(&live));
            self.largest.insert(place, live);
            self.largest.truncate(LARGEST);
        }
    }

    /// That was all, at this moment. The plot shows what is left.
    fn finish(&mut self, end: u64) {
        self.timeline.extend_to(self.since_start(end));
        std::mem::take(&mut self.live).into_values().for_each(|live| self.mark_never_freed(live));
    }

    fn function(&mut self, record: &Record) -> &mut FunctionUsage {
        self.functions.entry((record.by_runtime, record.hook as usize)).or_default()
    }

    fn device(&mut self, live: &LiveAllocation) -> Option<&mut Usage> {
        let device = live.record.device.filter(|_| live.kind == Some(MemoryKind::Vram))?;
        Some(self.devices.entry(device).or_default())
    }

    fn update_timeline(&mut self, at: u64) {
        self.timeline.record(at, self.memory.map(|usage| usage.now));
    }

    fn since_start(&self, at: u64) -> u64 {
        at.saturating_sub(self.start)
    }
}
