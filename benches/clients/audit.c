/* An auditing library for LD_AUDIT: hands out functions of its own that count, and pass the call on. */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static unsigned long count;
static int (*real_hipMalloc)(void **, size_t);
static int (*real_hipHostMalloc)(void **, size_t, unsigned);

static int counted_hipMalloc(void **memory, size_t size) {
    count++;
    return real_hipMalloc(memory, size);
}

static int counted_hipHostMalloc(void **memory, size_t size, unsigned flags) {
    count++;
    return real_hipHostMalloc(memory, size, flags);
}

unsigned la_version(unsigned version) {
    return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie) {
    (void)map, (void)space, (void)cookie;
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags,
                       const char *name) {
    (void)index, (void)from, (void)to, (void)flags;
    if (!strcmp(name, "hipMalloc")) {
        real_hipMalloc = (int (*)(void **, size_t))symbol->st_value;
        return (uintptr_t)counted_hipMalloc;
    }
    if (!strcmp(name, "hipHostMalloc")) {
        real_hipHostMalloc = (int (*)(void **, size_t, unsigned))symbol->st_value;
        return (uintptr_t)counted_hipHostMalloc;
    }
    return symbol->st_value;
}
