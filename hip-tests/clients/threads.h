// What the programs of tests/threads call, on a real runtime and on threads_runtime.cpp alike.
//
// They use nothing of libstdc++ beyond its headers: see client.h.
#pragma once

#include "../../include/rmcp.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The types are hip_runtime_api.h's.
extern "C" {
int hipMalloc(void**, size_t);
int hipExtMallocWithFlags(void**, size_t, unsigned);
int hipMallocManaged(void**, size_t, unsigned);
int hipHostMalloc(void**, size_t, unsigned);
int hipHostAlloc(void**, size_t, unsigned);
int hipFree(void*);
int hipHostFree(void*);
int hipHostGetFlags(unsigned*, void*);
int hipSetDevice(int);
int hipGetLastError();
// threads_runtime.cpp's own.
__attribute__((weak)) int rmcp_threads_device_queries();
__attribute__((weak)) long long rmcp_threads_arrived(void*);
}
#pragma weak rmcp_counters
#pragma weak rmcp_status

// Ends the program with a word on standard error. In one write: other threads and processes may fail too.
[[noreturn]] __attribute__((format(printf, 1, 2))) static inline void fail(const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    text[length++] = '\n';
    (void)!write(2, text, length);
    _exit(3);
}

#define CHECK(condition, ...)            \
    do {                                 \
        if (!(condition)) fail(__VA_ARGS__); \
    } while (0)

static inline pthread_t start_thread(void* (*run)(void*), void* argument) {
    pthread_t thread;
    CHECK(!pthread_create(&thread, nullptr, run, argument), "no thread: %m");
    return thread;
}

// A decimal argument. (strtoul has a C23 variant, which old stacks lack.)
static inline unsigned long parse_number(const char* text) {
    unsigned long value = 0;
    for (; *text; text++) value = 10 * value + (*text - '0');
    return value;
}

// Numbers that look random and are the same in every run: Marsaglia's xorshift64.
struct Random {
    uint64_t state;
    unsigned below(unsigned end) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<unsigned>(state % end);
    }
};
