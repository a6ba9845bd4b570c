//! What a traced program did with memory, as a report.

use super::words::{error_name, grain, shown_choice};
use crate::preparation::Obstacle;
use crate::trace::files::Process;
use crate::trace::replay::{self, Choice, Count, Kind, Live, Replay, Usage};
use rmcp_abi::effect::Action;
use rmcp_abi::{Hook, Policy};
use rmcp_domain::trace::{Outcome, Record};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a program, and those that it started, did with the memory that HIP and HSA know of. Amounts are in bytes, moments
/// in ns since the program was started. Without another word only the program's own calls count, not those that the
/// runtime makes for itself.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Traced {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its exit status; null: a signal ended it.
    pub exit_status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When it was started, in ms since 1970.
    pub started: u64,
    /// How long it ran, in ns.
    pub duration: u64,
    /// The programs that made calls, in the order of their first ones.
    pub processes: Vec<Ran>,
    /// By kind of memory.
    pub memory: Vec<Memory>,
    /// The VRAM of each HIP device.
    pub devices: Vec<Device>,
    /// By function.
    pub calls: Vec<Calls>,
    /// The calls that HIP's runtime made of HSA, for the program's calls and for itself.
    pub runtime_calls: Vec<Calls>,
    /// What was asked for and what was given, wherever a call has a choice. Of the runtime's calls those that RMCP changed.
    pub choices: Vec<Chosen>,
    /// The memory over time.
    pub timeline: Timeline,
    /// The largest allocations that were never freed, at most 20.
    pub never_freed: Vec<Allocation>,
    /// Calls that had not returned when their process ended, or the report was made.
    pub running: Vec<Allocation>,
    /// Calls that could not be recorded: there was no room for them on the disk.
    pub lost_calls: u64,
    /// Frees of memory whose allocation was not recorded.
    pub unknown_frees: u64,
    /// Allocations at the address of an older one, which was therefore freed without a recorded call.
    pub unseen_frees: u64,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// A program that made calls.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ran {
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// The executable.
    pub executable: String,
    /// How it was called; long command lines are cut.
    pub arguments: Vec<String>,
    /// The gfx targets that it sees.
    pub gpus: String,
    /// Why RMCP was inactive in it; null: it was active.
    pub inactive: Option<String>,
    /// Its recorded calls, with those of the runtime.
    pub calls: u64,
    /// When it made its first call.
    pub began: u64,
    /// When it ended or became another program; null: it was still running when the report was made.
    pub ended: Option<u64>,
}

/// One kind of memory.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Memory {
    /// `vram`, `pinned`, `managed`, or `registered`.
    pub kind: &'static str,
    /// The most that there was at one time, in all processes together.
    pub peak: u64,
    /// When that was reached first.
    pub peak_at: u64,
    /// All that was allocated.
    pub allocated: u64,
    /// What was not freed when its process ended, or the report was made.
    pub never_freed: u64,
}

/// The VRAM of one device.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Device {
    /// HIP's number of it, as the process knows it.
    pub device: u8,
    /// The most that there was at one time.
    pub peak: u64,
    /// All that was allocated.
    pub allocated: u64,
}

/// The calls of one function.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Calls {
    /// The function.
    pub function: &'static str,
    /// `allocates`, `frees`, `frees-all`, or `advises`.
    pub does: &'static str,
    /// How often it was called.
    pub calls: u64,
    /// How often it failed.
    pub failures: u64,
    /// The same by error.
    pub errors: Vec<Failed>,
    /// What it allocated or freed.
    pub bytes: u64,
    /// The most of it that there was at one time.
    pub peak: u64,
    /// Its allocations that were never freed.
    pub never_freed: u64,
    /// Their bytes.
    pub never_freed_bytes: u64,
    /// How long its allocations lived that were freed, in ns; null: none was.
    pub lifetime: Option<Lifetime>,
}

