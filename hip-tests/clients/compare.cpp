// Hundreds of calls of the HIP and HSA interfaces, the odd ones included, and everything that they give back.
#include "compare_queries.h"
#include "compare_streams.h"

#include <unistd.h>

static void device_memory() {
    section = "device memory";
    query_free_memory();
    for (size_t bytes : {(size_t)0, (size_t)1, (size_t)4096, 3 * kMiB, 64 * kMiB}) {
        p = kUntouched;
        CALL(hipMalloc(&p, bytes), number(bytes), new_block(p, bytes));
        query_free_memory();
        if (p != kUntouched && p) {
            query_pointer(p);
            if (bytes > 16) query_pointer((char*)p + 16);
        }
        CALL(hipFree(p == kUntouched ? nullptr : p));
    }
    query_free_memory();
    for (size_t bytes : kAbsurd) {
        p = kUntouched;
        CALL(hipMalloc(&p, bytes), at(p));
        CALL(hipExtMallocWithFlags(&p, bytes, hipDeviceMallocDefault), at(p));
    }
    CALL(hipMalloc(kNoPointer, 4096));
    CALL(hipMalloc(kNoPointer, 0));
    CALL(hipFree(nullptr));
    CALL(hipFree(&p));

    section = "double and foreign frees";
    CALL(hipMalloc(&p, kMiB), new_block(p, kMiB));
    CALL(hipFree((char*)p + 64));
    CALL(hipHostFree((char*)p + 64));
    CALL(hipFree(p));
    CALL(hipFree(p));
    CALL(hipHostFree(p));
    query_pointer(p);

    section = "hipExtMallocWithFlags";
    for (unsigned flags : {0u, 1u, 2u, 3u, 4u, 5u, 0x80u, 0xffffffffu}) {
        p = kUntouched;
        // A signal is 8 bytes, and no more.
        size_t bytes = flags == 2 ? 8 : 3 * kMiB;
        CALL(hipExtMallocWithFlags(&p, bytes, flags), number(flags), new_block(p, bytes));
        if (p == kUntouched || !p) continue;
        // Some releases refuse fine-grained memory, unless they run under RMCP.
        if (flags != hipMallocSignalMemory && flags != hipDeviceMallocFinegrained) query_pointer(p);
        (void)hipFree(p);
    }
    CALL(hipExtMallocWithFlags(&p, 0, hipDeviceMallocFinegrained));
    CALL(hipExtMallocWithFlags(&p, 4096, hipMallocSignalMemory));
    CALL(hipExtMallocWithFlags(nullptr, 4096, hipDeviceMallocDefault));

    section = "pitched memory";
    size_t pitch = 7;
    p = kUntouched;
    CALL(hipMallocPitch(&p, &pitch, 1000, 500), new_block(p, pitch * 500), number(pitch));
    query_pointer(p);
    CALL(hipFree(p));
    CALL(hipMallocPitch(&p, &pitch, 0, 500), at(p), number(pitch));
    CALL(hipMallocPitch(&p, &pitch, 1000, 0), at(p), number(pitch));
    CALL(hipMallocPitch(nullptr, &pitch, 1000, 500));
    if (HIP_VERSION >= 50700000) CALL(hipMallocPitch(&p, nullptr, 1000, 500));  // 5.2.3 crashes
    CALL(hipMallocPitch(&p, &pitch, (size_t)1 << 40, 1 << 20), number(pitch));
    CALL(hipMemAllocPitch((hipDeviceptr_t*)&p, &pitch, 1000, 500, 16), new_block(p, pitch * 500), number(pitch));
    CALL(hipFree(p));
    CALL(hipMemAllocPitch(kNoDevicePointer, &pitch, 1000, 500, 16));
    CALL(hipMemAllocPitch((hipDeviceptr_t*)&p, &pitch, 1000, 500, 3), number(pitch));
    hipPitchedPtr pitched = {kUntouched, 7, 7, 7};
    CALL(hipMalloc3D(&pitched, hipExtent{100, 50, 10}), new_block(pitched.ptr, pitched.pitch * 500), number(pitched.pitch),
         number(pitched.xsize), number(pitched.ysize));
    CALL(hipFree(pitched.ptr));
    CALL(hipMalloc3D(&pitched, hipExtent{0, 0, 0}));
    CALL(hipMalloc3D(&pitched, hipExtent{(size_t)1 << 30, 1 << 20, 1 << 10}));
    CALL(hipMalloc3D(nullptr, hipExtent{100, 50, 10}));
}

