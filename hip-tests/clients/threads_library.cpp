// A library that calls the runtime it is linked with.
#include "threads.h"

// Allocates pinned memory with flags 0 and frees it; returns the flags that reached the library's own runtime, -1 if the
// call went to another one.
extern "C" long long library_call() {
    void* memory = nullptr;
    CHECK(!hipHostMalloc(&memory, 4096, 0) && memory, "hipHostMalloc failed");
    long long arrived = rmcp_threads_arrived(memory);
    CHECK(!hipHostFree(memory), "hipHostFree failed");
    return arrived;
}
