// What XLA wants of libraries that JAX's programs here have no use for: hipBLASLt and MIOpen are started and answer, RCCL
// refuses every call.

#define REFUSE(name) \
    extern "C" int name() { return 3; }  // ncclInternalError

extern "C" int hipblasLtCreate(void **handle) {
    *handle = handle;
    return 0;
}
extern "C" int hipblasLtDestroy(void *) { return 0; }
extern "C" int miopenCreateWithStream(void **handle, void *) {
    *handle = handle;
    return 0;
}
extern "C" int miopenDestroy(void *) { return 0; }
extern "C" int miopenGetVersion(unsigned long *major, unsigned long *minor, unsigned long *patch) {
    *major = 3, *minor = 4, *patch = 0;
    return 0;
}

REFUSE(ncclAllGather)
REFUSE(ncclAllReduce)
REFUSE(ncclBroadcast)
REFUSE(ncclCommAbort)
REFUSE(ncclCommCount)
REFUSE(ncclCommDeregister)
REFUSE(ncclCommDestroy)
REFUSE(ncclCommGetAsyncError)
REFUSE(ncclCommInitRankConfig)
REFUSE(ncclCommRegister)
REFUSE(ncclCommSplit)
REFUSE(ncclGetUniqueId)
REFUSE(ncclGroupEnd)
REFUSE(ncclGroupStart)
REFUSE(ncclRecv)
REFUSE(ncclReduceScatter)
REFUSE(ncclSend)

extern "C" const char *ncclGetErrorString(int) { return "RCCL is a stand-in"; }
extern "C" const char *ncclGetLastError(void *) { return "RCCL is a stand-in"; }