/// An error that calls returned.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failed {
    /// The number.
    pub code: i32,
    /// Its name; null: unknown here.
    pub name: Option<&'static str>,
    /// How often.
    pub times: u64,
}

/// How long allocations lived, in ns.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Lifetime {
    /// The shortest.
    pub least: u64,
    /// The middle, right to one part in a hundred.
    pub median: u64,
    /// The longest.
    pub greatest: u64,
}

/// What was asked for and what was given.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Chosen {
    /// The function.
    pub function: &'static str,
    /// Whether the runtime made the call.
    pub by_runtime: bool,
    /// `as-asked`, `rewritten`, `advised-coarse`, `refused`, or `kept`: as asked, because the caller has rules of its own.
    pub outcome: &'static str,
    /// What was asked for, in words.
    pub asked: String,
    /// What the real function got, in words.
    pub given: String,
    /// The flags that were asked for; null where a pool was.
    pub asked_flags: Option<u64>,
    /// The flags that the real function got.
    pub given_flags: Option<u64>,
    /// Whether memory so asked for is coherent; null where that does not follow from it.
    pub asked_coherent: Option<bool>,
    /// Whether the memory that was given is.
    pub given_coherent: Option<bool>,
    /// How often.
    pub calls: u64,
    /// Of these, failures.
    pub failures: u64,
    /// The bytes of those that succeeded.
    pub bytes: u64,
}

/// The memory over time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Timeline {
    /// The length of a step, in ns.
    pub step: u64,
    /// The most VRAM that there was during each step.
    pub vram: Vec<u64>,
    /// The most pinned host memory.
    pub pinned: Vec<u64>,
    /// The most managed memory.
    pub managed: Vec<u64>,
    /// The most registered memory.
    pub registered: Vec<u64>,
}

/// One call and what it is about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Allocation {
    /// The function.
    pub function: &'static str,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub thread: u32,
    /// The address or handle, in hexadecimal digits.
    pub address: String,
    /// Its size.
    pub bytes: u64,
    /// HIP's number of the device; null: unknown.
    pub device: Option<u8>,
    /// When it was allocated, or the call began.
    pub at: u64,
}

/// How the program ran.
pub struct Ending {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its exit status.
    pub exit_status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When it was started and when it ended, in ns of CLOCK_MONOTONIC.
    pub clock: (u64, u64),
    /// When it was started, in ns since 1970.
    pub started: u64,
    /// Which processes ended, and when.
    pub ends: Vec<(u64, usize)>,
    /// What keeps RMCP out of the program.
    pub obstacle: Option<Obstacle>,
    /// Why RMCP does nothing in it, whatever the GPU.
    pub inactive: Option<String>,
}

/// The kinds' names in JSON.
pub const KINDS: [&str; 4] = ["vram", "pinned", "managed", "registered"];

