//! `rmcp-run PROGRAM ARGS...`: the program with RMCP.
#![no_main]

/// A C `main`, because Rust's own start-up changes what the program would inherit; see [`rmcp_cli::commands::run`].
#[unsafe(no_mangle)]
pub extern "C" fn main() -> std::ffi::c_int {
    rmcp_cli::commands::run::main().into()
}
