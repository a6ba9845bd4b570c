//! Starting and waiting for /bin/true, with RMCP preloaded, with an empty C library, and with none.
#![forbid(unsafe_code)]

use rmcp_benches::{Start, compare, criterion, print};
use rmcp_hip_tests::{Build, Stubs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn start(preload: Option<&Path>) -> Start {
    let mut command = Command::new("/bin/true");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(preload) = preload {
        command.env("LD_PRELOAD", preload);
    }
    Start(command)
}

fn main() {
    let gate: PathBuf = Build::find().unwrap_or_else(|error| panic!("{error:#}")).gate();
    let empty = Stubs::get().empty();
    let mut criterion = criterion();
    let mut rows = Vec::new();
    for (name, subject, baseline) in [
        ("RMCP, beside none", &gate, None),
        ("an empty library, beside none", &empty, None),
        ("RMCP, beside an empty library", &gate, Some(&empty)),
    ] {
        let pair = || (start(Some(subject)), start(baseline.map(PathBuf::as_path)));
        let compared = compare(&mut criterion, ("process start", name), pair);
        rows.extend(compared.map(|compared| (name.to_owned(), compared)));
    }
    criterion.final_summary();
    print("us per process", 1000.0, &rows);
}
