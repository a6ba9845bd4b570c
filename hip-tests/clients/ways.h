// What a program asks of the runtime, whichever way it got hold of the functions: each call under a mark of its own, and
// how often RMCP counted it as one line of JSON.
#pragma once

#include "../../include/rmcp.h"
#include "client.h"

#include <dlfcn.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

// More than the runtime keeps in reserve, and a size that it never asks for by itself.
static const size_t kSize = 0xa00000;

// The functions as one way gives them; null: this way does not lead to it.
struct Functions {
    hipError_t (*device_count)(int*);
    hipError_t (*host_malloc)(void**, size_t, unsigned int);
    hipError_t (*host_free)(void*);
    hipError_t (*device_malloc)(void**, size_t);
    hipError_t (*managed_malloc)(void**, size_t, unsigned int);
    hipError_t (*device_free)(void*);
    hsa_status_t (*pool_allocate)(hsa_amd_memory_pool_t, size_t, uint32_t, void**);
    hsa_status_t (*pool_free)(void*);
};

// How many calls of the program RMCP has seen; 0 without RMCP.
static inline unsigned long long call_count(const char* name) {
    auto counters = (decltype(&rmcp_counters))dlsym(RTLD_DEFAULT, "rmcp_counters");
    static rmcp_counter_t rows[256];
    size_t count = counters ? counters(rows, 256) : 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].forwarded + rows[i].rewritten;
    return 0;
}

// `function`: by its C name. `flags`: what the mark adds to it.
template <class Call, class Free>
static void make_call(const char* prefix, const char* function, const char* flags, Call call, Free free_it) {
    char label[128];
    snprintf(label, sizeof label, "%s%s%s", prefix, function, flags);
    unsigned long long before = call_count(function);
    mark(label);
    int code = (int)call();
    mark("");
    printf("{\"label\": \"%s\", \"code\": %d, \"counted\": %llu}\n", label, code, call_count(function) - before);
    if (code == 0) free_it();
}

// The CPU's fine-grained pool that is not for kernel arguments, asked of the ROCr that the process holds.
static inline hsa_amd_memory_pool_t fine_pool() {
    static void* rocr;
    rocr = dlopen("libhsa-runtime64.so.1", RTLD_NOLOAD | RTLD_LAZY);
    if (!rocr) fprintf(stderr, "%s\n", dlerror()), exit(1);
#define ROCR(name) ((decltype(&name))dlsym(rocr, #name))
    static hsa_amd_memory_pool_t found;
    ROCR(hsa_init)();
    auto visit_pool = [](hsa_amd_memory_pool_t pool, void*) {
        uint32_t segment = 1, flags = 0;
        ROCR(hsa_amd_memory_pool_get_info)(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment);
        if (segment != HSA_AMD_SEGMENT_GLOBAL) return HSA_STATUS_SUCCESS;
        ROCR(hsa_amd_memory_pool_get_info)(pool, HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, &flags);
        if (flags == HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_FINE_GRAINED) found = pool;
        return HSA_STATUS_SUCCESS;
    };
    auto visit_agent = [](hsa_agent_t agent, void* visit) {
        hsa_device_type_t type;
        ROCR(hsa_agent_get_info)(agent, HSA_AGENT_INFO_DEVICE, &type);
        if (type != HSA_DEVICE_TYPE_CPU) return HSA_STATUS_SUCCESS;
        return ROCR(hsa_amd_agent_iterate_memory_pools)(
            agent, (hsa_status_t(*)(hsa_amd_memory_pool_t, void*))visit, nullptr);
    };
    hsa_status_t (*visit)(hsa_amd_memory_pool_t, void*) = visit_pool;
    ROCR(hsa_iterate_agents)(visit_agent, (void*)visit);
#undef ROCR
    return found;
}

static inline void make_pinned_call(const char* prefix, const Functions& f) {
    static void* memory;
    make_call(prefix, "hipHostMalloc", "(0)", [&] { return f.host_malloc(&memory, kSize, 0); },
        [&] { (void)f.host_free(memory); });
}

static inline void make_calls(const char* prefix, const Functions& f) {
    static void* memory;
    // The runtime starts inside its first call, and sets itself up for each kind of memory inside the first that asks for it;
    // it allocates for itself there.
    mark("first");
    int count = 0;
    if (f.device_count(&count) != hipSuccess || count == 0) fprintf(stderr, "no device\n"), exit(1);
    if (f.host_malloc(&memory, kSize, 0) == hipSuccess) (void)f.host_free(memory);
    if (f.managed_malloc(&memory, kSize, hipMemAttachGlobal) == hipSuccess) (void)f.device_free(memory);

    auto device_free = [&] { (void)f.device_free(memory); };
    make_pinned_call(prefix, f);
    make_call(prefix, "hipHostMalloc", "(Coherent)",
        [&] { return f.host_malloc(&memory, kSize, hipHostMallocCoherent); }, [&] { (void)f.host_free(memory); });
    make_call(prefix, "hipMallocManaged", "(Global)",
        [&] { return f.managed_malloc(&memory, kSize, hipMemAttachGlobal); }, device_free);
    make_call(prefix, "hipMalloc", "", [&] { return f.device_malloc(&memory, kSize); }, device_free);
    if (!f.pool_allocate) return;
    hsa_amd_memory_pool_t pool = fine_pool();
    make_call(prefix, "hsa_amd_memory_pool_allocate", "(fine)",
        [&] { return f.pool_allocate(pool, kSize, 0, &memory); }, [&] { f.pool_free(memory); });
}
