// Stands in for the runtime when a program is linked: it has no symbol versions, so neither has what the program imports.
#ifdef HSA
#define FUNCTIONS(f) f(hsa_amd_memory_pool_allocate) f(hsa_amd_memory_pool_free)
#else
#define FUNCTIONS(f)                                                                       \
    f(hipHostMalloc) f(hipHostFree) f(hipMalloc) f(hipMallocManaged) f(hipFree) f(hipGetProcAddress) \
    f(hipGetDriverEntryPoint) f(hipGetDeviceCount)
#endif
#define DEFINE(name) extern "C" void name() {}
FUNCTIONS(DEFINE)
