//! Starting and waiting for /bin/true, with RMCP preloaded, with an empty C library, with an auditing one, and with none.
#![forbid(unsafe_code)]

use rmcp_benches::{Start, Variant, compare, criterion, peer, print};
use rmcp_hip_tests::{Build, Stubs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn start(library: Option<(&str, &Path)>) -> Start {
    let mut command = Command::new("/bin/true");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(library);
    Start(command)
}

fn main() {
    let gate: PathBuf = Build::find().unwrap_or_else(|error| panic!("{error:#}")).gate();
    let audit = peer("audit");
    let empty = Stubs::get().empty();
    let mut criterion = criterion();
    let variants = [
        Variant::new("nothing", || start(None)),
        Variant::new("an empty library", || start(Some(("LD_PRELOAD", &empty)))),
        Variant::new("LD_AUDIT", || start(Some(("LD_AUDIT", &audit)))),
        Variant::new("RMCP", || start(Some(("LD_PRELOAD", &gate)))),
    ];
    let compared = compare(&mut criterion, ("process start", "RMCP"), &variants);
    criterion.final_summary();
    print("us per process", &compared.map_or_else(Vec::new, |compared| compared.rows("/bin/true", 1000.0, Some(1))));
}
