//! The few functions of the real HIP runtime that RMCP itself calls, each optional.

use crate::caller::Caller;
use rmcp_hooks::{HipError, Library};
use std::ffi::{c_int, c_void};

type GetInt = unsafe extern "C" fn(*mut c_int) -> HipError;
type Advise = unsafe extern "C" fn(*const c_void, usize, c_int, c_int) -> HipError;

/// One copy of libamdhip64, as one caller reaches it.
pub struct Runtime {
    get_device: Option<GetInt>,
    version: Option<i32>,
    advise: Option<Advise>,
    last_error: Option<unsafe extern "C" fn() -> HipError>,
}

impl Runtime {
    /// The runtime behind `caller`.
    pub fn of(caller: &Caller) -> Self {
        // SAFETY: the types are those of hip_runtime_api.h; they have not changed from 5.2 to 7.2.
        unsafe {
            Self {
                get_device: caller.function(Library::Hip, c"hipGetDevice"),
                version: caller.function::<GetInt>(Library::Hip, c"hipRuntimeGetVersion").and_then(|get| read(get)),
                advise: caller.function(Library::Hip, c"hipMemAdvise"),
                last_error: caller.function(Library::Hip, c"hipGetLastError"),
            }
        }
    }

    /// The calling thread's current device.
    pub fn device(&self) -> Option<i32> {
        // SAFETY: hipGetDevice writes one int.
        self.get_device.and_then(|get| unsafe { read(get) })
    }

    /// Whether it answers hipDeviceMallocFinegrained with hipErrorOutOfMemory: HIP up to 6.2 does. The number is
    /// HIP_VERSION: 10,000,000 * major + 100,000 * minor + patch.
    pub fn refuses_finegrained(&self) -> bool {
        self.version.is_some_and(|version| version < 60_300_000)
    }

    /// Asks for `advice` on a managed range for `device`. A refusal leaves no trace in hipGetLastError.
    pub fn advise(&self, range: *const c_void, size: usize, advice: i32, device: i32) -> Result<(), HipError> {
        let Some(advise) = self.advise else { return Err(Library::Hip.missing()) };
        // SAFETY: the range is what hipMallocManaged has just returned.
        match unsafe { advise(range, size, advice, device) } {
            0 => Ok(()),
            refusal => {
                if let Some(last_error) = self.last_error {
                    // SAFETY: takes nothing; clears the calling thread's error.
                    unsafe { last_error() };
                }
                Err(refusal)
            }
        }
    }
}

/// # Safety
/// `get` writes one int to its argument when it returns 0.
unsafe fn read(get: GetInt) -> Option<i32> {
    let mut value = 0;
    // SAFETY: the caller's promise.
    (unsafe { get(&mut value) } == 0).then_some(value)
}
