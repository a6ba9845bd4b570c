//! The GPUs as the HIP runtime describes them, for machines without a KFD topology (WSL2).
//!
//! Only the runtime that the process already holds is asked. What it says is changed by HSA_OVERRIDE_GFX_VERSION, so
//! this is the second choice.

use libloading::os::unix::{Library, RTLD_LAZY, Symbol};
use rmcp_abi::HipError;
use rmcp_abi::module;
use rmcp_domain::gfx::GfxTarget;
use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;

type Count = unsafe extern "C" fn(*mut c_int) -> HipError;
type Properties = unsafe extern "C" fn(*mut c_void, c_int) -> HipError;

/// A layout of hipDeviceProp_t: the call that fills it and where gcnArchName stands. (hip_runtime_api.h, both checked
/// against the installed headers by hip-tests)
struct Layout {
    symbol: &'static [u8],
    name_offset: usize,
}

/// The later one first. The plain name fills the older layout in every release.
const LAYOUTS: [Layout; 2] = [
    Layout { symbol: b"hipGetDevicePropertiesR0600", name_offset: 1160 },
    Layout { symbol: b"hipGetDeviceProperties", name_offset: 396 },
];

/// More than the larger layout's 1472 bytes.
const BUFFER: usize = 4096;
/// The size of gcnArchName.
const NAME_LENGTH: usize = 256;
/// glibc's RTLD_NOLOAD, which libloading does not name.
const RTLD_NOLOAD: c_int = 4;

/// The target of each HIP device; None when no runtime is loaded or it does not answer.
pub fn targets() -> Option<Vec<GfxTarget>> {
    let module = module::first_copy(rmcp_abi::Library::Hip.file_prefix())?;
    // SAFETY: the loader's name of a loaded object.
    let path = OsStr::from_bytes(unsafe { CStr::from_ptr(module.name) }.to_bytes());
    // SAFETY: NOLOAD finds what is loaded and runs no initialiser.
    let runtime = unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_NOLOAD) }.ok()?;
    // SAFETY: the type is hip_runtime_api.h's.
    let count: Symbol<Count> = unsafe { runtime.get(b"hipGetDeviceCount") }.ok()?;
    let mut devices = 0;
    // SAFETY: writes one int.
    if unsafe { count(&mut devices) } != 0 {
        return None;
    }
    (0..devices).map(|device| target(&runtime, device)).collect()
}

fn target(runtime: &Library, device: c_int) -> Option<GfxTarget> {
    LAYOUTS.iter().find_map(|layout| {
        // SAFETY: the type is hip_runtime_api.h's, for both layouts.
        let properties: Symbol<Properties> = unsafe { runtime.get(layout.symbol) }.ok()?;
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
