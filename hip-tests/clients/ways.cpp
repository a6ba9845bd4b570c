// A program that links against the runtime, and, built as a library, the part of a program that does: its functions come
// from its own imports (`linked`), from hipGetProcAddress or from hipGetDriverEntryPoint.
#include "ways.h"

static Functions linked() {
    return {hipGetDeviceCount, hipHostMalloc, hipHostFree, hipMalloc, hipMallocManaged, hipFree,
            hsa_amd_memory_pool_allocate, hsa_amd_memory_pool_free};
}

template <class Lookup>
static Functions looked_up(Lookup lookup) {
    Functions f = {};
    lookup("hipGetDeviceCount", (void**)&f.device_count);
    lookup("hipHostMalloc", (void**)&f.host_malloc);
    lookup("hipHostFree", (void**)&f.host_free);
    lookup("hipMalloc", (void**)&f.device_malloc);
    lookup("hipMallocManaged", (void**)&f.managed_malloc);
    lookup("hipFree", (void**)&f.device_free);
    return f;
}

#if HIP_VERSION >= 60100000
static Functions by_proc_address() {
    return looked_up([](const char* name, void** function) {
        hipDriverProcAddressQueryResult result;
        if (hipGetProcAddress(name, function, HIP_VERSION / 100000, 0, &result) != hipSuccess) exit(1);
    });
}
#endif

#if HIP_VERSION >= 70100000
static Functions by_entry_point() {
    return looked_up([](const char* name, void** function) {
        hipDriverEntryPointQueryResult result;
        if (hipGetDriverEntryPoint(name, function, 0, &result) != hipSuccess) exit(1);
    });
}
#endif

// `prefix`: put before each label.
extern "C" void ways_make_calls(const char* way, const char* prefix) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
#if HIP_VERSION >= 60100000
    if (strcmp(way, "hipGetProcAddress") == 0) return make_calls(prefix, by_proc_address());
#endif
#if HIP_VERSION >= 70100000
    if (strcmp(way, "hipGetDriverEntryPoint") == 0) return make_calls(prefix, by_entry_point());
#endif
    if (strcmp(way, "linked") != 0) fprintf(stderr, "there is no way %s\n", way), exit(1);
    make_calls(prefix, linked());
}

// Default pinned memory by this object's own imports.
extern "C" void* ways_pinned() {
    void* memory = nullptr;
    return hipHostMalloc(&memory, kSize, 0) == hipSuccess ? memory : nullptr;
}

// The same by a jump, where it is compiled so: the runtime returns to whoever called this.
extern "C" hipError_t ways_pinned_by_jump(void** memory) { return hipHostMalloc(memory, kSize, 0); }

// A call without a hook, by which the runtime starts.
extern "C" int ways_device_count() {
    int count = 0;
    return hipGetDeviceCount(&count) == hipSuccess ? count : -1;
}

int main(int, char** arguments) {
    ways_make_calls(arguments[1], "");
    fflush(stdout);
    return 0;
}
