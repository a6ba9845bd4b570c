//! Work of RMCP's own within a call, of which the program's thread must notice nothing.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work: errno stays what it was, a panic ends here (None), and the thread is not cancelled within. Opening and
/// writing files are points at which pthread_cancel acts, and it would unwind through Rust.
pub fn isolated<T>(work: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: the C library's errno of this thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    let before = set_cancel_state(PTHREAD_CANCEL_DISABLE);
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    set_cancel_state(before);
    // SAFETY: as above.
    unsafe { *errno = saved };
    done
}

/// glibc's, which the libc crate lacks.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

/// Sets whether this thread can be cancelled, and returns what was set.
fn set_cancel_state(state: c_int) -> c_int {
    let mut before = 0;
    // SAFETY: writes one int; the state is one that the function knows.
    unsafe { pthread_setcancelstate(state, &mut before) };
    before
}
