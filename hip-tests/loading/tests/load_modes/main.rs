//! What RMCP promises however a program reaches its runtime, on stub drivers: which copy a call reaches, and with which
//! flags. Stubs show nothing of a flag's effect; `tests/real` does.
#![forbid(unsafe_code)]

mod arguments;
mod callers;
mod copies;
mod jail;
mod life;
mod links;
mod machine;
mod own;
mod process;
mod ways;

use process::Process;

/// What becomes of hipHostMalloc with flags 0 where RMCP is active.
const NON_COHERENT: &str = "0x80000000";

/// A program linked with the runtime on a machine with one gfx1010.
fn linked() -> Process {
    Process::linked().gpus(&["gfx1010"])
}
