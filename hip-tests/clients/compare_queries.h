// The part of compare.cpp that asks: devices, functions, and ROCr itself.
#pragma once

#include "compare_memory.h"

#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#if HIP_VERSION >= 60000000
#include <hip/hip_deprecated.h>
#endif

static unsigned hash(const void* data, size_t length) {
    unsigned value = 2166136261u;
    for (size_t i = 0; i < length; i++) value = (value ^ ((const unsigned char*)data)[i]) * 16777619u;
    return value;
}

template <class Properties>
static unsigned hash_but_addresses(Properties* properties) {
    properties->hdpMemFlushCntl = properties->hdpRegFlushCntl = nullptr;
    return hash(properties, sizeof *properties);
}

static void queries() {
    section = "devices";
    int value = 7;
    for (int attribute = -1; attribute < 100; attribute++) {
        value = 7;
        CALL(hipDeviceGetAttribute(&value, (hipDeviceAttribute_t)attribute, 0), number(attribute), number(value));
    }
    for (int attribute = 10000; attribute < 10020; attribute++) {
        // These two are addresses.
        if (attribute == hipDeviceAttributeHdpMemFlushCntl || attribute == hipDeviceAttributeHdpRegFlushCntl) continue;
        value = 7;
        CALL(hipDeviceGetAttribute(&value, (hipDeviceAttribute_t)attribute, 0), number(attribute), number(value));
    }
    CALL(hipDeviceGetAttribute(nullptr, hipDeviceAttributeManagedMemory, 0));
    CALL(hipDeviceGetAttribute(&value, hipDeviceAttributeManagedMemory, 1));
    CALL(hipDeviceGetAttribute(&value, hipDeviceAttributeManagedMemory, -1));
    static hipDeviceProp_t properties;
    CALL(hipGetDeviceProperties(&properties, 0), text(properties.name), text(properties.gcnArchName),
         number(properties.managedMemory), number(properties.concurrentManagedAccess),
         number(properties.totalGlobalMem), number(hash_but_addresses(&properties)));
    CALL(hipGetDeviceProperties(&properties, 1));
    CALL(hipGetDeviceProperties(&properties, -1));
    CALL(hipGetDeviceProperties((hipDeviceProp_t*)nullptr, 0));
#if HIP_VERSION >= 60000000
    static hipDeviceProp_tR0000 older;
    CALL(hipGetDevicePropertiesR0000(&older, 0), number(hash_but_addresses(&older)));
    CALL(hipGetDevicePropertiesR0000(&older, 1));
#endif
    int device = 7, count = 7, version = 7;
    CALL(hipGetDevice(&device), number(device));
    CALL(hipGetDeviceCount(&count), number(count));
    CALL(hipSetDevice(0));
    CALL(hipSetDevice(1));
    CALL(hipSetDevice(-1));
    CALL(hipRuntimeGetVersion(&version), number(version));
    CALL(hipDriverGetVersion(&version), number(version));
    size_t free = 7, total = 7;
    if (HIP_VERSION >= 50700000) {  // 5.2.3 crashes
        CALL(hipMemGetInfo(nullptr, &total), number(total));
        CALL(hipMemGetInfo(&free, nullptr), number(free));
        CALL(hipMemGetInfo(nullptr, nullptr));
    }

#if HIP_VERSION >= 60100000
    section = "functions by name";
    // Whether what a program gets by name is what it is linked to.
#define PROC(symbol, linked)                                                                                 \
    do {                                                                                                     \
        void* found = kUntouched;                                                                            \
        hipDriverProcAddressQueryResult result = (hipDriverProcAddressQueryResult)7;                         \
        CALL(hipGetProcAddress(symbol, &found, HIP_VERSION / 100000, 0, &result), text(symbol), number(result), \
             number(found == (void*)(linked)));                                                              \
    } while (0)
    hipError_t (*malloc_)(void**, size_t) = hipMalloc;
    hipError_t (*host_malloc)(void**, size_t, unsigned) = hipHostMalloc;
    PROC("hipMalloc", malloc_);
    PROC("hipHostMalloc", host_malloc);
    PROC("hipFree", hipFree);
    PROC("hipGetDevice", hipGetDevice);
    PROC("hipGetProcAddress", hipGetProcAddress);
    PROC("hipGetDeviceProperties", nullptr);
    PROC("hipNoSuchFunction", nullptr);
    PROC("", nullptr);
    void* found = kUntouched;
    CALL(hipGetProcAddress("hipMalloc", nullptr, HIP_VERSION / 100000, 0, nullptr));
    CALL(hipGetProcAddress("hipMalloc", &found, HIP_VERSION / 100000, 0, nullptr), number(found == (void*)malloc_));
    CALL(hipGetProcAddress("hipMalloc", &found, 100, 0, nullptr));
#endif
#if HIP_VERSION >= 70100000
    hipDriverEntryPointQueryResult result = (hipDriverEntryPointQueryResult)7;
    CALL(hipGetDriverEntryPoint("hipMalloc", &found, 0, &result), number(found == (void*)malloc_), number(result));
    CALL(hipGetDriverEntryPoint("hipNoSuchFunction", &found, 0, &result), number(result));
    CALL(hipGetDriverEntryPoint("hipMalloc", nullptr, 0, &result));
#endif
}

