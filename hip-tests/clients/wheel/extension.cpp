// The compiled half of the wheel: linked to the bundled runtime by its RPATH $ORIGIN/lib.
#include "../client.h"

extern "C" int pinned(const char* label, size_t size, unsigned int flags) {
    void* memory = nullptr;
    mark(label);
    hipError_t error = hipHostMalloc(&memory, size, flags);
    mark("after");
    if (error == hipSuccess) (void)hipHostFree(memory);
    return (int)error;
}
