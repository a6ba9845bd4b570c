// What the options are about, one at a time: `register`, `vram`, `threads` or `capabilities`.
#include "client.h"

#if HIP_VERSION >= 60000000
#include <hip/hip_deprecated.h>
#endif

#include <pthread.h>

static const size_t kMiB = 1 << 20;

// Whether the call succeeds. What reaches the kernel of it is under `label`.
template <class Call>
static bool show(const char* label, Call call) {
    mark(label);
    hipError_t error = call();
    hipError_t last = hipGetLastError();
    mark("");
    report(label, error, last, -1);
    return error == hipSuccess;
}

static void registered() {
    static const size_t kSize = 0xa00000;
    void* buffer = aligned_alloc(4096, kSize);
    memset(buffer, 1, kSize);
    void* memory;
    show("first", [&] { return hipHostMalloc(&memory, kSize, 0); });
    for (unsigned flags : {0u, 1u, 2u, 8u}) {
        char label[64];
        snprintf(label, sizeof label, "hipHostRegister(%u)", flags);
        if (show(label, [=] { return hipHostRegister(buffer, kSize, flags); }))
            show("hipHostUnregister", [=] { return hipHostUnregister(buffer); });
    }
}

static long long free_now, total_now;

static void info(const char* label) {
    size_t free = 0, total = 0;
    hipError_t error = hipMemGetInfo(&free, &total);
    free_now = (long long)free, total_now = (long long)total;
    char text[64];
    snprintf(text, sizeof text, "free %s", label);
    report(text, error, hipSuccess, free_now);
    snprintf(text, sizeof text, "total %s", label);
    report(text, error, hipSuccess, total_now);
}

static void vram() {
    void *half, *memory = nullptr;
    hipStream_t stream;
    (void)hipStreamCreate(&stream);
    info("at first");
    size_t free = (size_t)free_now;
    show("all but 64 MiB", [&] { return hipMalloc(&half, free - 64 * kMiB); });
    info("when nearly full");
    show("hipMalloc too large", [&] { return hipMalloc(&memory, 128 * kMiB); });
    report("the error is fetched", hipSuccess, hipGetLastError(), -1);
    show("hipMallocPitch too large", [&] { size_t pitch; return hipMallocPitch(&memory, &pitch, kMiB, 128); });
    show("hipExtMallocWithFlags too large", [&] { return hipExtMallocWithFlags(&memory, 128 * kMiB, 0); });
    show("hipMallocAsync too large", [&] { return hipMallocAsync(&memory, 128 * kMiB, stream); });

    hipMemAllocationProp properties;
    memset(&properties, 0, sizeof properties);
    properties.type = hipMemAllocationTypePinned;
    properties.location.type = hipMemLocationTypeDevice;
    hipMemGenericAllocationHandle_t handle = nullptr;
    show("hipMemCreate too large", [&] { return hipMemCreate(&handle, 128 * kMiB, &properties, 0); });

    show("hipMalloc that fits", [&] { return hipMalloc(&memory, 16 * kMiB); });
    info("with that");
    show("hipFree of that", [&] { return hipFree(memory); });
    info("without that");
    show("hipMallocAsync that fits", [&] { return hipMallocAsync(&memory, 16 * kMiB, stream); });
    (void)hipStreamSynchronize(stream);
    info("with the pool's");
    (void)hipFreeAsync(memory, stream);
    (void)hipStreamSynchronize(stream);
    // Host memory is no concern of the limit.
    show("hipHostMalloc beyond it", [&] { return hipHostMalloc(&memory, 256 * kMiB, 0); });
    (void)hipHostFree(memory);
    show("hipFree of all", [&] { return hipFree(half); });
    info("at last");
    show("hipMalloc of all but 64 MiB again", [&] { return hipMalloc(&half, free - 64 * kMiB); });
}

static int allocated[64], refused[64], other[64];

static pthread_barrier_t all_at_once;

