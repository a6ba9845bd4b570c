// What the programs behind `rmcp demo` share.
//
// Built once, they run on every release: the HIP functions are weak and bound lazily, so the first call of each finds
// whatever the process then holds, librmcp.so first if it is preloaded. They need no header of ROCm.
#pragma once

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIP extern "C" __attribute__((weak))
HIP int hipSetDevice(int device);
HIP int hipMalloc(void** ptr, size_t size);
HIP int hipExtMallocWithFlags(void** ptr, size_t size, unsigned flags);
HIP int hipMallocManaged(void** ptr, size_t size, unsigned flags);
HIP int hipHostMalloc(void** ptr, size_t size, unsigned flags);
HIP int hipHostAlloc(void** ptr, size_t size, unsigned flags);
HIP int hipMallocHost(void** ptr, size_t size);
HIP int hipMemAllocHost(void** ptr, size_t size);
HIP int hipHostRegister(void* ptr, size_t size, unsigned flags);
HIP int hipHostUnregister(void* ptr);
HIP int hipFree(void* ptr);
HIP int hipHostFree(void* ptr);
HIP const char* hipGetErrorName(int error);

// hip_runtime_api.h
enum : unsigned { kPortable = 0x1, kMapped = 0x2, kCoherent = 0x40000000, kNonCoherent = 0x80000000, kAttachGlobal = 0x1 };

// What the runtime has not, such as a call that is newer than it. A lazily bound function that nothing defines would be
// a jump to address 0.
static inline bool missing(const char* symbol) { return !dlsym(RTLD_DEFAULT, symbol); }

// The arguments are the number of the HIP device and the names of runtimes, of which the first that there is gets loaded.
static inline void* open_runtime(int count, char** arguments) {
    void* runtime = nullptr;
    for (int next = 2; next < count && !runtime; next++) {
        runtime = dlopen(arguments[next], RTLD_NOW | RTLD_GLOBAL);
        if (!runtime) fprintf(stderr, "%s\n", dlerror());
    }
    if (!runtime) exit(1);
    if (int error = hipSetDevice(atoi(arguments[1]))) {
        fprintf(stderr, "hipSetDevice(%s) failed: %s\n", arguments[1], hipGetErrorName(error));
        exit(1);
    }
    return runtime;
}
