//! What the gate and the core say to each other. They are matched by name and size, never by version: an update
//! may replace one file while a process holds the other.

use core::ffi::{CStr, c_char, c_void};

/// The core's file, found beside the gate: the loader puts the gate's own folder for `$ORIGIN`.
pub const CORE_FILE: &CStr = c"$ORIGIN/librmcp_core.so";
/// The core's function that the gate calls; its type is [`CoreBind`].
pub const CORE_BIND: &CStr = c"rmcp_core_bind";

/// Where `rmcp enable --system` installs gates and cores, a folder for each version.
pub const SYSTEM_TREE: &str = "/usr/lib/rmcp/system";

/// Whether a gate of this path is one of those, which processes load through /etc/ld.so.preload. How a process came to
/// its gate is nowhere else to be seen: it may change its LD_PRELOAD, and the list may change under it.
pub fn is_system_wide(path: &[u8]) -> bool {
    path.strip_prefix(SYSTEM_TREE.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

/// What the gate lends the core.
#[repr(C)]
pub struct Gate {
    /// Size of this struct in the gate, in bytes.
    pub size: usize,
    /// `dlsym(RTLD_NEXT, symbol)` as seen from the gate's place in the global scope.
    pub next: unsafe extern "C" fn(symbol: *const c_char) -> *mut c_void,
    /// Lets every hook's slot lead to the binder again: what it was bound to holds for one copy of the runtime, and now
    /// there are several. Does so once.
    pub release: extern "C" fn(),
}

/// Asks for the function that calls of `symbol` shall go to; `caller` is the address that the present call returns
/// to. Writes whether the answer holds for every later call. Null: the core cannot tell.
pub type CoreBind =
    unsafe extern "C" fn(gate: *const Gate, symbol: *const c_char, caller: usize, keep: *mut bool) -> *mut c_void;
