// The program behind `rmcp selftest`: `rmcp-selftest-client CATEGORY DEVICE RUNTIME...` tries one category over the public
// API and prints each check, or each figure, as one line of JSON on stdout.
#include "demo.h"

#include <initializer_list>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

HIP int hipGetDeviceCount(int* count);
HIP int hipDeviceGetName(char* name, int size, int device);
HIP int hipRuntimeGetVersion(int* version);
HIP int hipMemGetInfo(size_t* free, size_t* total);
HIP int hipHostGetFlags(unsigned* flags, void* ptr);
HIP int hipHostGetDevicePointer(void** device, void* host, unsigned flags);
HIP int hipMemcpy(void* to, const void* from, size_t size, int kind);
HIP int hipMemcpyAsync(void* to, const void* from, size_t size, int kind, void* stream);
HIP int hipMemset(void* ptr, int value, size_t size);
HIP int hipStreamCreate(void** stream);
HIP int hipStreamSynchronize(void* stream);
HIP int hipStreamDestroy(void* stream);
HIP int hipDeviceSynchronize();

// include/rmcp.h
extern "C" __attribute__((weak)) int rmcp_status(void* status, size_t size);

enum { kToDevice = 1, kToHost = 2, kOnDevice = 3, kByAddress = 4, kOutOfMemory = 2 };

static const size_t kMiB = 1 << 20;

// One check. The text tells what was tried, and where it failed what came instead.
__attribute__((format(printf, 2, 3))) static bool check(bool good, const char* format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("{\"check\": \"%s\", \"passed\": %s}\n", text, good ? "true" : "false");
    return good;
}

