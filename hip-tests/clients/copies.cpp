// Copies there and back, of every kind of host memory, with the bytes compared at the end. `copies device` adds copies
// within the device, which the runtime leaves to a kernel.
#include "client.h"

static const size_t kSizes[] = {1, 4096, 65537, 1 << 20, (5 << 20) + 3};

enum Kind { kPageable, kPinned, kManaged };
static const char* const kKinds[] = {"pageable", "pinned", "managed"};

static unsigned char* allocate(Kind kind, size_t size) {
    void* memory = nullptr;
    switch (kind) {
        case kPageable: return (unsigned char*)malloc(size);
        case kPinned: return hipHostMalloc(&memory, size, 0) == hipSuccess ? (unsigned char*)memory : nullptr;
        case kManaged: return hipMallocManaged(&memory, size) == hipSuccess ? (unsigned char*)memory : nullptr;
    }
    return nullptr;
}

static void release(Kind kind, void* memory) {
    if (kind == kPageable) free(memory);
    else if (kind == kPinned) (void)hipHostFree(memory);
    else (void)hipFree(memory);
}

static unsigned char pattern(size_t i) { return (unsigned char)(i * 131 + (i >> 8) * 17 + 5); }

static hipError_t copy(void* to, const void* from, size_t size, hipMemcpyKind kind, bool async) {
    if (!async) return hipMemcpy(to, from, size, kind);
    hipError_t error = hipMemcpyAsync(to, from, size, kind, nullptr);
    return error == hipSuccess ? hipStreamSynchronize(nullptr) : error;
}

static void round_trip(Kind kind, size_t size, bool async, bool within_device) {
    char label[96];
    snprintf(label, sizeof label, "%s %s %zu%s", kKinds[kind], async ? "async" : "sync", size,
             within_device ? " device" : "");
    mark(label);
    unsigned char* there = allocate(kind, size);
    unsigned char* back = allocate(kind, size);
    void *first = nullptr, *second = nullptr;
    hipError_t error = hipMalloc(&first, size);
    if (error == hipSuccess) error = hipMalloc(&second, size);
    if (!there || !back) error = hipErrorOutOfMemory;
    size_t wrong = size;
    if (error == hipSuccess) {
        for (size_t i = 0; i < size; i++) there[i] = pattern(i), back[i] = 0xee;
        error = copy(first, there, size, hipMemcpyHostToDevice, async);
        void* source = first;
        if (error == hipSuccess && within_device) {
            error = copy(second, first, size, hipMemcpyDeviceToDevice, async);
            if (error == hipSuccess) error = hipDeviceSynchronize();
            source = second;
        }
        if (error == hipSuccess) error = copy(back, source, size, hipMemcpyDeviceToHost, async);
        wrong = 0;
        for (size_t i = 0; i < size; i++) wrong += back[i] != pattern(i);
    }
    printf("{\"label\": \"%s\", \"code\": %d, \"error\": \"%s\", \"wrong\": %zu}\n", label, (int)error,
           hipGetErrorName(error), wrong);
    (void)hipFree(first);
    (void)hipFree(second);
    release(kind, there);
    release(kind, back);
}

int main(int argc, char** argv) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    bool within_device = argc > 1 && strcmp(argv[1], "device") == 0;
    for (Kind kind : {kPageable, kPinned, kManaged})
        for (size_t size : kSizes)
            for (bool async : {false, true}) round_trip(kind, size, async, within_device);
    mark("exit");
    return 0;
}
