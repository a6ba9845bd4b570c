// What a running kernel and the program see of each other's writes, in memory of each kind.
//
// The two take turns over words of coherent memory, which RMCP leaves alone: whichever waits knows that the other has
// written and fenced. Then it looks, a thousand times, at the memory that the test is about.
#include "kernels.h"

#include <sched.h>

static const char* const kSource = R"(
struct Turns { unsigned told, answered; };
// Waits for the program's turn to end; the load goes past the caches of the kernel's own core.
static __device__ void wait(const volatile unsigned* turn) { while (*turn == 0) __builtin_amdgcn_s_sleep(1); }

// Writes; lets the program look and answer; looks at the answer.
extern "C" __global__ void talk(volatile unsigned* shared, volatile Turns* turns, unsigned* seen) {
    unsigned before = shared[1];
    shared[0] = 42;
    __threadfence_system();
    turns->told = 1;
    wait(&turns->answered);
    __threadfence_system();
    unsigned answer = before;
    for (int n = 0; n < 1000 && answer == before; n++) answer = shared[1];
    *seen = answer;
}
extern "C" __global__ void look(const unsigned* shared, unsigned* seen) { *seen = shared[1]; }
// Reads one word, and with it the line of the cache that another lies in.
extern "C" __global__ void touch(volatile unsigned* shared, volatile Turns* turns) {
    unsigned read = shared[0];
    turns->told = 1 + (read & 0);
}
extern "C" __global__ void write(unsigned* shared, unsigned value) { shared[threadIdx.x] = value; }

// Counts in turns with the program: half of its own before the program does, half after.
extern "C" __global__ void count(unsigned* counter, volatile Turns* turns) {
    atomicAdd_system(counter, 1u);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence_system();
        turns->told = 1;
        wait(&turns->answered);
    }
    __syncthreads();
    atomicAdd_system(counter, 1u);
}
// Counts while the program counts, by addition and by compare-and-swap.
extern "C" __global__ void race(unsigned* added, unsigned long long* swapped, volatile Turns* turns, int times) {
    turns->told = 1;
    wait(&turns->answered);
    for (int n = 0; n < times; n++) {
        atomicAdd_system(added, 1u);
        unsigned long long old = *(volatile unsigned long long*)swapped, expected;
        do {
            expected = old;
            old = atomicCAS_system(swapped, expected, expected + 1);
        } while (old != expected);
    }
}
)";

struct Turns {
    unsigned told, answered;
};
static volatile Turns* turns;
static unsigned* seen;
static hipModule_t module;
static hipStream_t stream;

static void report_seen(const char* memory, const char* what, bool right) {
    char label[160];
    snprintf(label, sizeof label, "%s: %s", memory, what);
    report_result(label, !right);
}

static void await(volatile unsigned* turn) {
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == 0) sched_yield();
}

