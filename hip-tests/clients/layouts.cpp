// Never linked: compiled against each stack's headers, this states the layouts and constants that RMCP relies on.
// The RMCP_ macros are the values in its hook table.
#include <hip/hip_runtime_api.h>
#include <hsa/hsa_ext_amd.h>

#include <stddef.h>

#define SAME(theirs, ours) static_assert((unsigned)(theirs) == (unsigned)(ours), #theirs " differs from " #ours)
#define AT_LEAST(major, minor) (HIP_VERSION_MAJOR > (major) || (HIP_VERSION_MAJOR == (major) && HIP_VERSION_MINOR >= (minor)))

SAME(hipHostMallocPortable, RMCP_HOST_PORTABLE);
SAME(hipHostMallocMapped, RMCP_HOST_MAPPED);
SAME(hipHostMallocWriteCombined, RMCP_HOST_WRITE_COMBINED);
SAME(hipHostMallocNumaUser, RMCP_HOST_NUMA_USER);
SAME(hipHostMallocCoherent, RMCP_HOST_COHERENT);
SAME(hipHostMallocNonCoherent, RMCP_HOST_NON_COHERENT);
SAME(hipDeviceMallocDefault, RMCP_DEVICE_DEFAULT);
SAME(hipDeviceMallocFinegrained, RMCP_DEVICE_FINEGRAINED);
SAME(hipMallocSignalMemory, RMCP_DEVICE_SIGNAL);
SAME(hipMemAttachGlobal, RMCP_ATTACH_GLOBAL);
SAME(hipMemAttachHost, RMCP_ATTACH_HOST);
SAME(hipEventReleaseToDevice, RMCP_EVENT_RELEASE_TO_DEVICE);
SAME(hipEventReleaseToSystem, RMCP_EVENT_RELEASE_TO_SYSTEM);
SAME(hipMemAdviseSetCoarseGrain, RMCP_ADVISE_SET_COARSE_GRAIN);
SAME(hipErrorSharedObjectSymbolNotFound, RMCP_HIP_MISSING);
SAME(HSA_STATUS_ERROR, RMCP_HSA_MISSING);
#if AT_LEAST(5, 7)
SAME(hipDeviceMallocUncached, RMCP_DEVICE_UNCACHED);
#endif
#ifdef hipEventDisableSystemFence
SAME(hipEventDisableSystemFence, RMCP_EVENT_DISABLE_SYSTEM_FENCE);
#endif
#ifdef hipDeviceMallocContiguous
SAME(hipDeviceMallocContiguous, RMCP_DEVICE_CONTIGUOUS);
#endif
#ifdef hipHostMallocUncached
SAME(hipHostMallocUncached, RMCP_HOST_UNCACHED);
#endif

// ROCr's table of functions, as src/core/hsa_table.rs has it.
#define AMD_INTERNAL_BUILD
#include "hsa/hsa_api_trace.h"
static_assert(sizeof(ApiTableVersion) == 16 && offsetof(ApiTableVersion, minor_id) == 4 &&
                  offsetof(HsaApiTable, amd_ext_) == 24 && offsetof(AmdExtTable, hsa_amd_memory_pool_allocate_fn) == 120,
              "ROCr's table");
#if AT_LEAST(5, 7)
static_assert(sizeof(AmdExtTable) >= 560 && offsetof(AmdExtTable, hsa_amd_memory_lock_to_pool_fn) == 352, "AmdExtTable");
#else
static_assert(sizeof(AmdExtTable) == 400, "AmdExtTable of 5.2.3 has hsa_amd_memory_lock_to_pool elsewhere");
#endif

static_assert(sizeof(hsa_amd_memory_pool_t) == 8 && alignof(hsa_amd_memory_pool_t) == 8, "a pool is a 64-bit handle");
static_assert(sizeof(hipError_t) == 4 && sizeof(hsa_status_t) == 4, "errors are 32-bit");

#if AT_LEAST(6, 0)
#include <hip/hip_deprecated.h>
typedef hipDeviceProp_tR0000 R0000;
typedef hipDeviceProp_tR0600 R0600;
static_assert(sizeof(R0600) == 1472 && offsetof(R0600, name) == 0 && offsetof(R0600, gcnArchName) == 1160, "R0600");
#else
typedef hipDeviceProp_t R0000;
#endif
static_assert(sizeof(R0000) == 792 && offsetof(R0000, name) == 0 && offsetof(R0000, gcnArch) == 392 &&
                  offsetof(R0000, gcnArchName) == 396,
              "R0000");

// What the runtime says about managed memory: each an attribute, and an int in each layout.
#define INT_AT(layout, field, offset) \
    static_assert(offsetof(layout, field) == (offset) && sizeof(layout::field) == sizeof(int), #layout "::" #field)
#if AT_LEAST(6, 0)
#define INT_AT_R0600(field) INT_AT(R0600, field, RMCP_R0600_##field)
#else
#define INT_AT_R0600(field)
#endif
#define MANAGED_CAPABILITY(attribute, field)      \
    SAME(attribute, RMCP_ATTRIBUTE_##field);      \
    INT_AT(R0000, field, RMCP_R0000_##field);     \
    INT_AT_R0600(field)

MANAGED_CAPABILITY(hipDeviceAttributeManagedMemory, managedMemory);
MANAGED_CAPABILITY(hipDeviceAttributeConcurrentManagedAccess, concurrentManagedAccess);
MANAGED_CAPABILITY(hipDeviceAttributeDirectManagedMemAccessFromHost, directManagedMemAccessFromHost);
MANAGED_CAPABILITY(hipDeviceAttributePageableMemoryAccess, pageableMemoryAccess);
MANAGED_CAPABILITY(hipDeviceAttributePageableMemoryAccessUsesHostPageTables, pageableMemoryAccessUsesHostPageTables);

// HIP's table of functions, as the code of the release's exports has it: RMCP_IN_TABLE(F) is F(name, offset) for each.
#if AT_LEAST(6, 0)
#include <hip/amd_detail/amd_hip_gl_interop.h>
#include <hip/amd_detail/hip_api_trace.hpp>
#define AT(name, at) static_assert(offsetof(HipDispatchTable, name##_fn) == (at), #name " in HipDispatchTable");
RMCP_IN_TABLE(AT)
static_assert(offsetof(HipDispatchTable, size) == 0, "HipDispatchTable");
// src/core/policies/stream.rs
static_assert(sizeof(hipStreamBatchMemOpParams) == 48 && sizeof(hipBatchMemOpNodeParams) == 32 &&
              offsetof(hipStreamBatchMemOpParams, waitValue.address) == 8 &&
              offsetof(hipStreamBatchMemOpParams, writeValue.address) == 8 &&
              offsetof(hipBatchMemOpNodeParams, count) == 8 && offsetof(hipBatchMemOpNodeParams, paramArray) == 16 &&
              hipStreamMemOpWaitValue32 == 1 && hipStreamMemOpWriteValue32 == 2 && hipStreamMemOpWaitValue64 == 4 &&
              hipStreamMemOpWriteValue64 == 5, "operations on words");
#endif
