//! What a traced program did with memory, as a report.

mod from_replay;

use crate::preparation::Obstacle;
use schemars::JsonSchema;
use serde::Serialize;

/// What a program, and those that it started, did with the memory that HIP and HSA know of. Amounts are in bytes, moments
/// in ns since the program was started. Without another word only the program's own calls count, not those that the
/// runtime makes for itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Traced")]
pub struct TraceReport {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its exit status; null: a signal ended it.
    pub exit_status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether calls are missing, or may be; `notes` say which and why.
    pub incomplete: bool,
    /// When it was started, in ms since 1970.
    pub started: u64,
    /// How long it ran, in ns.
    pub duration: u64,
    /// The programs that made calls, in the order of their first ones.
    pub processes: Vec<TracedProcess>,
    /// By kind of memory.
    pub memory: Vec<Memory>,
    /// The VRAM of each HIP device.
    pub devices: Vec<Device>,
    /// By function.
    pub calls: Vec<FunctionRow>,
    /// The calls that HIP's runtime made of HSA, for the program's calls and for itself.
    pub runtime_calls: Vec<FunctionRow>,
    /// What was asked for and what was given, wherever a call has a choice. Of the runtime's calls those that RMCP changed.
    pub choices: Vec<ChoiceRow>,
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
pub struct TracedProcess {
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
    /// Whether calls may have gone past RMCP in it: of functions that it looked up itself, with dlsym or ctypes, and those of
    /// libraries loaded with RTLD_DEEPBIND.
    pub incomplete: bool,
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
pub struct FunctionRow {
    /// The function.
    pub function: &'static str,
    /// `allocates`, `frees`, `frees-all`, or `advises`.
    #[serde(rename = "does")]
    pub effect: &'static str,
    /// How often it was called.
    pub calls: u64,
    /// How often it failed.
    pub failures: u64,
    /// The same by error.
    pub errors: Vec<ErrorRow>,
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
pub struct ErrorRow {
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
pub struct ChoiceRow {
    /// The function.
    pub function: &'static str,
    /// Whether the runtime made the call.
    pub by_runtime: bool,
    /// `as-asked`, `rewritten`, `advised-coarse`, `refused`, or `kept`: as asked, because the caller has rules of its own.
    pub outcome: &'static str,
    /// What was asked for, in words.
    #[serde(rename = "asked")]
    pub requested: String,
    /// What the real function got, in words.
    #[serde(rename = "given")]
    pub passed: String,
    /// The flags that were asked for; null where a pool was.
    #[serde(rename = "asked_flags")]
    pub requested_flags: Option<u64>,
    /// The flags that the real function got.
    #[serde(rename = "given_flags")]
    pub passed_flags: Option<u64>,
    /// Whether memory so asked for is coherent; null where that does not follow from it.
    #[serde(rename = "asked_coherent")]
    pub requested_coherent: Option<bool>,
    /// Whether the memory that was given is.
    #[serde(rename = "given_coherent")]
    pub passed_coherent: Option<bool>,
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
