// The program behind `rmcp demo`: each allocation call once, under its own mark, and what the runtime answered as one
// line of JSON on stdout.
//
// Built once, it runs on every release: the HIP functions are weak and bound lazily, so the first call of each finds
// whatever the process then holds, librmcp.so first if it is preloaded. Of the runtimes that are its arguments it loads
// the first that there is.
#include <dlfcn.h>
#include <stdio.h>

#define HIP extern "C" __attribute__((weak))
HIP int hipMalloc(void** ptr, size_t size);
HIP int hipExtMallocWithFlags(void** ptr, size_t size, unsigned flags);
HIP int hipMallocManaged(void** ptr, size_t size, unsigned flags);
HIP int hipHostMalloc(void** ptr, size_t size, unsigned flags);
HIP int hipHostAlloc(void** ptr, size_t size, unsigned flags);
HIP int hipMallocHost(void** ptr, size_t size);
HIP int hipMemAllocHost(void** ptr, size_t size);
HIP int hipFree(void* ptr);
HIP int hipHostFree(void* ptr);
HIP const char* hipGetErrorName(int error);
extern "C" __attribute__((weak)) void rmcp_kfd_mark(const char* label);

// More than the runtime keeps in reserve, so that each call reaches the kernel.
static const size_t kSize = 0x410000;

static void mark(const char* label) {
    if (rmcp_kfd_mark) rmcp_kfd_mark(label);
}

template <class Call>
static void show(const char* symbol, const char* label, int (*undo)(void*), Call call) {
    // A lazily bound function that nothing defines would be a jump to address 0.
    if (!dlsym(RTLD_DEFAULT, symbol)) {
        printf("{\"label\": \"%s\", \"error\": \"not in this release\"}\n", label);
        return;
    }
    void* memory = nullptr;
    mark(label);
    int error = call(&memory);
    mark("");
    printf("{\"label\": \"%s\", \"error\": \"%s\"}\n", label, hipGetErrorName(error));
    if (error == 0) undo(memory);
}

int main(int count, char** arguments) {
    int next = 1;
    while (next < count && !dlopen(arguments[next], RTLD_NOW | RTLD_GLOBAL)) fprintf(stderr, "%s\n", dlerror()), next++;
    if (next == count) return 1;
    // The runtime sets itself up inside its first calls and allocates for itself there.
    void* memory = nullptr;
    if (int error = hipHostMalloc(&memory, kSize, 0)) {
        fprintf(stderr, "the first hipHostMalloc failed: %s\n", hipGetErrorName(error));
        return 1;
    }
    hipHostFree(memory);

#define SHOW(name, arguments, undo, ...) \
    show(#name, #name "(" arguments ")", undo, [](void** ptr) { return name(ptr, kSize, ##__VA_ARGS__); })
    SHOW(hipMalloc, "", hipFree);
    SHOW(hipExtMallocWithFlags, "Finegrained", hipFree, 0x1);
    SHOW(hipExtMallocWithFlags, "Uncached", hipFree, 0x3);
    SHOW(hipHostMalloc, "0", hipHostFree, 0);
    SHOW(hipHostMalloc, "Mapped", hipHostFree, 0x2);
    SHOW(hipHostMalloc, "Portable", hipHostFree, 0x1);
    SHOW(hipHostMalloc, "Coherent", hipHostFree, 0x40000000);
    SHOW(hipHostMalloc, "NonCoherent", hipHostFree, 0x80000000);
    SHOW(hipHostAlloc, "0", hipHostFree, 0);
    SHOW(hipMallocHost, "", hipHostFree);
    SHOW(hipMemAllocHost, "", hipHostFree);
    SHOW(hipMallocManaged, "Global", hipFree, 0x1);
}
