//! What RMCP promises however a program reaches its runtime, on stub drivers: which copy a call reaches, and with which
//! flags. Stubs show nothing of a flag's effect; `tests/real` does.
#![forbid(unsafe_code)]

mod arguments;
mod callers;
mod chroot;
mod copies;
mod foreign_functions;
mod gate_links;
mod loader_lock;
mod machine;
mod many_libraries;
mod no_memory;
mod own_table;
mod process;
mod requests;
mod small_stack;
mod tail_calls;
mod transparency;
mod unwinding;
mod ways;

use process::Process;
use rmcp_hip_tests::Build;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// What becomes of hipHostMalloc with flags 0 where RMCP is active.
const NON_COHERENT: &str = "0x80000000";

/// A program linked with the runtime on a machine with one gfx1010.
fn linked() -> Process {
    Process::linked().gpus(&["gfx1010"])
}

/// The copy of the runtime that programs find in the loader's folders.
const SYSTEM: &str = "libamdhip64.so.6";

/// What a client prints of hipHostMalloc with flags 0 that reached this copy of the runtime with these flags.
fn host_malloc(copy: &str, flags: &str) -> String {
    format!("hipHostMalloc=0\t0\t{copy}: hipHostMalloc(0x1000, {flags})")
}

/// The gate in a folder of its own, without a core.
fn gate_without_core() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("librmcp.so");
    fs::copy(Build::find().unwrap().gate(), &gate).unwrap();
    (folder, gate)
}