template <class... Outs>
static void print_hsa_call(const char* call, hsa_status_t status, Outs... outs) {
    const char* string = nullptr;
    hsa_status_string(status, &string);
    calls++;
    printf("%s: %s = %#x \"%s\":", section, call, (unsigned)status, string ? string : "");
    print_outs(outs...);
}

#define HSA(call, ...)                           \
    do {                                         \
        announce(#call);                         \
        hsa_status_t status_ = (call);           \
        print_hsa_call(#call, status_, ##__VA_ARGS__); \
    } while (0)

static hsa_agent_t agents[8];
static int agent_count;

static hsa_status_t visit_pool(hsa_amd_memory_pool_t pool, void*) {
    uint32_t segment = 7, flags = 7;
    hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment);
    if (segment != HSA_AMD_SEGMENT_GLOBAL) return HSA_STATUS_SUCCESS;
    HSA(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, &flags), number(flags));
    for (size_t bytes : {(size_t)0, (size_t)4096, 3 * kMiB, kAbsurd[0]}) {
        p = kUntouched;
        HSA(hsa_amd_memory_pool_allocate(pool, bytes, 0, &p), number(bytes), new_block(p, bytes));
        if (p == kUntouched || !p) continue;
        hsa_amd_pointer_info_t info;
        memset(&info, 0, sizeof info);
        info.size = sizeof info;
        // 5.2.3 answers differently from run to run.
        if (HIP_VERSION >= 50700000)
            HSA(hsa_amd_pointer_info(p, &info, nullptr, nullptr, nullptr), number(info.type), at(info.agentBaseAddress),
                at(info.hostBaseAddress), number(info.sizeInBytes), number(info.global_flags));
        HSA(hsa_amd_memory_pool_free(p));
    }
    HSA(hsa_amd_memory_pool_allocate(pool, 4096, 0, nullptr));
    return HSA_STATUS_SUCCESS;
}

static void hsa() {
    section = "HSA";
    HSA(hsa_init());
    hsa_iterate_agents(
        [](hsa_agent_t agent, void*) {
            agents[agent_count++] = agent;
            return hsa_amd_agent_iterate_memory_pools(agent, visit_pool, nullptr);
        },
        nullptr);
    HSA(hsa_amd_memory_pool_allocate(hsa_amd_memory_pool_t{0}, 4096, 0, &p));
    HSA(hsa_amd_memory_pool_free(nullptr));
    HSA(hsa_memory_allocate(hsa_region_t{0}, 4096, &p));
    HSA(hsa_memory_allocate(hsa_region_t{0}, 4096, nullptr));
    HSA(hsa_memory_free(nullptr));
    void* buffer = aligned_alloc(4096, kMiB);
    memset(buffer, 1, kMiB);
    HSA(hsa_amd_memory_lock(buffer, kMiB, nullptr, 0, &p), number(p != nullptr));
    HSA(hsa_amd_memory_unlock(buffer));
    HSA(hsa_amd_memory_unlock(buffer));
    HSA(hsa_amd_memory_lock(nullptr, kMiB, nullptr, 0, &p));
    HSA(hsa_amd_memory_lock(buffer, 0, nullptr, 0, &p));
    HSA(hsa_amd_memory_lock(buffer, kMiB, nullptr, 0, nullptr));
    HSA(hsa_amd_memory_lock_to_pool(buffer, kMiB, nullptr, 0, hsa_amd_memory_pool_t{0}, 0, &p));
    HSA(hsa_amd_memory_lock_to_pool(nullptr, kMiB, nullptr, 0, hsa_amd_memory_pool_t{0}, 0, &p));
    HSA(hsa_amd_svm_attributes_set(buffer, kMiB, nullptr, 0));
    free(buffer);
#if HIP_VERSION >= 50700000
    hsa_amd_vmem_alloc_handle_t handle = {7};
    HSA(hsa_amd_vmem_handle_create(hsa_amd_memory_pool_t{0}, kMiB, MEMORY_TYPE_NONE, 0, &handle));
#endif
    HSA(hsa_shut_down());
}
