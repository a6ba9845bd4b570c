// Queues that run at once, wait for each other and are timed, and groups that wait for each other.
#include "kernels.h"

static const char* const kSource = R"(
static __device__ void wait(const volatile unsigned* word, unsigned value) {
    while (*word != value) __builtin_amdgcn_s_sleep(1);
}
// Each of two kernels waits for the other: neither ends unless both run at once.
extern "C" __global__ void wait_for_each_other(volatile unsigned* mine, const volatile unsigned* other) {
    *mine = 1;
    wait(other, 1);
}
extern "C" __global__ void wait_for_host(const volatile unsigned* until) { wait(until, 1); }
extern "C" __global__ void twice(const unsigned* from, unsigned* to) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    to[i] = from[i] * 2;
}
extern "C" __global__ void sum(const unsigned* const* from, int count, unsigned* to) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x, all = 0;
    for (int n = 0; n < count; n++) all += from[n][i];
    to[i] = all;
}
extern "C" __global__ void spin(unsigned* to, int times) {
    unsigned value = *to;
    for (int n = 0; n < times; n++) value = value * 1664525 + 1013904223;
    *to = value;
}
// All groups meet at a barrier of atomics `rounds` times; in each round a group reads what its neighbour wrote before it.
extern "C" __global__ void rounds(unsigned* arrived, unsigned* values, unsigned* wrong, int rounds) {
    unsigned group = blockIdx.x, groups = gridDim.x;
    for (int n = 0; n < rounds; n++) {
        if (threadIdx.x == 0) {
            __hip_atomic_store(&values[group], n * groups + group, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
            __threadfence();
            atomicAdd(arrived, 1u);
            while (__hip_atomic_load(arrived, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) < (2 * n + 1) * groups)
                __builtin_amdgcn_s_sleep(1);
            __threadfence();
            unsigned next = (group + 1) % groups;
            if (__hip_atomic_load(&values[next], __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) != n * groups + next)
                atomicAdd(wrong, 1u);
            atomicAdd(arrived, 1u);
            while (__hip_atomic_load(arrived, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) < (2 * n + 2) * groups)
                __builtin_amdgcn_s_sleep(1);
        }
        __syncthreads();
    }
}
// The same by the grid barrier of cooperative groups, which is global wave sync.
extern "C" __device__ void __ockl_grid_sync(void);
extern "C" __global__ void synced(unsigned* values, unsigned* wrong, int rounds) {
    unsigned group = blockIdx.x, groups = gridDim.x, next = (group + 1) % groups;
    for (int n = 0; n < rounds; n++) {
        __hip_atomic_store(&values[group], n * groups + group, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
        __ockl_grid_sync();
        if (__hip_atomic_load(&values[next], __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT) != n * groups + next)
            atomicAdd(wrong, 1u);
        __ockl_grid_sync();
    }
    if (threadIdx.x == 0) atomicAdd(wrong + 1, 1u);
}
)";

static const int kStreams = 4, kItems = 1024;

// A kernel of a module as hipLaunchCooperativeKernel wants it: what a compiler makes of `<<<>>>` registers its code.
// hiprtc's code is a plain object; the runtime wants it in a bundle, as clang-offload-bundler writes it.
extern "C" void** __hipRegisterFatBinary(const void* data);
extern "C" void __hipRegisterFunction(void** modules, const void* function, char* device, const char* name, unsigned limit,
                                      void*, void*, void*, void*, int*);
static void rounds_stub() {}
static void synced_stub() {}

static void register_kernels() {
    static struct {
        unsigned magic, version;
        const void *bundle, *unused;
    } wrapper = {0x48495046, 1, nullptr, nullptr};
    const char target_of_host[] = "host-x86_64-unknown-linux--", target_prefix[] = "hipv4-amdgcn-amd-amdhsa--";
    hipDeviceProp_t device;
    HIP_CHECK(hipGetDeviceProperties(&device, 0));
    char target[320];
    snprintf(target, sizeof target, "%s%s", target_prefix, device.gcnArchName);
    const size_t page = 4096, room = page + last_code_size;
    char* bundle = (char*)aligned_alloc(page, (room + page - 1) / page * page);
    char* at = bundle;
    auto put = [&](const void* from, size_t size) { memcpy(at, from, size), at += size; };
    auto number = [&](unsigned long long value) { put(&value, 8); };
    put("__CLANG_OFFLOAD_BUNDLE__", 24), number(2);
    number(page), number(0), number(sizeof target_of_host - 1), put(target_of_host, sizeof target_of_host - 1);
    number(page), number(last_code_size), number(strlen(target)), put(target, strlen(target));
    memcpy(bundle + page, last_code, last_code_size);
    wrapper.bundle = bundle;
    void** modules = __hipRegisterFatBinary(&wrapper);
    __hipRegisterFunction(modules, (const void*)rounds_stub, (char*)"rounds", "rounds", ~0u, nullptr, nullptr, nullptr,
                          nullptr, nullptr);
    __hipRegisterFunction(modules, (const void*)synced_stub, (char*)"synced", "synced", ~0u, nullptr, nullptr, nullptr,
                          nullptr, nullptr);
}

template <class T> static T* device_memory(size_t count) {
    void* memory;
    HIP_CHECK(hipMalloc(&memory, count * sizeof(T)));
    HIP_CHECK(hipMemset(memory, 0, count * sizeof(T)));
    HIP_CHECK(hipDeviceSynchronize());
    return (T*)memory;
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    hipModule_t module = compile(kSource);
    hipStream_t streams[kStreams];
    for (hipStream_t& stream : streams) HIP_CHECK(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));

    unsigned* flags = device_memory<unsigned>(kStreams);
    for (int n = 0; n < kStreams; n++)
        launch_on(streams[n], kernel(module, "wait_for_each_other"), 1, 1, flags + n, flags + (n + 1) % kStreams);
    for (hipStream_t stream : streams) HIP_CHECK(hipStreamSynchronize(stream));
    report_result("kernels of several streams run at once", 0);

    // A chain over the streams, and its end waits for all of them. The first is held back until everything is queued.
    unsigned* until;
    HIP_CHECK(hipHostMalloc((void**)&until, sizeof *until, hipHostMallocCoherent));
    __atomic_store_n(until, 0u, __ATOMIC_RELEASE);
    unsigned *data[kStreams + 1], **list = device_memory<unsigned*>(kStreams), *total = device_memory<unsigned>(kItems);
    for (unsigned*& items : data) items = device_memory<unsigned>(kItems);
    unsigned host[kItems];
    for (int i = 0; i < kItems; i++) host[i] = (unsigned)i * 2654435761u;
    HIP_CHECK(hipMemcpy(data[0], host, sizeof host, hipMemcpyHostToDevice));
    HIP_CHECK(hipMemcpy(list, data + 1, kStreams * sizeof *data, hipMemcpyHostToDevice));
    hipEvent_t done[kStreams];
    for (hipEvent_t& event : done) HIP_CHECK(hipEventCreateWithFlags(&event, hipEventDisableTiming));
    launch_on(streams[0], kernel(module, "wait_for_host"), 1, 1, until);
    for (int n = 0; n < kStreams; n++) {
        if (n > 0) HIP_CHECK(hipStreamWaitEvent(streams[n], done[n - 1], 0));
        launch_on(streams[n], kernel(module, "twice"), kItems / 64, 64, data[n], data[n + 1]);
        HIP_CHECK(hipEventRecord(done[n], streams[n]));
    }
    for (hipEvent_t event : done) HIP_CHECK(hipStreamWaitEvent(streams[0], event, 0));
    launch_on(streams[0], kernel(module, "sum"), kItems / 64, 64, list, kStreams, total);
    size_t early = hipEventQuery(done[kStreams - 1]) == hipSuccess;
    __atomic_store_n(until, 1u, __ATOMIC_RELEASE);
    HIP_CHECK(hipStreamSynchronize(streams[0]));
    unsigned sums[kItems];
    HIP_CHECK(hipMemcpy(sums, total, sizeof sums, hipMemcpyDeviceToHost));
    size_t wrong = 0;
    for (int i = 0; i < kItems; i++) wrong += sums[i] != host[i] * (2u + 4 + 8 + 16);
    report_result("streams wait for each other's events", wrong + early);

    hipEvent_t times[4];
    for (hipEvent_t& event : times) HIP_CHECK(hipEventCreate(&event));
    HIP_CHECK(hipEventRecord(times[0], streams[1]));
    launch_on(streams[1], kernel(module, "spin"), 1, 64, total, 1000);
    HIP_CHECK(hipEventRecord(times[1], streams[1]));
    launch_on(streams[1], kernel(module, "spin"), 1, 64, total, 20000);
    HIP_CHECK(hipEventRecord(times[2], streams[1]));
    HIP_CHECK(hipEventSynchronize(times[2]));
    float first, second, both;
    HIP_CHECK(hipEventElapsedTime(&first, times[0], times[1]));
    HIP_CHECK(hipEventElapsedTime(&second, times[1], times[2]));
    HIP_CHECK(hipEventElapsedTime(&both, times[0], times[2]));
    float difference = both - first - second;
    wrong = !(first > 0 && second > 0 && difference < 0.01f && difference > -0.01f);
    if (wrong) printf("%f ms and %f ms, %f ms together\n", first, second, both);
    report_result("events tell how long kernels took", wrong);

    int cooperative = 0;
    HIP_CHECK(hipDeviceGetAttribute(&cooperative, hipDeviceAttributeCooperativeLaunch, 0));
    if (!cooperative) return 0;
    unsigned *arrived = device_memory<unsigned>(1), *values = device_memory<unsigned>(64),
             *failures = device_memory<unsigned>(2);
    int rounds = 20;
    void* arguments[] = {&arrived, &values, &failures, &rounds};
    register_kernels();
    HIP_CHECK(hipLaunchCooperativeKernel((const void*)rounds_stub, 24, 64, arguments, 0, streams[2]));
    HIP_CHECK(hipStreamSynchronize(streams[2]));
    unsigned failed = 1, passed = 0;
    HIP_CHECK(hipMemcpy(&failed, failures, sizeof failed, hipMemcpyDeviceToHost));
    HIP_CHECK(hipMemcpy(&passed, arrived, sizeof passed, hipMemcpyDeviceToHost));
    report_result("groups of a cooperative launch meet", failed + (passed != 2u * 24 * 20));

    void* others[] = {&values, &failures, &rounds};
    HIP_CHECK(hipLaunchCooperativeKernel((const void*)synced_stub, 24, 64, others, 0, streams[2]));
    HIP_CHECK(hipStreamSynchronize(streams[2]));
    unsigned counts[2] = {1, 0};
    HIP_CHECK(hipMemcpy(counts, failures, sizeof counts, hipMemcpyDeviceToHost));
    report_result("groups of a cooperative launch meet by grid sync", counts[0] + (counts[1] != 24));
    mark("exit");
    return 0;
}
