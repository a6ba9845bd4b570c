// What all parts of compare.cpp share: the memory at hand, and what the runtime says of it.
#pragma once

#include "compare.h"

static void* p;
static void* q;
static size_t size;
static hipStream_t stream;
static const size_t kMiB = 1 << 20;
// More than any card has, and more than there are addresses.
static const size_t kAbsurd[] = {(size_t)1 << 46, SIZE_MAX / 2, SIZE_MAX};
static hipDeviceptr_t* const kNoDevicePointer = nullptr;
static void** const kNoPointer = nullptr;

// What the runtime says of an address.
static void query_pointer(void* address) {
    hipPointerAttribute_t a;
    memset(&a, 0x5a, sizeof a);
    a.devicePointer = a.hostPointer = kUntouched;
#if HIP_VERSION >= 60000000
#define MEMORY_TYPE type
#else
#define MEMORY_TYPE memoryType
#endif
    CALL(hipPointerGetAttributes(&a, address), number(a.MEMORY_TYPE), number(a.device), at(a.devicePointer),
         at(a.hostPointer), number(a.isManaged), number(a.allocationFlags));
    q = kUntouched, size = 7;
    CALL(hipMemGetAddressRange((hipDeviceptr_t*)&q, &size, (hipDeviceptr_t)address), at(q), number(size));
    size = 7;
    CALL(hipMemPtrGetInfo(address, &size), number(size));
    unsigned flags = 7;
    CALL(hipHostGetFlags(&flags, address), number(flags));
    q = kUntouched;
    CALL(hipHostGetDevicePointer(&q, address, 0), at(q));
    // 5.x crashes on memory that it does not know.
    if (HIP_VERSION < 60000000 && q == kUntouched) return;
    unsigned kind = 7;
    CALL(hipPointerGetAttribute(&kind, HIP_POINTER_ATTRIBUTE_MEMORY_TYPE, (hipDeviceptr_t)address), number(kind));
    int managed = 7;
    CALL(hipPointerGetAttribute(&managed, HIP_POINTER_ATTRIBUTE_IS_MANAGED, (hipDeviceptr_t)address), number(managed));
}

static void query_free_memory() {
    size_t free = 7, total = 7;
    CALL(hipMemGetInfo(&free, &total), number(free), number(total));
}
