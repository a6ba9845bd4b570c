/* Functions under names of HIP and HSA that belong to the library they are compiled into: they say what they saw, and
 * pass nothing on. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OWN = 42 };

static int own(const char *name, size_t size, unsigned flags) {
    printf("own: %s(0x%zx, 0x%x)\n", name, size, flags);
    fflush(stdout);
    return OWN;
}

int hipMalloc(void **memory, size_t size) { (void)memory; return own("hipMalloc", size, 0); }
int hipHostMalloc(void **memory, size_t size, unsigned flags) {
    (void)memory;
    return own("hipHostMalloc", size, flags);
}
uint32_t hsa_amd_memory_pool_allocate(uint64_t pool, size_t size, uint32_t flags, void **memory) {
    (void)pool, (void)memory;
    return own("hsa_amd_memory_pool_allocate", size, flags);
}
/* Ends in a jump to the library's own function, which then returns to whoever called this one. */
int tail(void **memory, size_t size) { return hipMalloc(memory, size); }

/* Ends the thread, which unwinds its stack as an exception does. */
int hipMemAllocHost(void **memory, size_t size) {
    (void)memory, (void)size;
    pthread_exit(NULL);
}
