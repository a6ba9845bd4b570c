// The part of compare.cpp on arrays, pools, virtual memory, events, graphs and streams in capture.
#pragma once

#include "compare_memory.h"

// 5.2.3 crashes where a pointer is null.
static const bool kChecksArrays = HIP_VERSION >= 50700000;

static void arrays() {
    section = "arrays";
    hipChannelFormatDesc format = {32, 0, 0, 0, hipChannelFormatKindFloat};
    hipArray_t array = nullptr;
    for (unsigned flags : {0u, 1u, 2u, 4u, 0xffu}) {
        array = nullptr;
        CALL(hipMallocArray(&array, &format, 64, 64, flags), number(flags), number(array != nullptr));
        if (array) CALL(hipFreeArray(array));
    }
    CALL(hipMallocArray(&array, &format, 0, 0, 0));
    if (kChecksArrays) CALL(hipMallocArray(&array, nullptr, 64, 64, 0));
    if (kChecksArrays) CALL(hipMallocArray(nullptr, &format, 64, 64, 0));
    CALL(hipFreeArray(nullptr));
    array = nullptr;
    CALL(hipMalloc3DArray(&array, &format, hipExtent{16, 16, 16}, 0), number(array != nullptr));
    if (array) CALL(hipFreeArray(array));
    if (kChecksArrays) CALL(hipMalloc3DArray(nullptr, &format, hipExtent{16, 16, 16}, 0));
    HIP_ARRAY_DESCRIPTOR flat = {};
    flat.Width = 64, flat.Height = 64, flat.Format = HIP_AD_FORMAT_FLOAT, flat.NumChannels = 1;
    array = nullptr;
    CALL(hipArrayCreate(&array, &flat), number(array != nullptr));
    if (array) CALL(hipArrayDestroy(array));
    if (kChecksArrays) CALL(hipArrayCreate(nullptr, &flat));
    CALL(hipArrayDestroy(nullptr));
    HIP_ARRAY3D_DESCRIPTOR deep = {};
    deep.Width = 16, deep.Height = 16, deep.Depth = 16, deep.Format = HIP_AD_FORMAT_FLOAT, deep.NumChannels = 1;
    array = nullptr;
    CALL(hipArray3DCreate(&array, &deep), number(array != nullptr));
    if (array) CALL(hipArrayDestroy(array));
    if (kChecksArrays) CALL(hipArray3DCreate(nullptr, &deep));
    hipMipmappedArray_t mipmapped = nullptr;
    CALL(hipMallocMipmappedArray(&mipmapped, &format, hipExtent{64, 64, 0}, 3, 0), number(mipmapped != nullptr));
    if (mipmapped) CALL(hipFreeMipmappedArray(mipmapped));
    if (kChecksArrays) CALL(hipMallocMipmappedArray(nullptr, &format, hipExtent{64, 64, 0}, 3, 0));
    CALL(hipFreeMipmappedArray(nullptr));
    mipmapped = nullptr;
    CALL(hipMipmappedArrayCreate(&mipmapped, &deep, 2), number(mipmapped != nullptr));
    if (mipmapped) CALL(hipMipmappedArrayDestroy(mipmapped));
    if (kChecksArrays) CALL(hipMipmappedArrayCreate(nullptr, &deep, 2));
}