static void host_memory() {
    section = "hipHostMalloc";
    for (size_t bytes : {(size_t)0, (size_t)1, (size_t)4096, 3 * kMiB}) {
        p = kUntouched;
        CALL(hipHostMalloc(&p, bytes, 0), number(bytes), new_block(p, bytes));
        if (p == kUntouched || !p) continue;
        query_pointer(p);
        if (bytes > 64) query_pointer((char*)p + 64);
        CALL(hipHostFree(p));
    }
    for (unsigned flags : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 0x10u, 0x10000000u, 0x20000000u, 0x20000001u, 0x40000000u,
                           0x40000002u, 0x80000000u, 0x80000002u, 0xa0000000u, 0xc0000000u, 0xffffffffu}) {
        p = kUntouched;
        CALL(hipHostMalloc(&p, 3 * kMiB, flags), number(flags), new_block(p, 3 * kMiB));
        if (p == kUntouched || !p) continue;
        query_pointer(p);
        CALL(hipHostFree(p));
    }
    for (size_t bytes : kAbsurd) {
        p = kUntouched;
        CALL(hipHostMalloc(&p, bytes, 0), at(p));
    }
    CALL(hipHostMalloc(kNoPointer, 4096, 0));
    CALL(hipHostMalloc(kNoPointer, 0, 0));
    CALL(hipHostMalloc(kNoPointer, 4096, 0xc0000000u));

    section = "other pinned memory";
    p = kUntouched;
    CALL(hipMallocHost(&p, kMiB), new_block(p, kMiB));
    query_pointer(p);
    CALL(hipFreeHost(p));
    CALL(hipMallocHost(kNoPointer, kMiB));
    CALL(hipMallocHost(&p, 0), at(p));
    p = kUntouched;
    CALL(hipMemAllocHost(&p, kMiB), new_block(p, kMiB));
    query_pointer(p);
    CALL(hipHostFree(p));
    CALL(hipMemAllocHost(nullptr, kMiB));
    CALL(hipMemAllocHost(&p, 0), at(p));
    CALL(hipMemAllocHost(&p, kAbsurd[0]), at(p));

    section = "hipHostAlloc";
    for (unsigned flags : {0u, 1u, 2u, 4u, 7u, 8u, 0x40000000u, 0x80000000u}) {
        p = kUntouched;
        CALL(hipHostAlloc(&p, kMiB, flags), number(flags), new_block(p, kMiB));
        if (p == kUntouched || !p) continue;
        query_pointer(p);
        CALL(hipHostFree(p));
    }
    CALL(hipHostAlloc(nullptr, kMiB, 0));
    p = kUntouched;
    CALL(hipHostAlloc(&p, 0, 0), at(p));
    CALL(hipHostAlloc(&p, kAbsurd[0], 0), at(p));

    section = "frees of pinned memory";
    for (int way = 0; way < 3; way++) {
        CALL(hipHostMalloc(&p, kMiB, 0), new_block(p, kMiB));
        if (way == 0) CALL(hipFree((char*)p + 64));
        if (way == 1) CALL(hipHostFree((char*)p + 64));
        unsigned flags = 7;
        CALL(hipHostGetFlags(&flags, p), number(flags));
        if (way == 0) CALL(hipFree(p));
        if (way == 1) CALL(hipHostFree(p));
        if (way == 2) CALL(hipFreeHost(p));
        CALL(hipHostGetFlags(&flags, p), number(flags));
        CALL(hipHostFree(p));
    }
    CALL(hipHostFree(nullptr));
    CALL(hipFreeHost(nullptr));
    static char foreign[64];
    CALL(hipHostFree(foreign));
    CALL(hipFreeHost(foreign));
    query_pointer(foreign);
    query_pointer(nullptr);
    unsigned flags = 7;
    CALL(hipHostMalloc(&p, kMiB, 0), new_block(p, kMiB));
    CALL(hipHostGetFlags(nullptr, p));
    CALL(hipHostGetFlags(nullptr, nullptr));
    CALL(hipPointerGetAttributes(nullptr, p));
    CALL(hipHostGetDevicePointer(nullptr, p, 0));
    CALL(hipHostGetDevicePointer(&q, p, 1), at(q));
    CALL(hipHostGetFlags(&flags, (char*)p + kMiB - 1), number(flags));
    CALL(hipHostGetFlags(&flags, (char*)p + kMiB), number(flags));
    CALL(hipHostFree(p));
}

