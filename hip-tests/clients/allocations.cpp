// Every allocation call with every combination of flags that has a rule of its own, each under its own mark.
#include "client.h"

// More than the runtime keeps in reserve, so that every call reaches the kernel; a multiple of the 2 MiB to which 5.2.3
// rounds VRAM up, and a size that the runtime never asks for by itself.
static const size_t kSize = 0xa00000;

static void* memory;
static long long no_flags() { return -1; }
static void free_device() { (void)hipFree(memory); }

static long long host_flags() {
    unsigned int flags = 0;
    return hipHostGetFlags(&flags, memory) == hipSuccess ? (long long)flags : -1;
}

template <class Call>
static void device(const char* label, Call call) {
    step(label, call, no_flags, free_device);
}

template <class Call>
static void host(const char* label, Call call) {
    step(label, call, host_flags, [] { (void)hipHostFree(memory); });
}

static void host_malloc(const char* label, unsigned int flags) {
    host(label, [flags] { return hipHostMalloc(&memory, kSize, flags); });
}

static void ext_malloc(const char* label, unsigned int flags, size_t size = kSize) {
    device(label, [=] { return hipExtMallocWithFlags(&memory, size, flags); });
}

static void host_register(const char* label, unsigned int flags) {
    void* buffer = aligned_alloc(4096, kSize);
    memset(buffer, 1, kSize);
    step(label, [=] { return hipHostRegister(buffer, kSize, flags); }, no_flags,
         [=] { (void)hipHostUnregister(buffer); });
    free(buffer);
}

static void device_memory() {
    static size_t pitch;
    // 5.2.3 does not take the null stream for hipMallocAsync.
    static hipStream_t stream;
    mark("hipStreamCreate");
    (void)hipStreamCreate(&stream);
    device("hipMalloc", [] { return hipMalloc(&memory, kSize); });
    device("hipMallocPitch", [] { return hipMallocPitch(&memory, &pitch, 4096, kSize / 4096); });
    device("hipMemAllocPitch", [] {
        return hipMemAllocPitch((hipDeviceptr_t*)&memory, &pitch, 4096, kSize / 4096, 16);
    });
    device("hipMalloc3D", [] {
        hipPitchedPtr pointer;
        hipExtent extent = {4096, kSize / 4096, 1};
        hipError_t error = hipMalloc3D(&pointer, extent);
        memory = pointer.ptr;
        return error;
    });
    device("hipMallocAsync", [] {
        hipError_t error = hipMallocAsync(&memory, kSize, stream);
        return error == hipSuccess ? hipStreamSynchronize(stream) : error;
    });

    ext_malloc("hipExtMallocWithFlags(Default)", hipDeviceMallocDefault);
    ext_malloc("hipExtMallocWithFlags(Finegrained)", hipDeviceMallocFinegrained);
    ext_malloc("hipExtMallocWithFlags(SignalMemory)", hipMallocSignalMemory, 8);
    ext_malloc("hipExtMallocWithFlags(Uncached)", 0x3);
    ext_malloc("hipExtMallocWithFlags(Contiguous)", 0x4);
}

static void managed_memory() {
    device("hipMallocManaged(Global)", [] { return hipMallocManaged(&memory, kSize, hipMemAttachGlobal); });
    device("hipMallocManaged(Host)", [] { return hipMallocManaged(&memory, kSize, hipMemAttachHost); });
}

static void host_memory() {
    host_malloc("hipHostMalloc(0)", 0);
    host_malloc("hipHostMalloc(Portable)", hipHostMallocPortable);
    host_malloc("hipHostMalloc(Mapped)", hipHostMallocMapped);
    host_malloc("hipHostMalloc(WriteCombined)", hipHostMallocWriteCombined);
    host_malloc("hipHostMalloc(Coherent)", hipHostMallocCoherent);
    host_malloc("hipHostMalloc(NonCoherent)", hipHostMallocNonCoherent);
    host_malloc("hipHostMalloc(NumaUser)", hipHostMallocNumaUser);
    host_malloc("hipHostMalloc(Uncached)", 0x10000000);
    host_malloc("hipHostMalloc(Portable|Mapped)", hipHostMallocPortable | hipHostMallocMapped);
    host_malloc("hipHostMalloc(Portable|WriteCombined)", hipHostMallocPortable | hipHostMallocWriteCombined);
    host_malloc("hipHostMalloc(Mapped|WriteCombined)", hipHostMallocMapped | hipHostMallocWriteCombined);
    host_malloc("hipHostMalloc(Mapped|Coherent)", hipHostMallocMapped | hipHostMallocCoherent);
    host_malloc("hipHostMalloc(Mapped|NonCoherent)", hipHostMallocMapped | hipHostMallocNonCoherent);
    host_malloc("hipHostMalloc(Coherent|NonCoherent)", hipHostMallocCoherent | hipHostMallocNonCoherent);

    host("hipHostAlloc(0)", [] { return hipHostAlloc(&memory, kSize, 0); });
    host("hipHostAlloc(Portable)", [] { return hipHostAlloc(&memory, kSize, hipHostMallocPortable); });
    host("hipHostAlloc(Mapped)", [] { return hipHostAlloc(&memory, kSize, hipHostMallocMapped); });
    host("hipHostAlloc(Coherent)", [] { return hipHostAlloc(&memory, kSize, hipHostMallocCoherent); });
    host("hipMallocHost", [] { return hipMallocHost(&memory, kSize); });
    host("hipMemAllocHost", [] { return hipMemAllocHost(&memory, kSize); });

    host_register("hipHostRegister(0)", hipHostRegisterDefault);
    host_register("hipHostRegister(Portable)", hipHostRegisterPortable);
    host_register("hipHostRegister(Mapped)", hipHostRegisterMapped);
    host_register("hipHostRegister(CoarseGrained)", 0x8);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    // The runtime sets itself up inside the first call of each kind, and allocates for itself there.
    host_malloc("the first hipHostMalloc(0)", 0);
    device_memory();
    managed_memory();
    host_memory();

    mark("properties");
    hipDeviceProp_t properties;
    hipError_t error = hipGetDeviceProperties(&properties, 0);
    printf("{\"label\": \"properties\", \"code\": %d, \"error\": \"%s\", \"flags\": -1, \"last\": 0, \"arch\": \"%s\"}\n",
           (int)error, hipGetErrorName(error), properties.gcnArchName);
    mark("exit");
    return 0;
}
