//! Nanoseconds of CPU time per call on a stub driver that answers at once: without RMCP, and with it inactive, forwarding
//! and rewriting.
#![forbid(unsafe_code)]

use rmcp_benches::{Worker, compare, criterion, print};
use rmcp_hip_tests::{Build, Stubs};
use std::process::Command;

/// A state of RMCP: its name, the GPU, and the environment.
type State = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const INACTIVE: State = ("inactive", "gfx1100", &[]);
// Another option than the call's own keeps RMCP active: `policy = "keep"` would make it inactive.
const FORWARDED: State = ("forwarded", "gfx1010", &[("RMCP_HOST", "keep")]);
const FORWARDED_MANAGED: State = ("forwarded", "gfx1010", &[("RMCP_MANAGED", "keep")]);
const REWRITTEN: State = ("rewritten", "gfx1010", &[("RMCP_HSA_POOL", "coarse")]);

/// What is called, and the states that make a difference to it.
const CALLS: [(&str, &[State]); 4] = [
    ("hipMalloc", &[INACTIVE, FORWARDED]),
    ("hipHostMalloc", &[INACTIVE, FORWARDED, REWRITTEN]),
    ("hipMallocManaged", &[INACTIVE, FORWARDED_MANAGED, REWRITTEN]),
    ("hsa_amd_memory_pool_allocate", &[INACTIVE, FORWARDED, REWRITTEN]),
];

fn baseline_worker(function: &'static str) -> Worker {
    let stubs = Stubs::get();
    let mut command = Command::new(stubs.bench());
    command.env_clear().env("LD_LIBRARY_PATH", stubs.drivers());
    Worker::start(command, function)
}

fn rmcp_worker(function: &'static str, (_, gpu, environment): State) -> Worker {
    let stubs = Stubs::get();
    let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
    let mut command = Command::new(stubs.bench());
    command.env_clear().env("LD_LIBRARY_PATH", stubs.drivers()).env("LD_PRELOAD", build.gate());
    command.env("RMCP_CONFIG", "").env("RMCP_TOPOLOGY", stubs.topology(&[gpu])).envs(environment.iter().copied());
    Worker::start(command, function)
}

fn main() {
    let mut criterion = criterion();
    let mut rows = Vec::new();
    for (function, states) in CALLS {
        for &state in states {
            let name = (function, state.0);
            let compared = compare(&mut criterion, name, || (rmcp_worker(function, state), baseline_worker(function)));
            rows.extend(compared.map(|compared| (format!("{function}, {}", state.0), compared)));
        }
    }
    criterion.final_summary();
    print("ns of CPU time per call", 1.0, &rows);
}
