// Kernels compiled by the stack's own compiler (hiprtc) for the card that is there, and launched.
#pragma once

#include "client.h"

#include <dlfcn.h>

#include <hip/hiprtc.h>

// In libamdhip64 up to ROCm 6, in a library of its own since.
static inline void* hiprtc(const char* name) {
    void* library = dlopen("libhiprtc.so.7", RTLD_NOW);
    return dlsym(library ? library : RTLD_DEFAULT, name);
}
#define HIPRTC(name) ((decltype(&name))hiprtc(#name))

// What `compile` made last.
static char* last_code;
static size_t last_code_size;

// Compiles `source` and loads it.
static inline hipModule_t compile(const char* source) {
    hipDeviceProp_t device;
    HIP_CHECK(hipGetDeviceProperties(&device, 0));
    char target[320];
    snprintf(target, sizeof target, "--offload-arch=%s", device.gcnArchName);
    const char* options[] = {target, "-O3", "-ffp-contract=off"};
    hiprtcProgram program;
    HIP_CHECK(HIPRTC(hiprtcCreateProgram)(&program, source, "kernels.hip", 0, nullptr, nullptr));
    int error = HIPRTC(hiprtcCompileProgram)(program, 3, options);
    if (error) {
        static char messages[1 << 16];
        HIPRTC(hiprtcGetProgramLog)(program, messages);
        printf("%s\n", messages);
    }
    check_success("hiprtcCompileProgram", error);
    size_t size = 0;
    HIP_CHECK(HIPRTC(hiprtcGetCodeSize)(program, &size));
    char* code = (char*)malloc(size);
    HIP_CHECK(HIPRTC(hiprtcGetCode)(program, code));
    hipModule_t module;
    HIP_CHECK(hipModuleLoadData(&module, code));
    last_code = code, last_code_size = size;
    return module;
}

static inline hipFunction_t kernel(hipModule_t module, const char* name) {
    hipFunction_t function;
    HIP_CHECK(hipModuleGetFunction(&function, module, name));
    return function;
}

// Has a stream run a kernel.
template <class... Arguments>
static void launch_on(hipStream_t stream, hipFunction_t function, dim3 groups, dim3 items, Arguments... arguments) {
    void* pointers[] = {&arguments...};
    HIP_CHECK(hipModuleLaunchKernel(function, groups.x, groups.y, groups.z, items.x, items.y, items.z, 0, stream, pointers,
                               nullptr));
}

// Runs a kernel to its end.
template <class... Arguments>
static void launch(hipFunction_t function, dim3 groups, dim3 items, Arguments... arguments) {
    launch_on(nullptr, function, groups, items, arguments...);
    HIP_CHECK(hipDeviceSynchronize());
}
