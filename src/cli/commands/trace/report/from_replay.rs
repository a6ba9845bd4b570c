//! From what was replayed to the report.

use super::{
    Allocation, ChoiceRow, Device, Ending, ErrorRow, FunctionRow, KINDS, Lifetime, Memory, Timeline, TraceReport,
    TracedProcess,
};
use crate::commands::trace::wording::{
    INCOMPLETE, NO_CALLS, choice_coherence, choice_text, error_name, obstacle_advice,
};
use crate::trace::files::Process;
use crate::trace::replay::{self, CallCount, Choice, LiveAllocation, MemoryKind, Replay, Usage};
use rmcp_abi::effect::Action;
use rmcp_abi::{Hook, Policy};
use rmcp_domain::trace::{Outcome, Record};
use std::collections::BTreeMap;

impl TraceReport {
    /// From what was replayed.
    pub fn new(ending: Ending, processes: &[Process], replay: Replay) -> TraceReport {
        let (start, end) = ending.clock;
        let since = |at: u64| at.saturating_sub(start);
        let lost_calls = processes.iter().map(|process| process.lost).sum();
        let mut notes = notes(&ending, processes, &replay, lost_calls);
        let past = processes.iter().any(|process| process.incomplete);
        let ended = |nth: usize| ending.ends.iter().find(|(_, process)| *process == nth).map(|(at, _)| since(*at));
        let ran = |(nth, process): (usize, &Process)| TracedProcess {
            pid: process.pid,
            parent: process.parent,
            executable: process.executable.display().to_string(),
            arguments: process.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            gpus: process.gpus.clone(),
            inactive: process.inactive.clone(),
            incomplete: process.incomplete,
            calls: replay.calls.get(nth).copied().unwrap_or(0),
            began: since(process.first_call),
            ended: ended(nth),
        };
        let processes_ran: Vec<_> = processes.iter().enumerate().map(ran).collect();
        let running = processes_ran.iter().filter(|ran| ran.ended.is_none()).count();
        if running > 0 {
            notes.push(format!(
                "{running} of the processes ran on; their memory is told as it was when the program ended."
            ));
        }
        let allocation = |live: &LiveAllocation| Allocation::new(live, processes, start);
        let lines = |kind: MemoryKind| replay.timeline.steps.iter().map(|step| step[kind as usize]).collect();
        TraceReport {
            command: ending.command,
            exit_status: ending.exit_status,
            signal: ending.signal,
            incomplete: past || lost_calls + replay.unknown_frees + replay.unseen_frees > 0,
            started: ending.started / 1_000_000,
            duration: end - start,
            processes: processes_ran,
            memory: MemoryKind::ALL.map(|kind| Memory::new(kind, &replay.memory[kind as usize])).into(),
            devices: replay.devices.iter().map(|(device, usage)| Device::new(*device, usage)).collect(),
            calls: function_rows(&replay, false),
            runtime_calls: function_rows(&replay, true),
            choices: choice_rows(&replay),
            timeline: Timeline {
                step: replay.timeline.width,
                vram: lines(MemoryKind::Vram),
                pinned: lines(MemoryKind::Pinned),
                managed: lines(MemoryKind::Managed),
                registered: lines(MemoryKind::Registered),
            },
            never_freed: replay.largest.iter().map(allocation).collect(),
            running: replay.running.iter().map(allocation).collect(),
            lost_calls,
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
fn notes(ending: &Ending, processes: &[Process], replay: &Replay, lost: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let recorded = replay.functions.keys().any(|(by_runtime, _)| !by_runtime);
    match (recorded, &ending.inactive, ending.obstacle) {
        (true, ..) => {}
        (false, Some(why), _) => notes.push(format!("Nothing was recorded: RMCP is inactive, {why}.")),
        (false, None, Some(obstacle)) => notes.push(format!(
            "Nothing was recorded: {} {}.",
            ending.command.first().map_or("the program", String::as_str),
            obstacle_advice(obstacle)
        )),
        (false, None, None) => notes.push(NO_CALLS.into()),
    }
    notes.extend(incomplete_note(processes));
    notes.extend(noncoherent_note(replay));
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

/// In which processes calls may have gone past RMCP, and what to do.
fn incomplete_note(processes: &[Process]) -> Option<String> {
    let pids: Vec<_> = processes.iter().filter(|process| process.incomplete).map(|each| each.pid.to_string()).collect();
    (!pids.is_empty()).then(|| format!("Incomplete in process {}: {INCOMPLETE}", pids.join(", ")))
}

/// Which options made memory non-coherent, and what to try where the program does not bear that.
fn noncoherent_note(replay: &Replay) -> Option<String> {
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

fn function_rows(replay: &Replay, by_runtime: bool) -> Vec<FunctionRow> {
    let mine = replay.functions.iter().filter(|((runtime, _), _)| *runtime == by_runtime);
    mine.map(|((_, hook), function)| FunctionRow::new(Hook::ALL[*hook], function)).collect()
}

fn choice_rows(replay: &Replay) -> Vec<ChoiceRow> {
    let mut choices: Vec<_> = replay.choices.iter().collect();
    // In the order of the table, what was asked most first.
    choices.sort_by_key(|(choice, count)| {
        (choice.by_runtime, choice.hook as usize, u64::MAX - count.calls, choice.requested, choice.passed)
    });
    choices.into_iter().map(|(choice, count)| ChoiceRow::new(choice, count)).collect()
}

impl Memory {
    fn new(kind: MemoryKind, usage: &Usage) -> Self {
        let Usage { peak, peak_at, total, never_freed: left, .. } = *usage;
        Self { kind: KINDS[kind as usize], peak, peak_at, allocated: total, never_freed: left }
    }
}

impl Device {
    fn new(device: u8, usage: &Usage) -> Self {
        Self { device, peak: usage.peak, allocated: usage.total }
    }
}

impl FunctionRow {
    fn new(hook: Hook, function: &replay::FunctionUsage) -> Self {
        let lifetime = function.lifetimes.summary();
        let errors = function.failures.iter();
        Self {
            function: hook.info().name,
            effect: match hook.effect().map(|effect| effect.action) {
                Some(Action::Allocate) => "allocates",
                Some(Action::Free) => "frees",
                Some(Action::FreeAll) => "frees-all",
                Some(Action::Advise) | None => "advises",
            },
            calls: function.calls,
            failures: function.failures.values().sum(),
            errors: errors.map(|(&code, &times)| ErrorRow { code, name: error_name(hook, code), times }).collect(),
            bytes: function.memory.total,
            peak: function.memory.peak,
            never_freed: function.never_freed,
            never_freed_bytes: function.memory.never_freed,
            lifetime: lifetime.map(|[least, median, greatest]| Lifetime { least, median, greatest }),
        }
    }
}

impl ChoiceRow {
    fn new(choice: &Choice, count: &CallCount) -> Self {
        let (requested, passed) = choice_text(choice);
        let (requested_coherent, passed_coherent) = choice_coherence(choice);
        let flags = |flags| choice.requested_pool.is_none().then_some(flags);
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
            requested,
            passed,
            requested_flags: flags(choice.requested),
            passed_flags: flags(if choice.outcome == Outcome::Kept { choice.requested } else { choice.passed }),
            requested_coherent,
            passed_coherent,
            calls: count.calls,
            failures: count.failures,
            bytes: count.bytes,
        }
    }
}

impl Allocation {
    fn new(live: &LiveAllocation, processes: &[Process], start: u64) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Report;
    use crate::trace::files::processes;
    use crate::trace::replay::replay;
    use crate::trace::testing::{Folder, call};
    use rmcp_domain::trace::AT_INCOMPLETE;

    fn report(folder: &Folder) -> TraceReport {
        let processes = processes(folder.path()).unwrap();
        let replay = replay(&processes, &[], 0, 100).unwrap();
        let (command, ends) = (vec!["program".into()], vec![(90, 0), (90, 1)]);
        let (exit_status, signal, clock, started) = (Some(0), None, (0, 100), 0);
        let ending = Ending { command, exit_status, signal, clock, started, ends, obstacle: None, inactive: None };
        TraceReport::new(ending, &processes, replay)
    }

    fn text(report: &TraceReport) -> String {
        let mut text = Vec::new();
        report.text(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn where_calls_may_have_gone_past_rmcp_the_report_says_that_it_is_incomplete_why_and_what_to_do() {
        let folder = Folder::new();
        folder.process(7, 1, &[call(Hook::hipMalloc, 10, 11)]);
        let complete = report(&folder);
        assert!(!complete.incomplete && !text(&complete).contains("ncomplete"), "{}", text(&complete));

        folder.process_with(8, 2, &[call(Hook::hipMalloc, 10, 11)], |head| head[AT_INCOMPLETE * 8] = 1);
        let incomplete = report(&folder);
        assert!(incomplete.incomplete);
        let processes = incomplete.processes.iter().map(|process| (process.pid, process.incomplete));
        assert_eq!(processes.collect::<Vec<_>>(), [(7, false), (8, true)]);
        let text = text(&incomplete);
        for part in
            ["exit status 0; incomplete", "active, incomplete", "Incomplete in process 8: ", "dlsym", "dispatch_table"]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_free_without_its_allocation_makes_the_report_incomplete() {
        let folder = Folder::new();
        folder.process(7, 1, &[call(Hook::hipFree, 10, 11)]);
        assert!(report(&folder).incomplete);
    }
}
