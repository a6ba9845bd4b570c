/* Another preloaded library with a hipHostMalloc of its own: says what it saw and passes it on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int hipHostMalloc(void **memory, size_t size, unsigned flags) {
    int (*next)(void **, size_t, unsigned) = dlsym(RTLD_NEXT, "hipHostMalloc");
    printf("interposer: hipHostMalloc(0x%zx, 0x%x)\n", size, flags);
    /* Flushed after it: the call must return here, not straight to the program. */
    int status = next ? next(memory, size, flags) : -1;
    fflush(stdout);
    return status;
}
