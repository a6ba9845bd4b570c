// Events with each flag that bears on the fence behind them: created and recorded before and after the first pinned
// memory, and each must complete.
#include "client.h"

static void event(const char* when, const char* name, unsigned int flags) {
    char label[96];
    snprintf(label, sizeof label, "%s %s", name, when);
    mark(label);
    hipEvent_t event = nullptr;
    hipError_t error = hipEventCreateWithFlags(&event, flags);
    if (error == hipSuccess) error = hipEventRecord(event, nullptr);
    if (error == hipSuccess) error = hipEventSynchronize(event);
    report(label, error, hipGetLastError(), -1);
    if (event) (void)hipEventDestroy(event);
}

static void events(const char* when) {
    event(when, "Default", hipEventDefault);
    event(when, "DisableTiming", hipEventDisableTiming);
    event(when, "ReleaseToDevice", hipEventReleaseToDevice);
    event(when, "ReleaseToSystem", hipEventReleaseToSystem);
    event(when, "DisableSystemFence", 0x20000000);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    mark("start");
    (void)hipFree(nullptr);
    events("before");
    void* memory = nullptr;
    mark("hipHostMalloc(0)");
    hipError_t error = hipHostMalloc(&memory, 0xa00000, 0);
    report("hipHostMalloc(0)", error, hipGetLastError(), -1);
    events("after");
    mark("exit");
    (void)hipHostFree(memory);
    return 0;
}
