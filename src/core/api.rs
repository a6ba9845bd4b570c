//! The functions of `include/rmcp.h`; [`crate::header`] documents them.

use crate::counters::{self, Outcome};
use crate::header::{RMCP_ACTIVE, RMCP_INACTIVE, RMCP_UNAVAILABLE, rmcp_counter_t, rmcp_status_t};
use crate::isolation::isolated;
use crate::machine;
use once_cell::race::OnceBox;
use rmcp_abi::Hook;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null;

/// The function of that name.
pub fn function(name: &CStr) -> Option<*mut c_void> {
    Some(match name.to_bytes() {
        b"rmcp_version" => version as *mut c_void,
        b"rmcp_status" => status as *mut c_void,
        b"rmcp_counters" => counters as *mut c_void,
        b"rmcp_disable" => disable as *mut c_void,
        _ => return None,
    })
}

extern "C" fn version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no NUL inside"),
    };
    VERSION.as_ptr()
}

unsafe extern "C" fn status(out: *mut rmcp_status_t, size: usize) -> c_int {
    let Some(status) = isolated(describe) else { return RMCP_UNAVAILABLE };
    if !out.is_null() {
        let size = size.min(size_of::<rmcp_status_t>());
        // SAFETY: the program promises room for `size` bytes; the struct is plain data.
        unsafe { (&raw const status).cast::<u8>().copy_to_nonoverlapping(out.cast(), size) };
    }
    status.state
}

fn describe() -> rmcp_status_t {
    static TARGETS: OnceBox<CString> = OnceBox::new();
    static REASON: OnceBox<CString> = OnceBox::new();
    const DISABLED: &CStr = c"rmcp_disable was called";

    // What detection writes comes from files and never contains a NUL; were it so, the text is empty.
    let text = |text: &str| Box::new(CString::new(text).unwrap_or_default());
    // A program may ask before its runtime is up, so the runtime is not asked: without a topology there is no answer yet.
    let (gpus, targets, why_not) = match machine::detect(false) {
        Some(machine) => (machine.gpus.len(), machine.targets(), machine.inactive_reason.as_deref()),
        None => (0, String::new(), Some("no HIP call was made yet and there is no KFD topology")),
    };
    let reason = match why_not {
        Some(why) => REASON.get_or_init(|| text(why)).as_ptr(),
        None if machine::disabled() => DISABLED.as_ptr(),
        None => null(),
    };
    rmcp_status_t {
        state: if reason.is_null() { RMCP_ACTIVE } else { RMCP_INACTIVE },
        gpus: u32::try_from(gpus).unwrap_or(u32::MAX),
        targets: TARGETS.get_or_init(|| text(&targets)).as_ptr(),
        reason,
    }
}

unsafe extern "C" fn counters(out: *mut rmcp_counter_t, capacity: usize) -> usize {
    for (index, &hook) in Hook::ALL.iter().enumerate().take(capacity) {
        let row = rmcp_counter_t {
            name: hook.info().symbol.as_ptr(),
            forwarded: counters::read(hook, Outcome::Forwarded),
            rewritten: counters::read(hook, Outcome::Rewritten),
            runtime: counters::read(hook, Outcome::Runtime),
        };
        // SAFETY: the program promises room for `capacity` rows.
        unsafe { out.add(index).write(row) };
    }
    Hook::ALL.len()
}

extern "C" fn disable() -> c_int {
    machine::disable();
    1
}