static void registered_memory() {
    section = "registered memory";
    char* buffer = (char*)aligned_alloc(4096, 4 * kMiB);
    memset(buffer, 1, 4 * kMiB);
    track(buffer, 4 * kMiB);
    for (unsigned flags : {0u, 1u, 2u, 4u, 8u, 0x10u, 0xffffffffu}) {
        hipError_t error = hipSuccess;
        CALL(error = hipHostRegister(buffer, kMiB, flags), number(flags));
        if (error != hipSuccess) continue;
        // 5.2.3 gives the memory another address on the card, and each time another.
        unsigned seen = 7;
        CALL(hipHostGetFlags(&seen, buffer), number(seen));
        CALL(hipHostGetFlags(&seen, buffer + 100), number(seen));
        CALL(hipHostRegister(buffer, kMiB, flags));
        CALL(hipHostUnregister(buffer));
        CALL(hipHostUnregister(buffer));
    }
    CALL(hipHostRegister(nullptr, kMiB, 0));
    CALL(hipHostRegister(buffer, 0, 0));
    CALL(hipHostUnregister(nullptr));
    free(buffer);
}

static void managed_memory() {
    section = "managed memory";
    for (unsigned flags : {0u, 1u, 2u, 3u, 4u, 0xffffffffu}) {
        p = kUntouched;
        CALL(hipMallocManaged(&p, 3 * kMiB, flags), number(flags), new_block(p, 3 * kMiB));
        if (p == kUntouched || !p) continue;
        query_pointer(p);
        query_pointer((char*)p + 4096);
        int32_t value = 7;
        CALL(hipMemRangeGetAttribute(&value, 4, hipMemRangeAttributeReadMostly, p, 4096), number(value));
        CALL(hipMemRangeGetAttribute(&value, 4, hipMemRangeAttributePreferredLocation, p, 4096), number(value));
        CALL(hipMemRangeGetAttribute(&value, 4, hipMemRangeAttributeCoherencyMode, p, 4096), number(value));
        CALL(hipMemAdvise(p, 4096, hipMemAdviseSetReadMostly, 0));
        CALL(hipMemAdvise(p, 4096, hipMemAdviseSetPreferredLocation, 0));
        CALL(hipMemAdvise(p, 4096, hipMemAdviseSetCoarseGrain, 0));
        CALL(hipMemAdvise(p, 4096, hipMemAdviseUnsetCoarseGrain, 0));
        CALL(hipMemAdvise(p, 4096, (hipMemoryAdvise)77, 0));
        CALL(hipMemAdvise(p, 4096, hipMemAdviseSetReadMostly, 9));
        CALL(hipMemAdvise(p, 0, hipMemAdviseSetReadMostly, 0));
        CALL(hipFree(p));
        CALL(hipFree(p));
    }
    p = kUntouched;
    CALL(hipMallocManaged(&p, 0, 1), at(p));
    CALL(hipMallocManaged(&p, kAbsurd[0], 1), at(p));
    CALL(hipMallocManaged(&p, SIZE_MAX, 1), at(p));
    CALL(hipMallocManaged(kNoPointer, 4096, 1));
    CALL(hipMemAdvise(nullptr, 4096, hipMemAdviseSetReadMostly, 0));
}

