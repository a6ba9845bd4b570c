//! The first call of HIP in a process: microseconds of CPU time, each time of a new process.
#![forbid(unsafe_code)]

use rmcp_benches::{Clients, FirstCall, Runtime, Variant, compare, criterion, print};
use rmcp_hip_tests::{Build, Release, Stack, Stubs, require};
use std::ffi::OsString;
use std::process::Command;

const FUNCTIONS: [&str; 2] = ["hipMalloc", "hipGetDeviceCount"];
const GPU: &str = "gfx1010";

fn preload(mut command: Command, libraries: &[OsString]) -> Command {
    command.env("LD_PRELOAD", libraries.join(":".as_ref())).env("RMCP_CONFIG", "");
    command
}

fn main() {
    let build = Build::find().unwrap_or_else(|error| panic!("{error:#}"));
    let (gate, kfd) = (build.gate().into_os_string(), build.kfd().into_os_string());
    let mut criterion = criterion();
    let mut rows = Vec::new();
    let mut measure = |title: &str, function, without: &dyn Fn() -> Command, with: &dyn Fn() -> Command| {
        let variants = [("without", without), ("RMCP", with)]
            .map(|(name, command)| Variant::new(name, move || FirstCall { command: command(), function }));
        let title = format!("{function}, {title}");
        let compared = compare(&mut criterion, ("first call", &title), &variants);
        rows.extend(compared.into_iter().flat_map(|compared| compared.rows(&title, 1000.0, None)));
    };

    let stub = Clients::of(Runtime::Stub);
    for libraries in [1, 30, 300] {
        let program = stub.linked(libraries);
        let with = || {
            let mut command = preload(program.command(), std::slice::from_ref(&gate));
            command.env("RMCP_TOPOLOGY", Stubs::get().topology(&[GPU]));
            command
        };
        measure(&format!("stub, {libraries} libraries"), "hipMalloc", &|| program.command(), &with);
    }
    if let Some(stack) = require("a ROCm stack", Stack::fetch(Release::Rocm643)) {
        let program = Clients::of(Runtime::Rocm(&stack)).linked(1);
        let on_card = |libraries: &[OsString]| {
            let mut command = preload(program.command(), libraries);
            command.env("RMCP_KFD_MACHINE", GPU);
            command
        };
        for function in FUNCTIONS {
            let with = || on_card(&[gate.clone(), kfd.clone()]);
            measure("ROCm 6.4.3", function, &|| on_card(std::slice::from_ref(&kfd)), &with);
        }
    }
    criterion.final_summary();
    print("us of CPU time", &rows);
}
