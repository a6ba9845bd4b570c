// A library that makes calls by functions that it looks up in RUNTIME, and, with -DLINKED, by its own imports first. Built under
// names for which RMCP has rules and under others.
#include "table.h"

static void make_calls_by(const char* way, const Functions& f) {
    char label[96];
    snprintf(label, sizeof label, "%s hipHostMalloc(0)", way);
    check("hipHostFree", f.host_free(pinned(label, f, 0)));
    snprintf(label, sizeof label, "%s hipMallocManaged", way);
    check("hipFree", f.device_free(managed(label, f)));
}

extern "C" void make_calls(const char* runtime) {
#ifdef LINKED
    make_calls_by("linked", {hipGetDeviceCount, hipHostMalloc, hipHostAlloc, hipMallocHost, hipMemAllocHost, hipMallocManaged,
                             hipMalloc, hipHostFree, hipFree, hipHostGetFlags, hipPointerGetAttributes});
#endif
    make_calls_by("dlsym", looked_up_in(load(runtime)));
}