// Errors that the program has not fetched yet stay what they are.
static void errors() {
    section = "errors that wait";
    CALL_AFTER_ERROR(hipMalloc(&p, kMiB), new_block(p, kMiB));
    CALL_AFTER_ERROR(hipMemGetAddressRange((hipDeviceptr_t*)&q, &size, (hipDeviceptr_t)p), at(q), number(size));
    CALL_AFTER_ERROR(hipFree(p));
    CALL_AFTER_ERROR(hipHostMalloc(&p, kMiB, 0), new_block(p, kMiB));
    unsigned flags = 7;
    CALL_AFTER_ERROR(hipHostGetFlags(&flags, p), number(flags));
    CALL_AFTER_ERROR(hipHostGetFlags(&flags, (char*)p + 64), number(flags));
    CALL_AFTER_ERROR(hipHostGetFlags(&flags, &flags), number(flags));
    hipPointerAttribute_t a;
    CALL_AFTER_ERROR(hipPointerGetAttributes(&a, p), number(a.allocationFlags));
    CALL_AFTER_ERROR(hipPointerGetAttributes(&a, (char*)p + 64), number(a.allocationFlags));
    CALL_AFTER_ERROR(hipPointerGetAttributes(&a, &a));
    CALL_AFTER_ERROR(hipHostFree(p));
    CALL_AFTER_ERROR(hipHostFree(p));
    CALL_AFTER_ERROR(hipMallocHost(&p, kMiB), new_block(p, kMiB));
    CALL_AFTER_ERROR(hipFreeHost(p));
    CALL_AFTER_ERROR(hipMemAllocHost(&p, kMiB), new_block(p, kMiB));
    CALL_AFTER_ERROR(hipHostFree(p));
    CALL_AFTER_ERROR(hipMallocManaged(&p, kMiB, 1), new_block(p, kMiB));
    CALL_AFTER_ERROR(hipMemAdvise(p, 4096, hipMemAdviseSetReadMostly, 0));
    CALL_AFTER_ERROR(hipFree(p));
    CALL_AFTER_ERROR(hipMallocManaged(&p, kAbsurd[0], 1));
    size_t free = 7, total = 7;
    CALL_AFTER_ERROR(hipMemGetInfo(&free, &total), number(free), number(total));
    int value = 7;
    CALL_AFTER_ERROR(hipDeviceGetAttribute(&value, hipDeviceAttributeManagedMemory, 0), number(value));
    CALL_AFTER_ERROR(hipDeviceGetAttribute(&value, (hipDeviceAttribute_t)-5, 0), number(value));
    hipEvent_t event = nullptr;
    CALL_AFTER_ERROR(hipEventCreateWithFlags(&event, hipEventReleaseToDevice));
    CALL_AFTER_ERROR(hipEventQuery(event));
    CALL_AFTER_ERROR(hipEventDestroy(event));
    CALL_AFTER_ERROR(hipExtMallocWithFlags(&p, kMiB, 77));
    CALL_AFTER_ERROR(hipHostMalloc(&p, kMiB, 0xc0000000u));
    CALL_AFTER_ERROR(hipStreamQuery(stream));
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    section = "start";
    CALL(hipInit(0));
    CALL(hipStreamCreate(&stream));
    device_memory();
    host_memory();
    registered_memory();
    managed_memory();
    errors();
    queries();
    hsa();
    arrays();
    pools();
    virtual_memory();
    events();
    captures();
    printf("%d calls\n", calls);
    fflush(stdout);
    // The runtime's own end is not what this is about: 5.2.3 waits there for ever for a stream that was in capture, as
    // hipStreamDestroy does, and from 6.4.3 on hipDeviceReset now and then aborts.
    _exit(0);
}
