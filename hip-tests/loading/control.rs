//! What tests ask of a stub, and tell it; `clients/stub.h` documents the functions.

use crate::hooked;
use crate::record::{RECORDING, calls};
use std::arch::naked_asm;
use std::ffi::{CStr, c_char, c_int};
use std::ptr::copy_nonoverlapping;
use std::sync::atomic::Ordering::Relaxed;

#[unsafe(no_mangle)]
unsafe extern "C" fn rmcp_stub_take(out: *mut c_char, size: usize) {
    let mut text = calls().drain(..).collect::<Vec<_>>().join("\n");
    text.truncate(size.saturating_sub(1));
    // SAFETY: the test promises room for `size` bytes, of which there is one more than the text has.
    unsafe {
        copy_nonoverlapping(text.as_ptr().cast(), out, text.len());
        out.add(text.len()).write(0);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmcp_stub_fail(name: *const c_char, status: c_int) {
    // SAFETY: the test passes a NUL-terminated name.
    let name = unsafe { CStr::from_ptr(name) };
    for function in hooked::ALL.iter().filter(|function| function.name.as_bytes() == name.to_bytes()) {
        function.status.store(status, Relaxed);
    }
}

#[unsafe(no_mangle)]
extern "C" fn rmcp_stub_quiet() {
    RECORDING.store(false, Relaxed);
}

/// Calls that the runtime makes itself: through its PLT, so that they can be interposed, and returning into this copy.
macro_rules! runtime_calls {
    ($($name:ident: $call:literal),*) => { $(
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        extern "C" fn $name() {
            naked_asm!("sub rsp, 8", $call, "add rsp, 8", "ret")
        }
    )* };
}
runtime_calls! {
    rmcp_stub_inside_hipHostMalloc: "call hipHostMalloc@PLT",
    rmcp_stub_inside_hsa_init: "call hsa_init@PLT",
    rmcp_stub_inside_hsa_amd_memory_pool_allocate: "call hsa_amd_memory_pool_allocate@PLT"
}
