/* A library that makes calls, and nothing else. Its constructor runs `at_load` of the program, where that has one. */
#include "stub.h"

enum { SIZE = 0x1000 };

void *allocate(void) {
    void *memory = NULL;
    return hipHostMalloc(&memory, SIZE, 0) ? NULL : memory;
}

void *allocate_managed(void) {
    void *memory = NULL;
    return hipMallocManaged(&memory, SIZE, 1) ? NULL : memory;
}

void release(void *memory) {
    volatile int status = hipHostFree(memory);
    (void)status;
}

/* Ends in a jump to hipHostMalloc, which then returns to whoever called this one. */
int tail(void **memory, size_t size) { return hipHostMalloc(memory, size, 0); }

/* Calls another library's function, which then returns into this one. */
int call_tail(int (*tail)(void **, size_t), void **memory, size_t size) {
    volatile int status = tail(memory, size);
    return status;
}

WEAK void at_load(void *(*allocate)(void));

__attribute__((constructor)) static void loaded(void) {
    if (at_load)
        at_load(allocate);
}
