/* The HIP and HSA calls of the clients, and what tests ask of a stub driver. */
#ifndef STUB_H
#define STUB_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Weak, so that a client also starts where no runtime has the function. The types are hip_runtime_api.h's and
 * hsa_ext_amd.h's. */
#define WEAK __attribute__((weak))
WEAK int hipMalloc(void **, size_t);
WEAK int hipExtMallocWithFlags(void **, size_t, unsigned);
WEAK int hipMallocManaged(void **, size_t, unsigned);
WEAK int hipHostMalloc(void **, size_t, unsigned);
WEAK int hipHostAlloc(void **, size_t, unsigned);
WEAK int hipMallocHost(void **, size_t);
WEAK int hipMemAllocHost(void **, size_t);
WEAK int hipEventCreateWithFlags(void **, unsigned);
WEAK uint32_t hsa_amd_memory_pool_allocate(uint64_t, size_t, uint32_t, void **);
WEAK int hipFree(void *);
WEAK int hipHostFree(void *);
WEAK int hipSetDevice(int);
WEAK int hipGetLastError(void);

/* Writes the calls that this copy has seen since the last time, one a line. */
WEAK void rmcp_stub_take(char *out, size_t size);
/* Makes a function return `status` from now on. */
void rmcp_stub_fail(const char *function, int status);
/* Sets what hipRuntimeGetVersion says. */
void rmcp_stub_version(int version);
/* Notes no more calls: they cost more than what a benchmark measures. */
void rmcp_stub_quiet(void);
/* Gives the name of each function that is called to `listener`, inside the call, in place of noting it. NULL: no more. */
WEAK void rmcp_stub_on_call(void (*listener)(const char *));
/* The place of a function in the driver's table, for another to be put there. NULL: it has no such function. */
WEAK void **rmcp_stub_place(const char *function);
/* Calls that the runtime makes itself. */
WEAK int rmcp_stub_inside_hipHostMalloc(void **, size_t, unsigned);
WEAK uint32_t rmcp_stub_inside_hsa_init(void);
WEAK uint32_t rmcp_stub_inside_hsa_amd_memory_pool_allocate(uint64_t, size_t, uint32_t, void **);

/* Runs one command from the object that it is compiled into, and writes what became of it. 0: no such command. */
int client(const char *command, FILE *report);

#endif
