/* Calls of HIP and HSA, from the library that this is compiled into: call_NAME makes so many of them. */
#include <stddef.h>
#include <stdint.h>

int hipGetDeviceCount(int *);
int hipMalloc(void **, size_t);
int hipMallocManaged(void **, size_t, unsigned);
int hipHostMalloc(void **, size_t, unsigned);
int hipFree(void *);
uint32_t hsa_amd_memory_pool_allocate(uint64_t, size_t, uint32_t, void **);

static void *memory;
static int devices;

#define CALLS(name, call)                                                                                              \
    void call_##name(unsigned long calls) {                                                                            \
        for (unsigned long i = 0; i < calls; i++)                                                                      \
            call;                                                                                                      \
    }

CALLS(hipGetDeviceCount, hipGetDeviceCount(&devices))
CALLS(hipMalloc, hipMalloc(&memory, 4096))
CALLS(hipFree, hipFree(memory))
CALLS(hipHostMalloc, hipHostMalloc(&memory, 4096, 0))
CALLS(hipHostMalloc_coherent, hipHostMalloc(&memory, 4096, 0x40000000))
CALLS(hipHostMalloc_noncoherent, hipHostMalloc(&memory, 4096, 0x80000000))
CALLS(hipMallocManaged, hipMallocManaged(&memory, 4096, 1))
CALLS(hsa_amd_memory_pool_allocate, hsa_amd_memory_pool_allocate(0x12, 4096, 0, &memory))
CALLS(hipMalloc_hipFree, (hipMalloc(&memory, 4096), hipFree(memory)))
