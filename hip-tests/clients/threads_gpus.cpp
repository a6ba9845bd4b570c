// Threads that change their current device at every call: `threads_gpus REWRITTEN CALLS`.
//
// REWRITTEN has a digit a device: 1 where RMCP rewrites pinned memory. Memory for device N is kSize + N * kStep bytes, so
// that the emulator's log tells whose it is.
#include "threads.h"

// ROCm 6 and later; fills 1472 bytes, of which those from 1160 on are gcnArchName.
extern "C" __attribute__((weak)) int hipGetDevicePropertiesR0600(char*, int);

static const size_t kSize = 0xa00000, kStep = 0x200000;
static const unsigned kThreads = 8;
static const char* rewritten;
static unsigned devices;
static unsigned long calls;
static pthread_barrier_t start_line;

static void* call(void* first) {
    unsigned device = static_cast<unsigned>(reinterpret_cast<uintptr_t>(first));
    pthread_barrier_wait(&start_line);
    for (unsigned long i = 0; i < calls; i++) {
        device = (device + 1) % devices;
        int error = hipSetDevice(static_cast<int>(device));
        CHECK(!error, "hipSetDevice(%u) returned %d", device, error);
        void* memory = nullptr;
        error = hipHostMalloc(&memory, kSize + device * kStep, 0);
        CHECK(!error, "hipHostMalloc for device %u returned %d", device, error);
        if (rmcp_threads_arrived) {
            long long expected = rewritten[device] == '1' ? 0x80000000 : 0, arrived = rmcp_threads_arrived(memory);
            CHECK(arrived == expected, "%#llx arrived on device %u", arrived, device);
        }
        CHECK(!hipHostFree(memory), "hipHostFree failed");
    }
    return nullptr;
}

int main(int, char** arguments) {
    rewritten = arguments[1];
    devices = static_cast<unsigned>(strlen(rewritten));
    calls = parse_number(arguments[2]) * devices;
    pthread_t threads[kThreads];
    pthread_barrier_init(&start_line, nullptr, kThreads);
    for (uintptr_t thread = 0; thread < kThreads; thread++)
        threads[thread] = start_thread(call, reinterpret_cast<void*>(thread));
    for (pthread_t thread : threads) pthread_join(thread, nullptr);

    char properties[4096];
    for (unsigned device = 0; device < devices; device++)
        if (hipGetDevicePropertiesR0600 && !hipGetDevicePropertiesR0600(properties, static_cast<int>(device)))
            printf("device %u calls itself %s\n", device, properties + 1160);

    rmcp_counter_t rows[128];
    size_t known = rmcp_counters ? rmcp_counters(rows, 128) : 0;
    CHECK(known && known <= 128, "%zu hooks", known);
    for (size_t row = 0; row < known; row++)
        if (!strcmp(rows[row].name, "hipHostMalloc"))
            printf("rewritten %lu forwarded %lu\n", static_cast<unsigned long>(rows[row].rewritten),
                   static_cast<unsigned long>(rows[row].forwarded));
    if (rmcp_threads_device_queries) printf("asked for the device %d times\n", rmcp_threads_device_queries());
    return 0;
}
