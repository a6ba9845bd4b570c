/* A tool for HSA_TOOLS_LIB: wraps ROCr's hsa_amd_memory_pool_allocate, and passes each call on. */
#include <stddef.h>
#include <stdint.h>

typedef uint32_t (*allocate_t)(uint64_t, size_t, uint32_t, void **);

/* HsaApiTable's head, and where AmdExtTable has the function. (hsa_api_trace.h) */
struct table {
    uint32_t version[4];
    void *core;
    char *amd_ext;
};
enum { ALLOCATE = 120 };

static allocate_t real;
static unsigned long count;

static uint32_t counted(uint64_t pool, size_t size, uint32_t flags, void **memory) {
    count++;
    return real(pool, size, flags, memory);
}

_Bool OnLoad(struct table *table, uint64_t version, uint64_t failed, const char *const *names) {
    (void)version, (void)failed, (void)names;
    allocate_t *place = (allocate_t *)(table->amd_ext + ALLOCATE);
    real = *place;
    *place = counted;
    return 1;
}

void OnUnload(void) {}