static void pools() {
    section = "pools";
    for (size_t bytes : {(size_t)0, (size_t)4096, 3 * kMiB}) {
        p = kUntouched;
        CALL(hipMallocAsync(&p, bytes, stream), number(bytes), new_block(p, bytes));
        if (p == kUntouched || !p) continue;
        CALL(hipStreamSynchronize(stream));
        query_pointer(p);
        CALL(hipFreeAsync(p, stream));
        CALL(hipStreamSynchronize(stream));
    }
    CALL(hipMallocAsync(&p, kAbsurd[0], stream));
    CALL(hipMallocAsync(nullptr, 4096, stream));
    CALL(hipFreeAsync(nullptr, stream));
    hipMemPool_t pool = nullptr;
    CALL(hipDeviceGetDefaultMemPool(&pool, 0), number(pool != nullptr));
    CALL(hipDeviceGetDefaultMemPool(&pool, 9));
    hipMemPoolProps properties;
    memset(&properties, 0, sizeof properties);
    properties.allocType = hipMemAllocationTypePinned;
    properties.location.type = hipMemLocationTypeDevice;
    hipMemPool_t own = nullptr;
    CALL(hipMemPoolCreate(&own, &properties), number(own != nullptr));
    p = kUntouched;
    CALL(hipMallocFromPoolAsync(&p, kMiB, own, stream), new_block(p, kMiB));
    CALL(hipStreamSynchronize(stream));
    query_pointer(p);
    uint64_t used = 7;
    CALL(hipMemPoolGetAttribute(own, hipMemPoolAttrUsedMemCurrent, &used), number(used));
    CALL(hipMemPoolGetAttribute(own, hipMemPoolAttrReservedMemCurrent, &used), number(used));
    query_free_memory();
    CALL(hipFreeAsync(p, stream));
    CALL(hipStreamSynchronize(stream));
    CALL(hipMallocFromPoolAsync(&p, kAbsurd[0], own, stream));
    CALL(hipMallocFromPoolAsync(&p, kMiB, nullptr, stream));
    CALL(hipMallocFromPoolAsync(nullptr, kMiB, own, stream));
    CALL(hipMemPoolTrimTo(own, 0));
    CALL(hipMemPoolDestroy(own));
    CALL(hipMemPoolCreate(nullptr, &properties));
    if (HIP_VERSION >= 60000000) CALL(hipMemPoolCreate(&own, nullptr));  // 5.x crashes
    properties.allocType = hipMemAllocationTypeInvalid;
    CALL(hipMemPoolCreate(&own, &properties));
}

static void virtual_memory() {
    section = "virtual memory";
    hipMemAllocationProp properties;
    memset(&properties, 0, sizeof properties);
    properties.type = hipMemAllocationTypePinned;
    properties.location.type = hipMemLocationTypeDevice;
    size_t step = 7;
    CALL(hipMemGetAllocationGranularity(&step, &properties, hipMemAllocationGranularityMinimum), number(step));
    size_t bytes = 4 * kMiB;
    p = kUntouched;
    CALL(hipMemAddressReserve(&p, bytes, 0, nullptr, 0), new_block(p, bytes));
    hipMemGenericAllocationHandle_t handle = nullptr;
    CALL(hipMemCreate(&handle, bytes, &properties, 0), number(handle != nullptr));
    if (handle) {
        CALL(hipMemMap(p, bytes, 0, handle, 0));
        hipMemAccessDesc access;
        memset(&access, 0, sizeof access);
        access.location.type = hipMemLocationTypeDevice;
        access.flags = hipMemAccessFlagsProtReadWrite;
        CALL(hipMemSetAccess(p, bytes, &access, 1));
        query_free_memory();
        hipPointerAttribute_t attributes;
        memset(&attributes, 0x5a, sizeof attributes);
        CALL(hipPointerGetAttributes(&attributes, p), number(attributes.device), number(attributes.allocationFlags));
        CALL(hipMemUnmap(p, bytes));
        CALL(hipMemRelease(handle));
    }
    CALL(hipMemAddressFree(p, bytes));
    CALL(hipMemCreate(&handle, 0, &properties, 0));
    CALL(hipMemCreate(&handle, 1, &properties, 0));
    CALL(hipMemCreate(&handle, bytes, &properties, 1));
    CALL(hipMemCreate(&handle, bytes, nullptr, 0));
    CALL(hipMemCreate(nullptr, bytes, &properties, 0));
    CALL(hipMemCreate(&handle, kAbsurd[0], &properties, 0));
}

static void events() {
    section = "events";
    for (unsigned flags : {0u, 1u, 2u, 3u, 4u, 0x20000000u, 0x40000000u, 0x80000000u, 0xc0000000u, 0x60000000u, 0x10u}) {
        hipEvent_t event = nullptr;
        CALL(hipEventCreateWithFlags(&event, flags), number(flags), number(event != nullptr));
        // 5.2.3 waits for ever for one between processes.
        if (!event || (HIP_VERSION < 50700000 && flags == hipEventInterprocess)) continue;
        CALL(hipEventQuery(event));
        CALL(hipEventRecord(event, stream));
        CALL(hipEventSynchronize(event));
        CALL(hipEventQuery(event));
        CALL(hipEventDestroy(event));
    }
    CALL(hipEventCreateWithFlags(nullptr, 0));
    CALL(hipEventDestroy(nullptr));
}

