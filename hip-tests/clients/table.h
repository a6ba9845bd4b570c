// The functions that the programs of tests/table call, as one way to the runtime gives them.
#pragma once

#include "client.h"

#include <dlfcn.h>

static const size_t kSize = 0xa00000;

struct Functions {
    hipError_t (*device_count)(int*);
    hipError_t (*host_malloc)(void**, size_t, unsigned int);
    hipError_t (*host_alloc)(void**, size_t, unsigned int);
    hipError_t (*malloc_host)(void**, size_t);
    hipError_t (*mem_alloc_host)(void**, size_t);
    hipError_t (*managed_malloc)(void**, size_t, unsigned int);
    hipError_t (*device_malloc)(void**, size_t);
    hipError_t (*host_free)(void*);
    hipError_t (*device_free)(void*);
    hipError_t (*get_flags)(unsigned int*, void*);
    hipError_t (*get_attributes)(hipPointerAttribute_t*, const void*);
};

// `lookup(name)`: the address of a function.
template <class Lookup>
static inline Functions looked_up(Lookup lookup) {
    Functions f = {};
    struct {
        const char* name;
        void** place;
    } const all[] = {
        {"hipGetDeviceCount", (void**)&f.device_count},
        {"hipHostMalloc", (void**)&f.host_malloc},
        {"hipHostAlloc", (void**)&f.host_alloc},
        {"hipMallocHost", (void**)&f.malloc_host},
        {"hipMemAllocHost", (void**)&f.mem_alloc_host},
        {"hipMallocManaged", (void**)&f.managed_malloc},
        {"hipMalloc", (void**)&f.device_malloc},
        {"hipHostFree", (void**)&f.host_free},
        {"hipFree", (void**)&f.device_free},
        {"hipHostGetFlags", (void**)&f.get_flags},
        {"hipPointerGetAttributes", (void**)&f.get_attributes},
    };
    for (auto& one : all) {
        *one.place = lookup(one.name);
        if (!*one.place) fprintf(stderr, "no %s\n", one.name), exit(1);
    }
    return f;
}

static inline Functions looked_up_in(void* runtime) {
    return looked_up([runtime](const char* name) { return dlsym(runtime, name); });
}

static inline void* load(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror()), exit(1);
    return library;
}

static inline void check(const char* what, hipError_t error) {
    if (error != hipSuccess) fprintf(stderr, "%s: error %d\n", what, (int)error), exit(1);
}

// The runtime starts inside its first call, and sets itself up for each kind of memory inside the first that asks for it.
static inline void start(const Functions& f) {
    mark("first");
    int count = 0;
    void* memory;
    check("hipGetDeviceCount", f.device_count(&count));
    check("the first hipHostMalloc", f.host_malloc(&memory, kSize, 0));
    check("the first hipHostFree", f.host_free(memory));
    check("the first hipMallocManaged", f.managed_malloc(&memory, kSize, hipMemAttachGlobal));
    check("the first hipFree", f.device_free(memory));
    mark("");
}

// Pinned memory under a mark, with the flags that the runtime says it has.
static inline void* pinned(const char* label, const Functions& f, unsigned int flags) {
    void* memory = nullptr;
    unsigned int answer = 7;
    mark(label);
    hipError_t error = f.host_malloc(&memory, kSize, flags);
    mark("");
    if (error == hipSuccess) error = f.get_flags(&answer, memory);
    printf("{\"label\": \"%s\", \"code\": %d, \"flags\": %u}\n", label, (int)error, answer);
    return memory;
}

static inline void* managed(const char* label, const Functions& f) {
    void* memory = nullptr;
    mark(label);
    hipError_t error = f.managed_malloc(&memory, kSize, hipMemAttachGlobal);
    mark("");
    printf("{\"label\": \"%s\", \"code\": %d}\n", label, (int)error);
    return memory;
}
