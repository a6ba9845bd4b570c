// What the HIP clients share: a mark in the emulator's log before each call, one line of JSON on stdout after it.
//
// The clients call nothing of libstdc++ and no libc function with a C23 variant, so that one compiled on a new host
// runs with the libc of an old stack.
#pragma once

#include <hip/hip_runtime_api.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// In librmcp_kfd.so; absent on a real card.
extern "C" __attribute__((weak)) void rmcp_kfd_mark(const char* label);

// What the emulator logs from here on belongs to `label`.
static inline void mark(const char* label) {
    if (rmcp_kfd_mark) rmcp_kfd_mark(label);
}

// `last` is what hipGetLastError says after the call; `flags` what the runtime says of the memory then, -1 where it says
// nothing.
static inline void report(const char* label, hipError_t error, hipError_t last, long long flags) {
    printf("{\"label\": \"%s\", \"code\": %d, \"error\": \"%s\", \"flags\": %lld, \"last\": %d}\n", label, (int)error,
           hipGetErrorName(error), flags, (int)last);
}

// `wrong` results under `label`.
static inline void report_result(const char* label, size_t wrong) {
    printf("{\"label\": \"%s\", \"code\": 0, \"wrong\": %zu}\n", label, wrong);
}

static inline void check_success(const char* call, int error) {
    if (error == 0) return;
    printf("%s: error %d\n", call, error);
    exit(1);
}
// Ends the program where a call of HIP, or of a library on it, fails.
#define HIP_CHECK(call) check_success(#call, (int)(call))

// Runs one call under its own mark and reports it; then, under "after <label>", what `undo` does.
template <class Call, class Flags, class Undo>
static void step(const char* label, Call call, Flags flags, Undo undo) {
    char after[128];
    snprintf(after, sizeof after, "after %s", label);
    mark(label);
    hipError_t error = call();
    hipError_t last = hipGetLastError();
    mark(after);
    report(label, error, last, error == hipSuccess ? flags() : -1);
    if (error == hipSuccess) undo();
}