static unsigned read(const unsigned* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

// The program polls a word that a kernel has written, but which may not have come.
static bool poll(const unsigned* word, unsigned value) {
    for (int n = 0; n < 1000; n++)
        if (read(word) == value) return true;
    return false;
}

static void reset_turns() { turns->told = turns->answered = 0; }
static void answer() { __atomic_store_n(&turns->answered, 1u, __ATOMIC_RELEASE); }

static void test_polling(const char* memory, unsigned* shared, unsigned* device) {
    reset_turns();
    memset(shared, 0, 4096);
    launch_on(stream, kernel(module, "talk"), 1, 1, device, turns, seen);
    await(&turns->told);
    report_seen(memory, "the program polls what a running kernel wrote", poll(&shared[0], 42));
    __atomic_store_n(&shared[1], 43u, __ATOMIC_SEQ_CST);
    answer();
    HIP_CHECK(hipStreamSynchronize(stream));
    report_seen(memory, "a running kernel polls what the program wrote", read(seen) == 43);
    report_seen(memory, "the program reads what an ended kernel wrote", read(&shared[0]) == 42);
    shared[1] = 44;
    launch_on(stream, kernel(module, "look"), 1, 1, device, seen);
    HIP_CHECK(hipStreamSynchronize(stream));
    report_seen(memory, "the next kernel reads what the program wrote", read(seen) == 44);
}

// The program writes a word beside one that a kernel has read, and has another kernel read it, without having waited.
static void test_neighbour(const char* memory, unsigned* shared, unsigned* device) {
    reset_turns();
    memset(shared, 0, 4096);
    launch_on(stream, kernel(module, "touch"), 1, 1, device, turns);
    await(&turns->told);
    __atomic_store_n(&shared[1], 45u, __ATOMIC_SEQ_CST);
    launch_on(stream, kernel(module, "look"), 1, 1, device, seen);
    HIP_CHECK(hipStreamSynchronize(stream));
    report_seen(memory, "a kernel reads what the program wrote beside what another read", read(seen) == 45);
}

static void test_count(const char* memory, unsigned* shared, unsigned* device) {
    reset_turns();
    *shared = 0;
    launch_on(stream, kernel(module, "count"), 1, 64, device, turns);
    await(&turns->told);
    for (int n = 0; n < 1000; n++) __atomic_fetch_add(shared, 1u, __ATOMIC_SEQ_CST);
    answer();
    HIP_CHECK(hipStreamSynchronize(stream));
    report_seen(memory, "both count in turns", read(shared) == 1000 + 2 * 64);
}

static void test_race(const char* memory, unsigned* shared, unsigned* device) {
    const int times = 300, groups = 8, items = 32;
    reset_turns();
    memset(shared, 0, 4096);
    unsigned long long* wide = (unsigned long long*)(shared + 32);
    launch_on(stream, kernel(module, "race"), groups, items, device, (unsigned long long*)(device + 32), turns, times);
    await(&turns->told);
    answer();
    for (int n = 0; n < times * groups; n++) {
        __atomic_fetch_add(shared, 1u, __ATOMIC_SEQ_CST);
        unsigned long long old = __atomic_load_n(wide, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(wide, &old, old + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}
    }
    HIP_CHECK(hipStreamSynchronize(stream));
    const unsigned all = times * groups * items + times * groups;
    report_seen(memory, "both count at once by addition", read(shared) == all);
    report_seen(memory, "both count at once by compare-and-swap", __atomic_load_n(wide, __ATOMIC_ACQUIRE) == all);
}

// An event is all that the program waits for: `flags` says whether it has a fence.
static void test_event(const char* memory, const char* name, unsigned flags, unsigned* shared, unsigned* device) {
    hipEvent_t event;
    if (hipEventCreateWithFlags(&event, flags) != hipSuccess) {
        (void)hipGetLastError();
        return;
    }
    memset(shared, 0, 4096);
    launch_on(stream, kernel(module, "write"), 1, 64, device, 7u);
    HIP_CHECK(hipEventRecord(event, stream));
    HIP_CHECK(hipEventSynchronize(event));
    size_t wrong = 0;
    for (int n = 0; n < 64; n++) wrong += read(&shared[n]) != 7;
    char label[160];
    snprintf(label, sizeof label, "%s: after an event, %s", memory, name);
    report_result(label, wrong);
    HIP_CHECK(hipStreamSynchronize(stream));
    HIP_CHECK(hipEventDestroy(event));
}

static void test_memory(const char* memory, void* host, void* device) {
    mark(memory);
    unsigned *shared = (unsigned*)host, *there = (unsigned*)device;
    test_polling(memory, shared, there);
    test_neighbour(memory, shared, there);
    test_count(memory, shared, there);
    test_race(memory, shared, there);
    test_event(memory, "Default", hipEventDefault, shared, there);
    test_event(memory, "ReleaseToDevice", hipEventReleaseToDevice, shared, there);
    test_event(memory, "DisableSystemFence", 0x20000000, shared, there);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    module = compile(kSource);
    HIP_CHECK(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    HIP_CHECK(hipHostMalloc((void**)&turns, sizeof *turns, hipHostMallocCoherent));
    HIP_CHECK(hipHostMalloc((void**)&seen, sizeof *seen, hipHostMallocCoherent));
    // The first launch loads the code.
    reset_turns();
    launch_on(stream, kernel(module, "write"), 1, 1, seen, 0u);
    HIP_CHECK(hipStreamSynchronize(stream));

    void *memory, *device;
    HIP_CHECK(hipHostMalloc(&memory, 4096, 0));
    test_memory("hipHostMalloc(0)", memory, memory);
    HIP_CHECK(hipHostMalloc(&memory, 4096, hipHostMallocCoherent));
    test_memory("hipHostMalloc(Coherent)", memory, memory);
    HIP_CHECK(hipHostMalloc(&memory, 4096, hipHostMallocNonCoherent));
    test_memory("hipHostMalloc(NonCoherent)", memory, memory);
    HIP_CHECK(hipMallocManaged(&memory, 4096));
    test_memory("hipMallocManaged", memory, memory);
    memory = aligned_alloc(4096, 4096);
    HIP_CHECK(hipHostRegister(memory, 4096, 0));
    HIP_CHECK(hipHostGetDevicePointer(&device, memory, 0));
    test_memory("hipHostRegister", memory, device);
    mark("exit");
    return 0;
}
