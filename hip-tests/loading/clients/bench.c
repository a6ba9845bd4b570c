/* Measures calls of the hooked functions. A line "FUNCTION CALLS" on standard input is answered with the nanoseconds
 * that so many calls took. */
#define _GNU_SOURCE
#include "stub.h"

#include <dlfcn.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

#define MEASURE(name, call)                                                                                            \
    if (!strcmp(function, name)) {                                                                                     \
        for (unsigned long i = 0; i < calls; i++)                                                                      \
            call;                                                                                                      \
        return 1;                                                                                                      \
    }

static int measure(const char *function, unsigned long calls) {
    void *memory;
    MEASURE("hipMalloc", hipMalloc(&memory, 4096))
    MEASURE("hipHostMalloc", hipHostMalloc(&memory, 4096, 0))
    MEASURE("hipMallocManaged", hipMallocManaged(&memory, 4096, 1))
    MEASURE("hsa_amd_memory_pool_allocate", hsa_amd_memory_pool_allocate(0x12, 4096, 0, &memory))
    MEASURE("hipMalloc+hipFree", (hipMalloc(&memory, 4096), hipFree(memory)))
    return 0;
}

int main(void) {
    void (*quiet)(void) = dlsym(RTLD_DEFAULT, "rmcp_stub_quiet");
    if (quiet)
        quiet();
    char function[64];
    unsigned long calls;
    while (scanf("%63s %lu", function, &calls) == 2) {
        double start = now();
        if (!measure(function, calls))
            return 1;
        printf("%.0f\n", now() - start);
        fflush(stdout);
    }
    return 0;
}
