/* The shim that anybody writes first: it looks the next definition up once, and calls it with another flag. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

int hipMalloc(void **memory, size_t size) {
    static int (*next)(void **, size_t);
    if (!next)
        next = (int (*)(void **, size_t))dlsym(RTLD_NEXT, "hipMalloc");
    return next(memory, size);
}

int hipHostMalloc(void **memory, size_t size, unsigned flags) {
    static int (*next)(void **, size_t, unsigned);
    if (!next)
        next = (int (*)(void **, size_t, unsigned))dlsym(RTLD_NEXT, "hipHostMalloc");
    return next(memory, size, flags | 0x80000000);
}
