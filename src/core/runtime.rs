//! The few functions of the real HIP runtime that RMCP itself calls, each optional.

use crate::symbols::Symbols;
use rmcp_abi::flags::HOST_NON_COHERENT;
use rmcp_abi::{HipError, INVALID_VALUE, Library, OUT_OF_MEMORY, PointerAttributes};
use rmcp_domain::policy::Vram;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

type GetInt = unsafe extern "C-unwind" fn(*mut c_int) -> HipError;
type Advise = unsafe extern "C-unwind" fn(*const c_void, usize, c_int, c_int) -> HipError;

/// One copy of libamdhip64.
pub struct Runtime {
    get_device: Option<GetInt>,
    version: Option<i32>,
    advise: Option<Advise>,
    last_error: Option<unsafe extern "C-unwind" fn() -> HipError>,
    peek_at_last_error: Option<unsafe extern "C-unwind" fn() -> HipError>,
    get_info: Option<unsafe extern "C-unwind" fn(*mut usize, *mut usize) -> HipError>,
    address_range: Option<unsafe extern "C-unwind" fn(*mut *mut c_void, *mut usize, *const c_void) -> HipError>,
    malloc: Option<unsafe extern "C-unwind" fn(*mut *mut c_void, usize) -> HipError>,
    host_get_flags: Option<unsafe extern "C-unwind" fn(*mut u32, *mut c_void) -> HipError>,
    pointer_attributes: Option<unsafe extern "C-unwind" fn(*mut PointerAttributes, *const c_void) -> HipError>,
    range_attribute: Option<unsafe extern "C-unwind" fn(*mut c_void, usize, c_int, *const c_void, usize) -> HipError>,
}

impl Runtime {
    /// The runtime that has these functions.
    pub fn new<L: Fn(&CStr) -> *mut c_void>(symbols: &Symbols<L>) -> Self {
        // SAFETY: the types are those of hip_runtime_api.h; they have not changed from 5.2 to 7.2.
        unsafe {
            Self {
                get_device: symbols.function(c"hipGetDevice"),
                version: symbols.function::<GetInt>(c"hipRuntimeGetVersion").and_then(|get| read(get)),
                advise: symbols.function(c"hipMemAdvise"),
                last_error: symbols.function(c"hipGetLastError"),
                peek_at_last_error: symbols.function(c"hipPeekAtLastError"),
                get_info: symbols.function(c"hipMemGetInfo"),
                address_range: symbols.function(c"hipMemGetAddressRange"),
                malloc: symbols.function(c"hipMalloc"),
                host_get_flags: symbols.function(c"hipHostGetFlags"),
                pointer_attributes: symbols.function(c"hipPointerGetAttributes"),
                range_attribute: symbols.function(c"hipMemRangeGetAttribute"),
            }
        }
    }

    /// The calling thread's current device.
    pub fn device(&self) -> Option<i32> {
        // SAFETY: hipGetDevice writes one int.
        self.get_device.and_then(|get| unsafe { read(get) })
    }

    /// HIP_VERSION: 10,000,000 * major + 100,000 * minor + patch.
    pub fn version(&self) -> Option<i32> {
        self.version
    }

    /// Whether it answers hipDeviceMallocFinegrained with hipErrorOutOfMemory: HIP up to 6.2 does.
    pub fn refuses_finegrained(&self) -> bool {
        self.version.is_some_and(|version| version < 60_300_000)
    }

    /// Whether it answers hipEventDisableSystemFence with hipErrorInvalidValue: HIP 5.2.3 does. The flag came in January
    /// 2023 (ROCm/clr, hip_event.cpp), between 5.4 and 5.6.
    pub fn refuses_disable_system_fence(&self) -> bool {
        self.version.is_some_and(|version| version < 50_500_000)
    }

    /// The calling thread's last error after a call that succeeded. Before HIP 7 that is none; from then on the last that any
    /// call returned and nobody has asked for.
    fn pending_error(&self) -> HipError {
        match self.peek_at_last_error {
            // SAFETY: takes nothing.
            Some(peek) if self.version.is_none_or(|version| version >= 70_000_000) => unsafe { peek() },
            _ => 0,
        }
    }

    /// Makes `pending` the calling thread's last error again after a call of RMCP's own has failed. The program's own can only
    /// be brought back if a call can be made to fail so; otherwise that of the failed call stays, so that there is one.
    fn restore_error(&self, pending: HipError) {
        match (pending, self.last_error) {
            (0, Some(last_error)) => {
                // SAFETY: takes nothing.
                unsafe { last_error() };
            }
            (OUT_OF_MEMORY, _) => {
                self.out_of_memory();
            }
            _ => {}
        }
    }