// Rounds of allocations alone and of frees alone: a log that is written beside another thread's call does not show which
// of a free and an allocation came first.
static void* thread(void* argument) {
    long self = (long)argument;
    unsigned random = (unsigned)self * 2654435761u + 1;
    for (int round = 0; round < 12; round++) {
        void* held[8] = {};
        pthread_barrier_wait(&all_at_once);
        for (void*& memory : held) {
            random = random * 1664525u + 1013904223u;
            // In steps of 2 MiB, in which the card's memory is given out: 5.2.3 says to be in use what was asked for.
            hipError_t error = hipMalloc(&memory, (2 + (random >> 8) % 24) * 2 * kMiB);
            if (error == hipSuccess) allocated[self]++;
            else memory = nullptr, (error == hipErrorOutOfMemory ? refused : other)[self]++;
        }
        pthread_barrier_wait(&all_at_once);
        for (void* memory : held) (void)hipFree(memory);
    }
    return nullptr;
}

static void threads() {
    // What the runtime takes for itself is never refused, so it shall have it before the limit is near.
    void* memory = nullptr;
    hipStream_t stream;
    (void)hipStreamCreate(&stream);
    (void)hipMalloc(&memory, 2 * kMiB);
    (void)hipFree(memory);
    info("at first");
    pthread_t threads[64];
    pthread_barrier_init(&all_at_once, nullptr, 64);
    mark("threads");
    for (long i = 0; i < 64; i++) pthread_create(&threads[i], nullptr, thread, (void*)i);
    for (pthread_t each : threads) pthread_join(each, nullptr);
    mark("");
    int sums[3] = {};
    for (int i = 0; i < 64; i++) sums[0] += allocated[i], sums[1] += refused[i], sums[2] += other[i];
    report("allocated", hipSuccess, hipSuccess, sums[0]);
    report("refused", hipSuccess, hipSuccess, sums[1]);
    report("other errors", hipSuccess, hipSuccess, sums[2]);
    info("at last");
}

static void capabilities() {
    const struct {
        const char* name;
        hipDeviceAttribute_t attribute;
    } attributes[] = {
        {"managedMemory", hipDeviceAttributeManagedMemory},
        {"concurrentManagedAccess", hipDeviceAttributeConcurrentManagedAccess},
        {"directManagedMemAccessFromHost", hipDeviceAttributeDirectManagedMemAccessFromHost},
        {"pageableMemoryAccess", hipDeviceAttributePageableMemoryAccess},
        {"pageableMemoryAccessUsesHostPageTables", hipDeviceAttributePageableMemoryAccessUsesHostPageTables},
        {"warpSize", hipDeviceAttributeWarpSize},
    };
    char label[96];
    auto field = [&](const char* from, const char* name, hipError_t error, long long value) {
        snprintf(label, sizeof label, "%s %s", from, name);
        report(label, error, hipSuccess, value);
    };
    for (auto& each : attributes) {
        int value = -1;
        hipError_t error = hipDeviceGetAttribute(&value, each.attribute, 0);
        field("attribute", each.name, error, value);
    }
    auto fields = [&](const char* from, hipError_t error, const auto& p) {
        field(from, "managedMemory", error, p.managedMemory);
        field(from, "concurrentManagedAccess", error, p.concurrentManagedAccess);
        field(from, "directManagedMemAccessFromHost", error, p.directManagedMemAccessFromHost);
        field(from, "pageableMemoryAccess", error, p.pageableMemoryAccess);
        field(from, "pageableMemoryAccessUsesHostPageTables", error, p.pageableMemoryAccessUsesHostPageTables);
        field(from, "warpSize", error, p.warpSize);
    };
    hipDeviceProp_t properties;
    hipError_t error = hipGetDeviceProperties(&properties, 0);
    fields("properties", error, properties);
#if HIP_VERSION >= 60000000
    hipDeviceProp_tR0000 older;
    error = hipGetDevicePropertiesR0000(&older, 0);
    fields("older properties", error, older);
#endif
    void* memory = nullptr;
    show("hipMallocManaged", [&] { return hipMallocManaged(&memory, kMiB, hipMemAttachGlobal); });
}

int main(int, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    if (strcmp(arguments[1], "register") == 0) registered();
    else if (strcmp(arguments[1], "vram") == 0) vram();
    else if (strcmp(arguments[1], "threads") == 0) threads();
    else capabilities();
    return 0;
}
