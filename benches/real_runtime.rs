//! hipMalloc and hipFree of 4 KiB in the real ROCm runtime, on an emulated card. The emulator answers faster or slower
//! than a kernel would; that cost is on both sides.
#![forbid(unsafe_code)]

use rmcp_benches::{Worker, compare, criterion, print};
use rmcp_hip_tests::{Build, Release, Stack, Stubs, require};
use std::ffi::OsStr;

const RELEASE: Release = Release::Rocm643;
const CALLS: &str = "hipMalloc+hipFree";

fn worker(stack: &Stack, build: &Build, gpu: &str, rmcp: bool) -> Worker {
    let mut command = stack.command(Stubs::get().bench()).unwrap_or_else(|error| panic!("{error:#}"));
    let gate = rmcp.then(|| build.gate());
    let preload: Vec<_> = gate.into_iter().chain([build.kfd()]).map(|path| path.into_os_string()).collect();
    command.env("LD_PRELOAD", preload.join(OsStr::new(":"))).env("RMCP_KFD_MACHINE", gpu).env("RMCP_CONFIG", "");
    Worker::start(command, CALLS)
}

fn main() {
    let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
    let Some(stack) = require("a ROCm stack", Stack::fetch(RELEASE)) else { return };
    let mut criterion = criterion();
    let mut rows = Vec::new();
    for (gpu, state) in [("gfx1100", "inactive"), ("gfx1010", "forwarded")] {
        let name = ("real runtime", &*format!("{CALLS}, {state}"));
        let pair = || (worker(&stack, &build, gpu, true), worker(&stack, &build, gpu, false));
        let compared = compare(&mut criterion, name, pair);
        rows.extend(compared.map(|compared| (name.1.to_owned(), compared)));
    }
    criterion.final_summary();
    print(&format!("ns of CPU time, ROCm {}", RELEASE.version()), 1.0, &rows);
}