    /// The status of a call of RMCP's own, of which hipGetLastError tells the program nothing.
    fn unnoticed(&self, call: impl FnOnce() -> HipError) -> HipError {
        let pending = self.pending_error();
        let status = call();
        if status != 0 {
            self.restore_error(pending);
        }
        status
    }

    /// The current device's memory.
    pub fn vram(&self) -> Option<Vram> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: hipMemGetInfo writes two sizes.
        let status = unsafe { self.get_info?(&mut free, &mut total) };
        (status == 0).then_some(Vram { total: total as u64, free: free as u64 })
    }

    /// Where the allocation that holds `ptr` begins.
    pub fn allocation_base(&self, ptr: *const c_void) -> Option<*mut c_void> {
        let (mut base, mut size) = (null_mut(), 0);
        // SAFETY: hipMemGetAddressRange writes an address and a size.
        let status = unsafe { self.address_range?(&mut base, &mut size, ptr) };
        (status == 0).then_some(base)
    }

    /// Whether there is pinned memory at `ptr` that is non-coherent by its flags, as far as they tell.
    pub fn is_noncoherent(&self, ptr: *mut c_void) -> bool {
        let Some(get) = self.host_get_flags else { return false };
        let mut flags = 0;
        // SAFETY: hipHostGetFlags writes one word, and refuses what is no pinned memory.
        let status = self.unnoticed(|| unsafe { get(&mut flags, ptr) });
        if self.shows_noncoherent() || status != 0 {
            return status == 0 && flags & HOST_NON_COHERENT != 0;
        }
        self.attributes(ptr).is_some_and(|attributes| attributes.kind == 0 && attributes.managed == 0)
    }

    fn attributes(&self, ptr: *const c_void) -> Option<PointerAttributes> {
        let (get, mut attributes) = (self.pointer_attributes?, PointerAttributes::default());
        // SAFETY: hipPointerGetAttributes writes this struct, and refuses what is no memory of its own.
        let status = self.unnoticed(|| unsafe { get(&mut attributes, ptr) });
        (status == 0).then_some(attributes)
    }

    /// Whether its answers have the flag NonCoherent: those of HIP 5.2.3 never do, those of 5.7.1 and later do.
    pub fn shows_noncoherent(&self) -> bool {
        self.version.is_none_or(|version| version >= 50_500_000)
    }

    /// Whether there is managed memory at `ptr` that is coarse-grained.
    pub fn is_coarse(&self, ptr: *const c_void) -> bool {
        /// hipMemRangeAttributeCoherencyMode, and hipMemRangeCoherencyModeCoarseGrain among its values.
        const COHERENCY_MODE: c_int = 100;
        const COARSE: u32 = 1;
        if self.attributes(ptr).is_none_or(|attributes| attributes.managed == 0) {
            return false;
        }
        let Some(get) = self.range_attribute else { return true };
        let mut mode = 0_u32;
        let size = size_of_val(&mode);
        // SAFETY: hipMemRangeGetAttribute writes so many bytes, and refuses what is no managed memory.
        let status = self.unnoticed(|| unsafe { get((&raw mut mode).cast(), size, COHERENCY_MODE, ptr, 1) });
        status == 0 && mode == COARSE
    }

    /// hipErrorOutOfMemory, and hipGetLastError says so too: the runtime itself is made to refuse.
    pub fn out_of_memory(&self) -> HipError {
        if let Some(malloc) = self.malloc {
            let mut never = null_mut();
            // SAFETY: hipMalloc writes one address, but no machine has this much.
            unsafe { malloc(&mut never, usize::MAX / 4) };
        }
        OUT_OF_MEMORY
    }

    /// hipErrorInvalidValue, likewise.
    pub fn invalid_value(&self) -> HipError {
        if let Some(malloc) = self.malloc {
            // SAFETY: hipMalloc refuses a null pointer before anything else.
            unsafe { malloc(null_mut(), 1) };
        }
        INVALID_VALUE
    }

    /// Asks for `advice` on a managed range for `device`. A refusal does not show in hipGetLastError.
    pub fn advise(&self, range: *const c_void, size: usize, advice: i32, device: i32) -> Result<(), HipError> {
        let Some(advise) = self.advise else { return Err(Library::Hip.missing_symbol_error()) };
        // SAFETY: the range is what hipMallocManaged has just returned.
        match self.unnoticed(|| unsafe { advise(range, size, advice, device) }) {
            0 => Ok(()),
            refusal => Err(refusal),
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
