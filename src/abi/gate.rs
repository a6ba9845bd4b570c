//! What the gate and the core say to each other. They are matched by name and size, never by version: an update
//! may replace one file before the other.

use core::ffi::{CStr, c_char, c_void};

/// The core's file in the gate's folder, from the slash on.
pub const CORE_FILE: &CStr = c"/librmcp_core.so";
/// The core's function that the gate calls; its type is [`CoreBind`].
pub const CORE_BIND: &CStr = c"rmcp_core_bind";
/// The gate's export that other gates look for: [`Gate::next_definition`].
pub const NEXT_DEFINITION: &CStr = c"rmcp_next";

/// Where `rmcp enable --system` installs gates and cores, a folder for each version.
pub const SYSTEM_TREE: &str = "/usr/lib/rmcp/system";

/// Whether a gate of this path is one of those, which processes load through /etc/ld.so.preload. How a process came to
/// its gate is nowhere else to be seen: it may change its LD_PRELOAD, and the list may change under it.
pub fn is_system_wide(path: &[u8]) -> bool {
    path.strip_prefix(SYSTEM_TREE.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

/// What the gate lends the core. It lies in the gate, and so tells where that is.
#[repr(C)]
pub struct Gate {
    /// Size of this struct in the gate, in bytes.
    pub size: usize,
    /// `dlsym(RTLD_NEXT, symbol)` as seen from the gate's place in the global scope, past any other gate.
    pub next_definition: unsafe extern "C" fn(symbol: *const c_char) -> *mut c_void,
    /// Has every function asked for anew at its next call.
    pub release: extern "C" fn(),
}

/// A call that has come to the gate: what its return address and registers tell of who makes it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct CallFrame {
    /// `rax`, `rbx`, `rbp` and `r12` to `r15` as they were, if [`CallFrame::has_registers`].
    registers: [usize; 7],
    has_registers: usize,
    /// The address that the call returns to.
    pub return_address: usize,
}

impl CallFrame {
    /// Of a call of which no more is known.
    pub fn new(return_address: usize) -> Self {
        Self { return_address, ..Self::default() }
    }

    /// The register that instructions number so, where it is as it was at the call.
    pub fn register(&self, number: u8) -> Option<usize> {
        let place = match number {
            0 => 0,
            3 => 1,
            5 => 2,
            12..=15 => usize::from(number) - 9,
            _ => return None,
        };
        self.registers.get(place).copied().filter(|_| self.has_registers != 0)
    }
}

/// Which calls of a function an answer holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum BindingScope {
    /// This one.
    Call,
    /// All that return to the same address.
    Site,
    /// All.
    AllCallers,
}

/// Asks for the function that a call of `symbol` shall go to. Writes which other calls the answer holds for, until
/// [`Gate::release`]. Null: the core cannot tell.
pub type CoreBind = unsafe extern "C" fn(
    gate: *const Gate,
    symbol: *const c_char,
    frame: *const CallFrame,
    scope: *mut BindingScope,
) -> *mut c_void;
