//! The GPUs as the HIP runtime describes them, for machines without a KFD topology (WSL2).
//!
//! Only the runtime that the process already holds is asked. What it says is changed by HSA_OVERRIDE_GFX_VERSION, so
//! this is the second choice.

use crate::copies;
use crate::symbols::Symbols;
use rmcp_abi::{HipError, Library};
use rmcp_domain::gfx::GfxTarget;
use std::ffi::{CStr, c_int, c_void};

type Count = unsafe extern "C" fn(*mut c_int) -> HipError;
type Properties = unsafe extern "C" fn(*mut c_void, c_int) -> HipError;

/// A layout of hipDeviceProp_t: the call that fills it and where gcnArchName stands. (hip_runtime_api.h, both checked
/// against the installed headers by hip-tests)
struct Layout {
    symbol: &'static CStr,
    name_offset: usize,
}

/// The later one first. The plain name fills the older layout in every release.
const LAYOUTS: [Layout; 2] = [
    Layout { symbol: c"hipGetDevicePropertiesR0600", name_offset: 1160 },
    Layout { symbol: c"hipGetDeviceProperties", name_offset: 396 },
];

/// More than the larger layout's 1472 bytes.
const BUFFER: usize = 4096;
/// The size of gcnArchName.
const NAME_LENGTH: usize = 256;

/// The target of each HIP device; None when no runtime is loaded or it does not answer.
pub fn targets() -> Option<Vec<GfxTarget>> {
    let symbols = copies::all(Library::Hip).next()?.symbols();
    // SAFETY: the type is hip_runtime_api.h's.
    let count = unsafe { symbols.function::<Count>(c"hipGetDeviceCount") }?;
    let mut devices = 0;
    // SAFETY: writes one int.
    if unsafe { count(&mut devices) } != 0 {
        return None;
    }
    (0..devices).map(|device| target(&symbols, device)).collect()
}

fn target<L: Fn(&CStr) -> *mut c_void>(symbols: &Symbols<L>, device: c_int) -> Option<GfxTarget> {
    LAYOUTS.iter().find_map(|layout| {
        // SAFETY: the type is hip_runtime_api.h's, for both layouts.
        let properties = unsafe { symbols.function::<Properties>(layout.symbol) }?;
        let mut buffer = [0u64; BUFFER / 8];
        // SAFETY: the buffer is aligned for and larger than either layout.
        if unsafe { properties(buffer.as_mut_ptr().cast(), device) } != 0 {
            return None;
        }
        let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let name = CStr::from_bytes_until_nul(&bytes[layout.name_offset..layout.name_offset + NAME_LENGTH]).ok()?;
        name.to_str().ok()?.parse().ok()
    })
}