// A call that has to succeed for the rest to make sense.
#define NEED(call)                                                                              \
    do {                                                                                        \
        if (int error = (call)) {                                                               \
            check(false, "line %d: " #call ": %s", __LINE__, hipGetErrorName(error));           \
            return;                                                                             \
        }                                                                                       \
    } while (0)

// The byte at a place of a pattern that no shift by a power of two repeats.
static unsigned char pattern(size_t at, unsigned seed) { return (unsigned char)((at * 2654435761u >> 13) + at + seed); }

static void fill(void* memory, size_t size, unsigned seed) {
    for (size_t at = 0; at < size; at++) ((unsigned char*)memory)[at] = pattern(at, seed);
}

// How many bytes are not the pattern's.
static size_t wrong(const void* memory, size_t size, unsigned seed) {
    size_t count = 0;
    for (size_t at = 0; at < size; at++) count += ((const unsigned char*)memory)[at] != pattern(at, seed);
    return count;
}

static void detection() {
    int count = 0, version = 0;
    NEED(hipGetDeviceCount(&count));
    check(count > 0, "HIP sees %d GPUs", count);
    char name[128] = "";
    NEED(hipDeviceGetName(name, sizeof name, 0));
    NEED(hipRuntimeGetVersion(&version));
    check(version > 0, "runtime version %d, device 0 is %.60s", version, name);
    size_t free = 0, total = 0;
    NEED(hipMemGetInfo(&free, &total));
    check(total && free <= total, "%zu MiB of %zu MiB are free", free / kMiB, total / kMiB);
    if (rmcp_status) check(rmcp_status(nullptr, 0) == 2, "RMCP is in this process, state %d", rmcp_status(nullptr, 0));
}

// A fill is a kernel. Where the kernel driver refuses the runtime's queue the process ends within.
static void queue() {
    const size_t size = 64 << 10;
    void* memory = nullptr;
    NEED(hipMalloc(&memory, size));
    NEED(hipMemset(memory, 0x5a, size));
    NEED(hipDeviceSynchronize());
    static unsigned char bytes[size];
    NEED(hipMemcpy(bytes, memory, size, kToHost));
    size_t wrong = 0;
    for (unsigned char byte : bytes) wrong += byte != 0x5a;
    check(wrong == 0, "a kernel starts and fills %zu bytes, %zu of them wrong", size, wrong);
    NEED(hipFree(memory));
}

static void allocate(size_t size) {
    void* memory = nullptr;
    int error = hipMalloc(&memory, size);
    if (!check(!error && memory, "hipMalloc of %zu bytes: %s", size, hipGetErrorName(error))) return;
    unsigned char last = 0;
    // From the last page on: ROCm 5.2.3 fills a few bytes at an odd address wrong by itself.
    size_t page = (size - 1) & ~size_t(4095);
    int set = hipMemset((char*)memory + page, 0x5a, size - page), got = hipMemcpy(&last, (char*)memory + size - 1, 1, kToHost);
    if (set || got || last != 0x5a) check(false, "the last of %zu bytes is %#x, not 0x5a", size, last);
    if (int error = hipFree(memory)) check(false, "hipFree of %zu bytes: %s", size, hipGetErrorName(error));
}

static void sizes() {
    for (size_t size : {size_t(1), size_t(255), size_t(4096), size_t(4097), kMiB, kMiB + 1, 64 * kMiB}) allocate(size);
    size_t free = 0, total = 0, after = 0;
    NEED(hipMemGetInfo(&free, &total));
    allocate(free / 2);
    void* memory = nullptr;
    int error = hipMalloc(&memory, total + (kMiB << 10));
    check(error == kOutOfMemory && !memory, "more than the card has is refused: %s", hipGetErrorName(error));
    allocate(4096);
    NEED(hipMemGetInfo(&after, &total));
    check(after + 64 * kMiB > free, "what was freed is free again: %zu MiB, at first %zu MiB", after / kMiB, free / kMiB);
}

// Bytes that the CPU wrote to `host` reach the card and come back.
static void there_and_back(const char* what, void* host, size_t size) {
    void *device = nullptr, *back = malloc(size);
    NEED(hipMalloc(&device, size));
    fill(host, size, 1);
    NEED(hipMemcpy(device, host, size, kToDevice));
    NEED(hipMemcpy(back, device, size, kToHost));
    size_t lost = wrong(back, size, 1);
    fill(back, size, 2);
    NEED(hipMemcpy(device, back, size, kToDevice));
    NEED(hipMemcpy(host, device, size, kToHost));
    lost += wrong(host, size, 2);
    check(!lost, "%s: %zu of %zu bytes wrong after a copy to the card and back", what, lost, 2 * size);
    free(back);
    NEED(hipFree(device));
}

static void pinned() {
    const size_t size = kMiB + 3;
    const struct { unsigned flags; const char* name; } kinds[] = {
        {0, "hipHostMalloc(0)"}, {kPortable, "hipHostMalloc(Portable)"}, {kMapped, "hipHostMalloc(Mapped)"},
        {kCoherent, "hipHostMalloc(Coherent)"}, {kNonCoherent, "hipHostMalloc(NonCoherent)"}};
    for (auto kind : kinds) {
        void *host = nullptr, *device = nullptr;
        NEED(hipHostMalloc(&host, size, kind.flags));
        unsigned flags = 0;
        NEED(hipHostGetFlags(&flags, host));
        // What the runtime adds or leaves out of its own is its affair; NonCoherent must not show unless it was asked for.
        check((flags & ~kind.flags & kNonCoherent) == 0, "%s: hipHostGetFlags says %#x", kind.name, flags);
        NEED(hipHostGetDevicePointer(&device, host, 0));
        there_and_back(kind.name, host, size);
        NEED(hipHostFree(host));
    }
    void* own = malloc(size);
    NEED(hipHostRegister(own, size, 0));
    there_and_back("hipHostRegister(0)", own, size);
    NEED(hipHostUnregister(own));
    free(own);
}

static void managed() {
    const size_t size = kMiB + 3;
    void* memory = nullptr;
    int error = hipMallocManaged(&memory, size, kAttachGlobal);
    if (!check(!error, "hipMallocManaged of %zu bytes: %s", size, hipGetErrorName(error))) return;
    there_and_back("managed memory", memory, size);
    NEED(hipMemset(memory, 0x5a, size));
    NEED(hipDeviceSynchronize());
    size_t lost = 0;
    for (size_t at = 0; at < size; at++) lost += ((unsigned char*)memory)[at] != 0x5a;
    check(!lost, "managed memory: %zu of %zu bytes wrong after hipMemset and hipDeviceSynchronize", lost, size);
    NEED(hipFree(memory));
}

// One size over: pageable to the card, on the card, back to pinned; in turn, or queued on a stream.
static void copy(size_t size, bool queued) {
    void *from = malloc(size), *to = nullptr, *first = nullptr, *second = nullptr, *stream = nullptr;
    NEED(hipHostMalloc(&to, size, 0));
    NEED(hipMalloc(&first, size));
    NEED(hipMalloc(&second, size));
    fill(from, size, 3);
    fill(to, size, 4);
    if (queued) {
        NEED(hipStreamCreate(&stream));
        NEED(hipMemcpyAsync(first, from, size, kToDevice, stream));
        NEED(hipMemcpyAsync(second, first, size, kOnDevice, stream));
        NEED(hipMemcpyAsync(to, second, size, kToHost, stream));
        NEED(hipStreamSynchronize(stream));
        NEED(hipStreamDestroy(stream));
    } else {
        NEED(hipMemcpy(first, from, size, kToDevice));
        NEED(hipMemcpy(second, first, size, kOnDevice));
        NEED(hipMemcpy(to, second, size, kToHost));
    }
    size_t lost = wrong(to, size, 3);
    check(!lost, "%zu bytes to the card, on it and back%s: %zu wrong", size, queued ? " on a stream" : "", lost);
    NEED(hipFree(first));
    NEED(hipFree(second));
    NEED(hipHostFree(to));
    free(from);
}

static void copies() {
    for (size_t size : {size_t(1), size_t(3), size_t(4095), size_t(65537), kMiB, 16 * kMiB + 3}) {
        copy(size, false);
        copy(size, true);
    }
}

static void* work(void* errors) {
    const size_t size = 64 << 10;
    unsigned char buffer[64];
    for (int round = 0; round < 25; round++) {
        void *device = nullptr, *host = nullptr;
        bool good = !hipMalloc(&device, size) && !hipHostMalloc(&host, size, 0);
        if (good) {
            fill(host, size, round);
            good = !hipMemcpy(device, host, size, kToDevice) && !hipMemcpy(buffer, device, sizeof buffer, kToHost) &&
                   !wrong(buffer, sizeof buffer, round);
        }
        good = !hipHostFree(host) && !hipFree(device) && good;
        if (!good) __atomic_add_fetch((int*)errors, 1, __ATOMIC_RELAXED);
    }
    return nullptr;
}

static void threads() {
    const int count = 8;
    int errors = 0;
    pthread_t all[count];
    for (auto& thread : all) pthread_create(&thread, nullptr, work, &errors);
    for (auto& thread : all) pthread_join(thread, nullptr);
    check(!errors, "%d threads allocate, copy and free 25 times each: %d rounds wrong", count, errors);
    // A data loader of Python does this: children of a process that uses the GPU do not use it themselves.
    int failed = 0;
    for (int child = 0; child < 8; child++) {
        pid_t process = fork();
        if (!process) _exit(0);
        int status = 1;
        if (process < 0 || waitpid(process, &status, 0) != process || status) failed++;
    }
    check(!failed, "8 children of a process that uses the GPU end at once: %d did not", failed);
    errors = 0;
    work(&errors);
    check(!errors, "their parent works on: %d rounds wrong", errors);
}

static double seconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

// The median over 9 runs, which the first one does not belong to: it sets things up.
template <class Run>
static void time_it(const char* what, const char* unit, double units, bool per_second, Run run) {
    double took[9];
    for (int turn = -1; turn < 9; turn++) {
        double start = seconds();
        run();
        double spent = seconds() - start;
        if (turn >= 0) took[turn] = spent;
    }
    for (int i = 0; i < 9; i++)
        for (int j = i + 1; j < 9; j++)
            if (took[j] < took[i]) { double swap = took[i]; took[i] = took[j]; took[j] = swap; }
    double value = per_second ? units / took[4] : took[4] / units;
    printf("{\"figure\": \"%s\", \"unit\": \"%s\", \"value\": %.6g}\n", what, unit, value);
}

static void speed() {
    const size_t size = 8 * kMiB;
    const double gigabytes = size * 1e-9;
    time_it("hipMalloc and hipFree of 4 KiB", "us", 100e-6, false, [] {
        for (int i = 0; i < 100; i++) {
            void* memory = nullptr;
            if (!hipMalloc(&memory, 4096)) hipFree(memory);
        }
    });
    time_it("hipHostMalloc and hipHostFree of 64 KiB", "us", 100e-6, false, [] {
        for (int i = 0; i < 100; i++) {
            void* memory = nullptr;
            if (!hipHostMalloc(&memory, 64 << 10, 0)) hipHostFree(memory);
        }
    });
    static void *host = nullptr, *device = nullptr;
    NEED(hipHostMalloc(&host, size, 0));
    NEED(hipMalloc(&device, size));
    fill(host, size, 0);
    time_it("8 MiB from pinned memory to the card", "GB/s", gigabytes, true, [] { hipMemcpy(device, host, size, kToDevice); });
    time_it("8 MiB from the card to pinned memory", "GB/s", gigabytes, true, [] { hipMemcpy(host, device, size, kToHost); });
    time_it("hipMemset of 8 MiB", "GB/s", gigabytes, true, [] {
        hipMemset(device, 0, size);
        hipDeviceSynchronize();
    });
    NEED(hipFree(device));
    NEED(hipHostFree(host));
}

int main(int count, char** arguments) {
    const struct { const char* name; void (*run)(); } categories[] = {
        {"detection", detection}, {"queue", queue}, {"sizes", sizes}, {"pinned", pinned}, {"managed", managed},
        {"copies", copies}, {"threads", threads}, {"speed", speed}};
    for (auto category : categories) {
        if (count > 3 && !strcmp(arguments[1], category.name)) {
            // What was found out must not be lost with a process that ends badly.
            setvbuf(stdout, nullptr, _IOLBF, 0);
            open_runtime(count - 1, arguments + 1);
            category.run();
            return 0;
        }
    }
    fprintf(stderr, "usage: rmcp-selftest-client CATEGORY DEVICE RUNTIME...\n");
    return 2;
}