impl Traced {
    /// From what was replayed.
    pub fn new(ending: Ending, processes: &[Process], replay: Replay) -> Traced {
        let (start, end) = ending.clock;
        let since = |at: u64| at.saturating_sub(start);
        let mut notes = notes(&ending, processes, &replay);
        let ended = |nth: usize| ending.ends.iter().find(|(_, process)| *process == nth).map(|(at, _)| since(*at));
        let ran = |(nth, process): (usize, &Process)| Ran {
            pid: process.pid,
            parent: process.parent,
            executable: process.executable.display().to_string(),
            arguments: process.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            gpus: process.gpus.clone(),
            inactive: process.inactive.clone(),
            calls: replay.calls.get(nth).copied().unwrap_or(0),
            began: since(process.began),
            ended: ended(nth),
        };
        let processes_ran: Vec<_> = processes.iter().enumerate().map(ran).collect();
        let running = processes_ran.iter().filter(|ran| ran.ended.is_none()).count();
        if running > 0 {
            notes.push(format!(
                "{running} of the processes ran on; their memory is told as it was when the program ended."
            ));
        }
        let allocation = |live: &Live| Allocation::new(live, processes, start);
        let lines = |kind: Kind| replay.timeline.steps.iter().map(|step| step[kind as usize]).collect();
        Traced {
            command: ending.command,
            exit_status: ending.exit_status,
            signal: ending.signal,
            started: ending.started / 1_000_000,
            duration: end - start,
            processes: processes_ran,
            memory: Kind::ALL.map(|kind| Memory::new(kind, &replay.memory[kind as usize])).into(),
            devices: replay.devices.iter().map(|(device, usage)| Device::new(*device, usage)).collect(),
            calls: calls(&replay, false),
            runtime_calls: calls(&replay, true),
            choices: choices(&replay),
            timeline: Timeline {
                step: replay.timeline.width,
                vram: lines(Kind::Vram),
                pinned: lines(Kind::Pinned),
                managed: lines(Kind::Managed),
                registered: lines(Kind::Registered),
            },
            never_freed: replay.largest.iter().map(allocation).collect(),
            running: replay.running.iter().map(allocation).collect(),
            lost_calls: processes.iter().map(|process| process.lost).sum(),
            unknown_frees: replay.unknown_frees,
            unseen_frees: replay.unseen_frees,
            notes,
        }
    }