// One capture for each call: what the call answers, whether the stream is still in capture, and how it ends.
template <class Captured>
static void capture(const char* name, hipStreamCaptureMode mode, Captured call) {
    section = name;
    CALL(hipStreamBeginCapture(stream, mode), number(mode));
    call();
    hipStreamCaptureStatus status = (hipStreamCaptureStatus)7;
    CALL(hipStreamIsCapturing(stream, &status), number(status));
    hipGraph_t graph = nullptr;
    CALL(hipStreamEndCapture(stream, &graph), number(graph != nullptr));
    size_t nodes = 7;
    if (graph) {
        CALL(hipGraphGetNodes(graph, nullptr, &nodes), number(nodes));
        CALL(hipGraphDestroy(graph));
    }
}

// The capture of an allocation and the free behind it.
#define CAPTURE(name, allocation, release)             \
    capture("capture of " name, mode, [] {             \
        p = nullptr;                                   \
        CALL(allocation, new_block(p, kMiB));              \
        if (p) CALL(release);                          \
    })

static void captures() {
    for (hipStreamCaptureMode mode :
         {hipStreamCaptureModeGlobal, hipStreamCaptureModeThreadLocal, hipStreamCaptureModeRelaxed}) {
        capture("capture of nothing", mode, [] {});
        CAPTURE("hipMalloc", hipMalloc(&p, kMiB), hipFree(p));
        capture("capture of hipHostMalloc", mode, [] {
            p = nullptr;
            CALL(hipHostMalloc(&p, kMiB, 0), new_block(p, kMiB));
            unsigned flags = 7;
            CALL(hipHostGetFlags(&flags, p), number(flags));
            if (p) CALL(hipHostFree(p));
        });
        CAPTURE("hipMemAllocHost", hipMemAllocHost(&p, kMiB), hipHostFree(p));
        CAPTURE("hipMallocManaged", hipMallocManaged(&p, kMiB, 1), hipFree(p));
        capture("capture of queries", mode, [] {
            query_free_memory();
            int value = 7;
            CALL(hipDeviceGetAttribute(&value, hipDeviceAttributeManagedMemory, 0), number(value));
            hipEvent_t event = nullptr;
            CALL(hipEventCreateWithFlags(&event, hipEventReleaseToDevice), number(event != nullptr));
            CALL(hipEventRecord(event, stream));
            CALL(hipEventDestroy(event));
        });
        CAPTURE("hipMallocAsync", hipMallocAsync(&p, kMiB, stream), hipFreeAsync(p, stream));
    }
    section = "graphs";
    hipGraph_t graph = nullptr;
    CALL(hipGraphCreate(&graph, 0));
#if HIP_VERSION >= 50700000
    hipMemAllocNodeParams parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.poolProps.allocType = hipMemAllocationTypePinned;
    parameters.poolProps.location.type = hipMemLocationTypeDevice;
    parameters.bytesize = kMiB;
    hipGraphNode_t node = nullptr, free_node = nullptr;
    CALL(hipGraphAddMemAllocNode(&node, graph, nullptr, 0, &parameters), number(node != nullptr),
         number(parameters.dptr != nullptr));
    if (node) {
        CALL(hipGraphAddMemFreeNode(&free_node, graph, &node, 1, parameters.dptr));
        hipGraphExec_t exec = nullptr;
        CALL(hipGraphInstantiate(&exec, graph, nullptr, nullptr, 0));
        CALL(hipGraphLaunch(exec, stream));
        CALL(hipStreamSynchronize(stream));
        CALL(hipGraphExecDestroy(exec));
    }
    parameters.bytesize = 0;
    CALL(hipGraphAddMemAllocNode(&node, graph, nullptr, 0, &parameters));
    CALL(hipGraphAddMemAllocNode(nullptr, graph, nullptr, 0, &parameters));
    CALL(hipGraphAddMemAllocNode(&node, graph, nullptr, 0, nullptr));
#endif
    CALL(hipGraphDestroy(graph));
}
