// The program behind `rmcp demo`: each allocation call once, under its own mark, and what the runtime answered as one
// line of JSON on stdout.
#include "demo.h"

extern "C" __attribute__((weak)) void rmcp_kfd_mark(const char* label);

// More than the runtime keeps in reserve, so that each call reaches the kernel.
static const size_t kSize = 0x410000;

static void mark(const char* label) {
    if (rmcp_kfd_mark) rmcp_kfd_mark(label);
}

template <class Call>
static void show(const char* symbol, const char* label, int (*undo)(void*), Call call) {
    if (missing(symbol)) {
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
    open_runtime(count, arguments);
    // The runtime sets itself up inside its first calls and allocates for itself there.
    void* memory = nullptr;
    if (int error = hipHostMalloc(&memory, kSize, 0)) {
        fprintf(stderr, "the first hipHostMalloc failed: %s\n", hipGetErrorName(error));
        return 1;
    }
    hipHostFree(memory);

    // A call in a function of its own: the address of a weak function was asked for before the runtime came.
#define SHOW(name, arguments, undo, ...)                                      \
    show(#name, #name "(" arguments ")", [](void* ptr) { return undo(ptr); }, \
         [](void** ptr) { return name(ptr, kSize, ##__VA_ARGS__); })
    SHOW(hipMalloc, "", hipFree);
    SHOW(hipExtMallocWithFlags, "Finegrained", hipFree, 0x1);
    SHOW(hipExtMallocWithFlags, "Uncached", hipFree, 0x3);
    SHOW(hipHostMalloc, "0", hipHostFree, 0);
    SHOW(hipHostMalloc, "Mapped", hipHostFree, kMapped);
    SHOW(hipHostMalloc, "Portable", hipHostFree, kPortable);
    SHOW(hipHostMalloc, "Coherent", hipHostFree, kCoherent);
    SHOW(hipHostMalloc, "NonCoherent", hipHostFree, kNonCoherent);
    SHOW(hipHostAlloc, "0", hipHostFree, 0);
    SHOW(hipMallocHost, "", hipHostFree);
    SHOW(hipMemAllocHost, "", hipHostFree);
    SHOW(hipMallocManaged, "Global", hipFree, kAttachGlobal);
}