    /// Whether the program itself made any call.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}

/// What is not in numbers.
fn notes(ending: &Ending, processes: &[Process], replay: &Replay) -> Vec<String> {
    let mut notes = Vec::new();
    let recorded = replay.functions.keys().any(|(by_runtime, _)| !by_runtime);
    match (recorded, &ending.inactive, ending.obstacle) {
        (true, ..) => {}
        (false, Some(why), _) => notes.push(format!("Nothing was recorded: RMCP is inactive, {why}.")),
        (false, None, Some(obstacle)) => notes.push(format!(
            "Nothing was recorded: {} {}.",
            ending.command.first().map_or("the program", String::as_str),
            super::words::what_to_do(obstacle)
        )),
        (false, None, None) => notes.push(super::words::NOTHING.into()),
    }
    notes.extend(changed_memory(replay));
    let lost: u64 = processes.iter().map(|process| process.lost).sum();
    if lost > 0 {
        notes.push(format!(
            "{lost} calls are missing: their records could not be written. Amounts are too small or too large by these. \
             Give the folder of TMPDIR more room, or the process a larger `ulimit -f`."
        ));
    }
    if !replay.running.is_empty() {
        notes.push(format!("{} calls had not returned.", replay.running.len()));
    }
    if replay.unknown_frees > 0 {
        notes.push(format!(
            "{} frees were of memory whose allocation was not seen: it came by a way past RMCP (docs/reference/coverage.md).",
            replay.unknown_frees
        ));
    }
    if replay.unseen_frees > 0 {
        notes.push(format!(
            "{} allocations got the address of an older one, which was therefore freed by a way past RMCP.",
            replay.unseen_frees
        ));
    }
    notes
}

/// Which options made memory non-coherent, and what to try where the program does not bear that.
fn changed_memory(replay: &Replay) -> Option<String> {
    let option = |choice: &Choice| match (choice.outcome, choice.hook.policy()) {
        (Outcome::AdvisedCoarse, _) => Some("managed"),
        (Outcome::Rewritten, Policy::host | Policy::host_alloc | Policy::mem_alloc_host) => Some("host"),
        (Outcome::Rewritten, Policy::lock_to_pool) => Some("register"),
        (Outcome::Rewritten, Policy::pool_allocate) => Some("hsa_pool"),
        _ => None,
    };
    let mut options: BTreeMap<&str, u64> = BTreeMap::new();
    for (choice, count) in &replay.choices {
        if let Some(option) = option(choice) {
            *options.entry(option).or_default() += count.calls - count.failures;
        }
    }
    options.retain(|_, calls| *calls > 0);
    let list = |each: fn((&&str, &u64)) -> String| options.iter().map(each).collect::<Vec<_>>().join(" ");
    (!options.is_empty()).then(|| {
        format!(
            "RMCP made memory non-coherent: {}allocations. If the program hangs, freezes with the GPU at 100 %, or reads old \
             data, try {} (docs/understand/coherence.md).",
            list(|(option, calls)| format!("{option} in {calls}")) + " ",
            list(|(option, _)| format!("--set {option}=keep")),
        )
    })
}

fn calls(replay: &Replay, by_runtime: bool) -> Vec<Calls> {
    let mine = replay.functions.iter().filter(|((runtime, _), _)| *runtime == by_runtime);
    mine.map(|((_, hook), function)| Calls::new(Hook::ALL[*hook], function)).collect()
}

fn choices(replay: &Replay) -> Vec<Chosen> {
    let mut choices: Vec<_> = replay.choices.iter().collect();
    // In the order of the table, what was asked most first.
    choices.sort_by_key(|(choice, count)| {
        (choice.by_runtime, choice.hook as usize, u64::MAX - count.calls, choice.asked, choice.given)
    });
    choices.into_iter().map(|(choice, count)| Chosen::new(choice, count)).collect()
}

impl Memory {
    fn new(kind: Kind, usage: &Usage) -> Self {
        let Usage { peak, peak_at, total, left, .. } = *usage;
        Self { kind: KINDS[kind as usize], peak, peak_at, allocated: total, never_freed: left }
    }
}

impl Device {
    fn new(device: u8, usage: &Usage) -> Self {
        Self { device, peak: usage.peak, allocated: usage.total }
    }
}

impl Calls {
    fn new(hook: Hook, function: &replay::Function) -> Self {
        let lifetime = function.lifetimes.summary();
        let errors = function.failures.iter();
        Self {
            function: hook.info().name,
            does: match hook.effect().map(|effect| effect.action) {
                Some(Action::Allocate) => "allocates",
                Some(Action::Free) => "frees",
                Some(Action::FreeAll) => "frees-all",
                Some(Action::Advise) | None => "advises",
            },
            calls: function.calls,
            failures: function.failures.values().sum(),
            errors: errors.map(|(&code, &times)| Failed { code, name: error_name(hook, code), times }).collect(),
            bytes: function.memory.total,
            peak: function.memory.peak,
            never_freed: function.left,
            never_freed_bytes: function.memory.left,
            lifetime: lifetime.map(|[least, median, greatest]| Lifetime { least, median, greatest }),
        }
    }
}

impl Chosen {
    fn new(choice: &Choice, count: &Count) -> Self {
        let (asked, given) = shown_choice(choice);
        let (asked_coherent, given_coherent) = grain(choice);
        let flags = |flags| choice.asked_pool.is_none().then_some(flags);
        Self {
            function: choice.hook.info().name,
            by_runtime: choice.by_runtime,
            outcome: match choice.outcome {
                Outcome::Unchanged => "as-asked",
                Outcome::Rewritten => "rewritten",
                Outcome::AdvisedCoarse => "advised-coarse",
                Outcome::Refused => "refused",
                Outcome::Kept => "kept",
            },
            asked,
            given,
            asked_flags: flags(choice.asked),
            given_flags: flags(if choice.outcome == Outcome::Kept { choice.asked } else { choice.given }),
            asked_coherent,
            given_coherent,
            calls: count.calls,
            failures: count.failures,
            bytes: count.bytes,
        }
    }
}

impl Allocation {
    fn new(live: &Live, processes: &[Process], start: u64) -> Self {
        let Record { hook, thread, address, size, device, begin, end, .. } = live.record;
        Self {
            function: hook.info().name,
            pid: processes[live.process].pid,
            thread,
            address: format!("{address:#x}"),
            bytes: size,
            device,
            at: (if end == 0 { begin } else { end }).saturating_sub(start),
        }
    }
}
