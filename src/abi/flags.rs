//! Flag values of the HIP calls that RMCP reads or writes (hip_runtime_api.h; checked against the installed headers
//! by hip-tests).

/// `hipHostMallocPortable`: pinned for every context.
pub const HOST_PORTABLE: u32 = 0x1;
/// `hipHostMallocMapped`: mapped for the device, which AMD's runtime always does.
pub const HOST_MAPPED: u32 = 0x2;
/// `hipHostMallocWriteCombined`.
pub const HOST_WRITE_COMBINED: u32 = 0x4;
/// `hipHostMallocUncached`, ROCm 7.x; older releases ignore it.
pub const HOST_UNCACHED: u32 = 0x1000_0000;
/// `hipHostMallocNumaUser`: the caller's NUMA policy is kept.
pub const HOST_NUMA_USER: u32 = 0x2000_0000;
/// `hipHostMallocCoherent`: fine-grained.
pub const HOST_COHERENT: u32 = 0x4000_0000;
/// `hipHostMallocNonCoherent`: coarse-grained.
pub const HOST_NON_COHERENT: u32 = 0x8000_0000;

/// `hipDeviceMallocDefault`.
pub const DEVICE_DEFAULT: u32 = 0x0;
/// `hipDeviceMallocFinegrained`.
pub const DEVICE_FINEGRAINED: u32 = 0x1;
/// `hipMallocSignalMemory`: a signal, not memory.
pub const DEVICE_SIGNAL: u32 = 0x2;
/// `hipDeviceMallocUncached`, ROCm 5.7 and later.
pub const DEVICE_UNCACHED: u32 = 0x3;
/// `hipDeviceMallocContiguous`, ROCm 6.4 and later.
pub const DEVICE_CONTIGUOUS: u32 = 0x4;

/// `hipMemAttachGlobal`.
pub const ATTACH_GLOBAL: u32 = 0x1;
/// `hipMemAttachHost`.
pub const ATTACH_HOST: u32 = 0x2;

/// `hipEventDisableSystemFence`.
pub const EVENT_DISABLE_SYSTEM_FENCE: u32 = 0x2000_0000;
/// `hipEventReleaseToDevice`.
pub const EVENT_RELEASE_TO_DEVICE: u32 = 0x4000_0000;
/// `hipEventReleaseToSystem`.
pub const EVENT_RELEASE_TO_SYSTEM: u32 = 0x8000_0000;

/// `hipMemAdviseSetCoarseGrain`, an AMD advice.
pub const ADVISE_SET_COARSE_GRAIN: i32 = 100;

/// One answer of the runtime about managed memory: an attribute of hipDeviceGetAttribute, and the same as an `int` field
/// of hipDeviceProp_t, which has two layouts.
///
/// The attributes have the same numbers and the fields the same places in ROCm 5.2.3, 5.7.1, 6.4.3 and 7.2.4; the layout
/// follows from the function that is called.
#[derive(Clone, Copy, Debug)]
pub struct ManagedCapability {
    /// The field's name; the attribute is `hipDeviceAttribute` and the same.
    pub name: &'static str,
    /// The number in hipDeviceAttribute_t.
    pub attribute: i32,
    /// Byte offset in the layout of 792 bytes: hipGetDeviceProperties before ROCm 6, hipGetDevicePropertiesR0000 after.
    pub r0000: usize,
    /// Byte offset in the layout of 1472 bytes: hipGetDevicePropertiesR0600, ROCm 6.0 and later.
    pub r0600: usize,
}

/// All that the runtime says about managed memory.
pub const MANAGED_CAPABILITIES: [ManagedCapability; 5] = [
    managed_capability("managedMemory", 24, 772, 652),
    managed_capability("concurrentManagedAccess", 9, 780, 676),
    managed_capability("directManagedMemAccessFromHost", 13, 776, 708),
    managed_capability("pageableMemoryAccess", 65, 784, 672),
    managed_capability("pageableMemoryAccessUsesHostPageTables", 66, 788, 704),
];

const fn managed_capability(name: &'static str, attribute: i32, r0000: usize, r0600: usize) -> ManagedCapability {
    ManagedCapability { name, attribute, r0000, r0600 }
}
