// RCCL between the two GPUs of one process: each collective once, and what arrived.
#include "kernels.h"

#include <rccl/rccl.h>

static const int GPUS = 2;
static const size_t COUNT = 1000;

static ncclComm_t comms[GPUS];
static hipStream_t streams[GPUS];
static float *sent[GPUS], *received[GPUS];

// What rank `rank` sends in place `i`.
static float value(int rank, size_t i) { return (float)((rank + 1) * 1000 + i); }

// Has both GPUs make `call` in one group, waits for both, and counts what `expected(rank, i)` does not say.
template <class Call, class Expected> static void collective(const char* label, Call call, Expected expected) {
    float host[COUNT];
    mark(label);
    for (int rank = 0; rank < GPUS; rank++) {
        HIP_CHECK(hipSetDevice(rank));
        for (size_t i = 0; i < COUNT; i++) host[i] = value(rank, i);
        HIP_CHECK(hipMemcpy(sent[rank], host, sizeof host, hipMemcpyHostToDevice));
        HIP_CHECK(hipMemset(received[rank], 0, sizeof host));
        HIP_CHECK(hipDeviceSynchronize());
    }
    HIP_CHECK(ncclGroupStart());
    for (int rank = 0; rank < GPUS; rank++) call(rank);
    HIP_CHECK(ncclGroupEnd());
    size_t wrong = 0;
    for (int rank = 0; rank < GPUS; rank++) {
        HIP_CHECK(hipSetDevice(rank));
        HIP_CHECK(hipStreamSynchronize(streams[rank]));
        HIP_CHECK(hipMemcpy(host, received[rank], sizeof host, hipMemcpyDeviceToHost));
        for (size_t i = 0; i < COUNT; i++) wrong += host[i] != expected(rank, i);
    }
    report_result(label, wrong);
}

int main() {
    HIP_CHECK(ncclCommInitAll(comms, GPUS, nullptr));
    for (int rank = 0; rank < GPUS; rank++) {
        HIP_CHECK(hipSetDevice(rank));
        HIP_CHECK(hipStreamCreate(&streams[rank]));
        HIP_CHECK(hipMalloc((void**)&sent[rank], COUNT * sizeof(float)));
        HIP_CHECK(hipMalloc((void**)&received[rank], COUNT * sizeof(float)));
    }
    collective(
        "all-reduce",
        [](int rank) {
            HIP_CHECK(ncclAllReduce(sent[rank], received[rank], COUNT, ncclFloat, ncclSum, comms[rank], streams[rank]));
        },
        [](int, size_t i) { return value(0, i) + value(1, i); });
    collective(
        "broadcast",
        [](int rank) {
            HIP_CHECK(ncclBroadcast(sent[rank], received[rank], COUNT, ncclFloat, 1, comms[rank], streams[rank]));
        },
        [](int, size_t i) { return value(1, i); });
    collective(
        "send and receive",
        [](int rank) {
            HIP_CHECK(ncclSend(sent[rank], COUNT, ncclFloat, !rank, comms[rank], streams[rank]));
            HIP_CHECK(ncclRecv(received[rank], COUNT, ncclFloat, !rank, comms[rank], streams[rank]));
        },
        [](int rank, size_t i) { return value(!rank, i); });
    for (int rank = 0; rank < GPUS; rank++) HIP_CHECK(ncclCommDestroy(comms[rank]));
}
