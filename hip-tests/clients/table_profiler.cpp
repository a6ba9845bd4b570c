// Wraps hipHostMalloc and hipMalloc in the runtime's table, as a profiler does that rocprofiler-register hands the table to: when
// it is told to, or, preloaded, as soon as the runtime calls hsa_init.
#include "client.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>

#include <hip/hip_deprecated.h>

#include <hip/amd_detail/amd_hip_gl_interop.h>
#include <hip/amd_detail/hip_api_trace.hpp>

static int host_mallocs, device_mallocs;
static unsigned int last_flags;
static decltype(HipDispatchTable::hipHostMalloc_fn) host_malloc;
static decltype(HipDispatchTable::hipMalloc_fn) device_malloc;

static hipError_t count_host_malloc(void** p, size_t size, unsigned int flags) {
    host_mallocs++, last_flags = flags;
    return host_malloc(p, size, flags);
}

static hipError_t count_device_malloc(void** p, size_t size) {
    device_mallocs++;
    return device_malloc(p, size);
}

// In the writable memory of libamdhip64: its own size first, then functions, of the library but for the few that others have
// wrapped.
static int find_table(struct dl_phdr_info* info, size_t, void* found) {
    if (!strstr(info->dlpi_name, "libamdhip64")) return 0;
    uintptr_t start = 0, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X)
            start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = start + info->dlpi_phdr[i].p_memsz;
    const size_t words = sizeof(HipDispatchTable) / 8;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr)& data = info->dlpi_phdr[i];
        if (data.p_type != PT_LOAD || !(data.p_flags & PF_W) || data.p_memsz < sizeof(HipDispatchTable)) continue;
        uintptr_t* word = (uintptr_t*)(info->dlpi_addr + data.p_vaddr);
        for (uintptr_t* last = word + data.p_memsz / 8 - words; word <= last; word++) {
            if (*word != sizeof(HipDispatchTable)) continue;
            size_t own = 0;
            for (size_t n = 1; n < words; n++) own += word[n] >= start && word[n] < end;
            if (own > words / 2) *(uintptr_t**)found = word;
        }
    }
    return *(void**)found != nullptr;
}

static void wrap() {
    HipDispatchTable* table = nullptr;
    dl_iterate_phdr(find_table, &table);
    if (!table) fprintf(stderr, "no HipDispatchTable\n"), exit(1);
    host_malloc = table->hipHostMalloc_fn, table->hipHostMalloc_fn = count_host_malloc;
    device_malloc = table->hipMalloc_fn, table->hipMalloc_fn = count_device_malloc;
}

extern "C" void profiler_wrap(const char*) {
    if (!host_malloc) wrap();
}

extern "C" int profiler_calls(const char* function, unsigned int* flags) {
    *flags = last_flags;
    return strcmp(function, "hipHostMalloc") ? device_mallocs : host_mallocs;
}

#ifdef PRELOADED
extern "C" int hsa_init() {
    if (!host_malloc) wrap();
    void* next = dlsym(RTLD_NEXT, "hsa_init");
    // The real one is in nobody's scope but the runtime's.
    if (!next) next = dlsym(dlopen("libhsa-runtime64.so.1", RTLD_LAZY | RTLD_NOLOAD), "hsa_init");
    return ((int (*)())next)();
}
#endif
