//! hipMalloc and hipFree of 4 KiB in the real ROCm runtimes, on an emulated card, after a hipHostMalloc that RMCP rewrites, or
//! one that is the same to the runtime. The emulator answers faster or slower than a kernel would; that cost is on all
//! sides.
//!
//! Such a pair passes four exports of RMCP's: hipMalloc, hipFree, and the functions of ROCr's memory pools that the runtime
//! calls for itself. So a library that has these as bare jumps stands beside it.
#![forbid(unsafe_code)]

use rmcp_benches::{Clients, Program, Runtime, Variant, Worker, compare, criterion, peer, print};
use rmcp_hip_tests::{Build, Release, Stack, require};
use std::path::PathBuf;

/// What stands between the program and the runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Jumps,
    Tool,
    Rmcp,
}
use Between::{Jumps, Nothing, Rmcp, Tool};

const ACTIVE: &str = "gfx1010";
/// A card that every release knows.
const INACTIVE: &str = "gfx90a";

fn variant<'a>(program: &'a Program, gpu: &'a str, between: Between) -> Variant<'a> {
    let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
    let (name, first) = match between {
        Nothing => ("without", None),
        Jumps => ("bare jumps", Some(peer("jumps"))),
        Tool => ("HSA_TOOLS_LIB", None),
        Rmcp => ("RMCP", Some(build.gate())),
    };
    let preload: Vec<_> = first.into_iter().chain([build.kfd()]).map(PathBuf::into_os_string).collect();
    let tool = (between == Tool).then(|| peer("tool"));
    let rewritten = between == Rmcp && gpu == ACTIVE;
    let before = if rewritten { "hipHostMalloc" } else { "hipHostMalloc_noncoherent" };
    Variant::new(name, move || {
        let mut command = program.command();
        command.env("LD_PRELOAD", preload.join(":".as_ref())).env("RMCP_KFD_MACHINE", gpu).env("RMCP_CONFIG", "");
        command.envs(tool.iter().map(|tool| ("HSA_TOOLS_LIB", tool)));
        Worker::start_after(before, command, "hipMalloc_hipFree").assert_rewritten("hipHostMalloc", rewritten)
    })
}

fn main() {
    let mut criterion = criterion();
    let mut rows = Vec::new();
    for release in Release::ALL {
        let Some(stack) = require("a ROCm stack", Stack::fetch(release)) else { return };
        let clients = Clients::of(Runtime::Rocm(&stack));
        for (libraries, gpu, others) in
            [(1, ACTIVE, &[Jumps, Tool][..]), (30, ACTIVE, &[Jumps]), (300, ACTIVE, &[Jumps]), (1, INACTIVE, &[Jumps])]
        {
            let program = clients.linked(libraries);
            let all = [Nothing].iter().chain(others).chain(&[Rmcp]);
            let variants: Vec<_> = all.map(|&between| variant(&program, gpu, between)).collect();
            let title = format!("ROCm {}, {gpu}, {libraries} libraries", release.version());
            let compared = compare(&mut criterion, ("real runtime", &title), &variants);
            rows.extend(compared.into_iter().flat_map(|compared| compared.rows(&title, 1.0, Some(1))));
        }
    }
    criterion.final_summary();
    print("ns of CPU time per hipMalloc and hipFree", &rows);
}
