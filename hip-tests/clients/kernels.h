// Kernels compiled by the stack's own compiler (hiprtc) for the card that is there, and launched.
#pragma once

#include "client.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <hip/hiprtc.h>

// In libamdhip64 up to ROCm 6, in a library of its own since.
static inline void* hiprtc(const char* name) {
    void* library = dlopen("libhiprtc.so.7", RTLD_NOW);
    return dlsym(library ? library : RTLD_DEFAULT, name);
}
#define HIPRTC(name) ((decltype(&name))hiprtc(#name))

static inline void must(const char* what, int error) {
    if (error == 0) return;
    printf("%s: error %d\n", what, error);
    exit(1);
}
#define MUST(call) must(#call, (int)(call))

// What `compile` made last.
static char* last_code;
static size_t last_code_size;

// Compiles `source` and loads it.
static inline hipModule_t compile(const char* source) {
    hipDeviceProp_t device;
    MUST(hipGetDeviceProperties(&device, 0));
    char target[320];
    snprintf(target, sizeof target, "--offload-arch=%s", device.gcnArchName);
    const char* options[] = {target, "-O3", "-ffp-contract=off"};
    hiprtcProgram program;
    MUST(HIPRTC(hiprtcCreateProgram)(&program, source, "kernels.hip", 0, nullptr, nullptr));
    int error = HIPRTC(hiprtcCompileProgram)(program, 3, options);
    if (error) {
        static char messages[1 << 16];
        HIPRTC(hiprtcGetProgramLog)(program, messages);
        printf("%s\n", messages);
    }
    must("hiprtcCompileProgram", error);
    size_t size = 0;
    MUST(HIPRTC(hiprtcGetCodeSize)(program, &size));
    char* code = (char*)malloc(size);
    MUST(HIPRTC(hiprtcGetCode)(program, code));
    hipModule_t module;
    MUST(hipModuleLoadData(&module, code));
    last_code = code, last_code_size = size;
    return module;
}

static inline hipFunction_t kernel(hipModule_t module, const char* name) {
    hipFunction_t function;
    MUST(hipModuleGetFunction(&function, module, name));
    return function;
}

// Has a stream run a kernel.
template <class... Arguments>
static void launch_on(hipStream_t stream, hipFunction_t function, dim3 groups, dim3 items, Arguments... arguments) {
    void* pointers[] = {&arguments...};
    MUST(hipModuleLaunchKernel(function, groups.x, groups.y, groups.z, items.x, items.y, items.z, 0, stream, pointers,
                               nullptr));
}

// Runs a kernel to its end.
template <class... Arguments>
static void launch(hipFunction_t function, dim3 groups, dim3 items, Arguments... arguments) {
    launch_on(nullptr, function, groups, items, arguments...);
    MUST(hipDeviceSynchronize());
}

// `wrong` results under `label`.
static inline void result(const char* label, size_t wrong) {
    printf("{\"label\": \"%s\", \"code\": 0, \"wrong\": %zu}\n", label, wrong);
}
