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
