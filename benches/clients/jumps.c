/* Exports that jump through slots to the next definition, laid out as in RMCP's gate, and nothing else: what a library
 * that stands before another must cost. */
#define _GNU_SOURCE
#include <dlfcn.h>

#define EXPORT(name)                                                                                                   \
    __asm__(".section .data.slots, \"aw\"\n"                                                                           \
            ".p2align 3\n"                                                                                             \
            "slot_" #name ": .quad 0\n"                                                                                \
            ".text\n"                                                                                                  \
            ".p2align 5\n"                                                                                             \
            ".globl " #name "\n"                                                                                       \
            ".type " #name ", @function\n" #name ": jmp *slot_" #name "(%rip)\n");                                     \
    extern void *slot_##name __attribute__((visibility("hidden")));

EXPORT(hipMalloc)
EXPORT(hipHostMalloc)
EXPORT(hipFree)
EXPORT(hsa_amd_memory_pool_allocate)
EXPORT(hsa_amd_memory_pool_free)

__attribute__((constructor)) static void bind(void) {
    slot_hipMalloc = dlsym(RTLD_NEXT, "hipMalloc");
    slot_hipHostMalloc = dlsym(RTLD_NEXT, "hipHostMalloc");
    slot_hipFree = dlsym(RTLD_NEXT, "hipFree");
    slot_hsa_amd_memory_pool_allocate = dlsym(RTLD_NEXT, "hsa_amd_memory_pool_allocate");
    slot_hsa_amd_memory_pool_free = dlsym(RTLD_NEXT, "hsa_amd_memory_pool_free");
}
