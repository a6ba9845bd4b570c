//! The C interface of librmcp.so. `include/rmcp.h` is generated from this file: `cargo xtask generate`.

use core::ffi::{c_char, c_int};

/// rmcp_status: librmcp.so is loaded, but its core is not (a setuid program, or the file is missing).
pub const RMCP_UNAVAILABLE: c_int = 0;
/// rmcp_status: every call goes straight to the runtime; `reason` says why.
pub const RMCP_INACTIVE: c_int = 1;
/// rmcp_status: the calls are hooked that the options in force could change.
pub const RMCP_ACTIVE: c_int = 2;

/// What RMCP does in this process.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rmcp_status_t {
    /// RMCP_INACTIVE or RMCP_ACTIVE.
    pub state: c_int,
    /// How many GPUs HIP sees.
    pub gpus: u32,
    /// Their real gfx targets by HIP ordinal, such as "gfx1010, gfx1036". Lives as long as the process.
    pub targets: *const c_char,
    /// Why RMCP is inactive; NULL while it is active. Lives as long as the process.
    pub reason: *const c_char,
}

/// How often the hook of a function ran in this process, and what became of the calls.
///
/// A call runs through its hook where the options in force, those of a section `[library]` counted in, could change it on some
/// visible GPU. Any other goes straight to the runtime and is not counted, unless it is watched: with `log = "trace"` every
/// call of a hooked function is, with the option `trace` every one that gives, takes or changes memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct rmcp_counter_t {
    /// The function. Lives as long as the process.
    pub name: *const c_char,
    /// Calls of the program that ran through the hook and went to the runtime as they were.
    pub forwarded: u64,
    /// Calls of the program that were changed.
    pub rewritten: u64,
    /// Calls of the runtime itself that ran through the hook, which never changes them.
    pub runtime: u64,
}

unsafe extern "C" {
    /// The version of RMCP, such as "0.1.0"; NULL when its core cannot be loaded.
    pub fn rmcp_version() -> *const c_char;

    /// Returns RMCP_UNAVAILABLE, RMCP_INACTIVE or RMCP_ACTIVE. Unless it is the first, fills `status`, of which `size`
    /// is the size in bytes that the caller was compiled with; `status` may be NULL. The first call detects the GPUs.
    pub fn rmcp_status(status: *mut rmcp_status_t, size: usize) -> c_int;

    /// Returns the number of functions that have a hook, 0 without a core, and fills at most `capacity` of `counters`, which
    /// may be NULL if that is 0.
    pub fn rmcp_counters(counters: *mut rmcp_counter_t, capacity: usize) -> usize;

    /// Takes RMCP out of every later call of this process: what led to a hook, in librmcp.so and in the runtimes' own tables,
    /// leads to the real function again. Returns 1, or 0 when there is no core to tell.
    pub fn rmcp_disable() -> c_int;
}
