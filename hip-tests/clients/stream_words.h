// Streams that wait for a word of memory which the program writes, and write one that the program polls. `CALL` says how the
// functions are reached.
#pragma once

#include "kernels.h"

#include <sched.h>

static hipStream_t stream;

// What a call returned, and the thread's last error after it.
static bool report_call(const char* memory, const char* what, hipError_t error) {
    char label[240];
    snprintf(label, sizeof label, "%s: %s", memory, what);
    report(label, error, hipGetLastError(), -1);
    return error == hipSuccess;
}

static void report_seen(const char* memory, const char* what, bool right) {
    char label[240];
    snprintf(label, sizeof label, "%s: %s", memory, what);
    report_result(label, !right);
}

static unsigned read(const unsigned* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

// Has the stream wait for `word`, which the program then writes; one that never sees it hangs here.
template <class Wait> static void test_wait(const char* memory, const char* what, unsigned* word, Wait wait) {
    __atomic_store_n(word, 0u, __ATOMIC_SEQ_CST);
    if (!report_call(memory, what, wait())) return;
    __atomic_store_n(word, 7u, __ATOMIC_SEQ_CST);
    HIP_CHECK(hipStreamSynchronize(stream));
}

// Has the stream write `word`, which the program looks for once the stream has nothing left to do.
template <class Write> static void test_write(const char* memory, const char* what, unsigned* word, Write write) {
    __atomic_store_n(word, 0u, __ATOMIC_SEQ_CST);
    if (!report_call(memory, what, write())) return;
    while (hipStreamQuery(stream) == hipErrorNotReady) sched_yield();
    char seen[160];
    snprintf(seen, sizeof seen, "what %s wrote is seen", what);
    report_seen(memory, seen, read(word) == 7);
    HIP_CHECK(hipStreamSynchronize(stream));
}

static void test_memory(const char* memory, void* at) {
    mark(memory);
    // A word inside the block, too.
    unsigned *word = (unsigned*)at, *inside = word + 32;
    test_wait(memory, "hipStreamWaitValue32", word, [&] {
        return CALL(hipStreamWaitValue32)(stream, word, 7, hipStreamWaitValueEq, 0xffffffff);
    });
    test_wait(memory, "hipStreamWaitValue64", inside, [&] {
        return CALL(hipStreamWaitValue64)(stream, inside, 7, hipStreamWaitValueGte, ~0ull);
    });
    test_write(memory, "hipStreamWriteValue32", inside, [&] { return CALL(hipStreamWriteValue32)(stream, inside, 7, 0); });
    test_write(memory, "hipStreamWriteValue64", word, [&] { return CALL(hipStreamWriteValue64)(stream, word, 7, 0); });
#if HIP_VERSION >= 60400000
    hipStreamBatchMemOpParams wait[1] = {}, write[2] = {};
    wait[0].waitValue = {hipStreamMemOpWaitValue32, word, {7}, hipStreamWaitValueEq, 0};
    write[0].writeValue = {hipStreamMemOpWriteValue32, inside + 32, {1}, 0, 0};
    write[1].writeValue = {hipStreamMemOpWriteValue32, inside, {7}, 0, 0};
    test_wait(memory, "hipStreamBatchMemOp to wait", word, [&] { return CALL(hipStreamBatchMemOp)(stream, 1, wait, 0); });
    test_write(memory, "hipStreamBatchMemOp to write", inside,
               [&] { return CALL(hipStreamBatchMemOp)(stream, 2, write, 0); });

    hipGraph_t graph;
    hipGraphNode_t node;
    hipBatchMemOpNodeParams parameters = {};
    parameters.count = 2, parameters.paramArray = write;
    HIP_CHECK(hipGraphCreate(&graph, 0));
    hipError_t error = CALL(hipGraphAddBatchMemOpNode)(&node, graph, nullptr, 0, &parameters);
    report_call(memory, "hipGraphAddBatchMemOpNode", error);
    HIP_CHECK(hipGraphDestroy(graph));
#endif
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    HIP_CHECK(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    void* memory;
    HIP_CHECK(hipHostMalloc(&memory, 4096, 0));
    test_memory("hipHostMalloc(0)", memory);
    void* mapped;
    HIP_CHECK(hipHostMalloc(&mapped, 4096, hipHostMallocMapped));
    test_memory("hipHostMalloc(Mapped)", mapped);
    void* managed;
    HIP_CHECK(hipMallocManaged(&managed, 4096));
    test_memory("hipMallocManaged", managed);
    void* coherent;
    HIP_CHECK(hipHostMalloc(&coherent, 4096, hipHostMallocCoherent));
    test_memory("hipHostMalloc(Coherent)", coherent);

    // What lay there is forgotten with it.
    HIP_CHECK(hipHostFree(memory));
    HIP_CHECK(hipHostFree(mapped));
    HIP_CHECK(hipFree(managed));
    HIP_CHECK(hipHostMalloc(&memory, 4096, hipHostMallocCoherent));
    test_memory("hipHostMalloc(Coherent) in the place of others", memory);
    report_call("nothing", "hipStreamWaitValue32", CALL(hipStreamWaitValue32)(stream, nullptr, 0, 0, 0));
    mark("exit");
    return 0;
}
