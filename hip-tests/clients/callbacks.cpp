// What a function of the program sees that a stream or a graph calls behind a kernel or a copy: nothing but the call itself
// says that they have ended.
#include "kernels.h"

static const char* const kSource = R"(
extern "C" __global__ void write(unsigned* shared, unsigned value) { shared[threadIdx.x] = value; }
)";

static const int kItems = 256;

// What a callback looks at, and what it found.
struct Observation {
    const unsigned* words;
    unsigned value;
    size_t wrong;
    bool called;
};

static void compare_words(void* data) {
    Observation* at = (Observation*)data;
    at->wrong = 0;
    for (int n = 0; n < kItems; n++) at->wrong += __atomic_load_n(&at->words[n], __ATOMIC_ACQUIRE) != at->value;
    at->called = true;
}

static void stream_callback(hipStream_t, hipError_t, void* data) { compare_words(data); }

static hipModule_t module;
static hipStream_t stream;

static void report_observation(const char* memory, const char* what, const Observation& at) {
    char label[200];
    snprintf(label, sizeof label, "%s: %s", memory, what);
    report_result(label, at.called ? at.wrong : kItems + 1);
}

// Runs a graph twice: what the first run left in a cache must not be what the second shows.
static void run_graph(const char* memory, const char* what, hipGraph_t graph, unsigned* words, Observation* at) {
    hipGraphExec_t executable;
    HIP_CHECK(hipGraphInstantiate(&executable, graph, nullptr, nullptr, 0));
    size_t wrong = 0;
    for (int n = 0; n < 2; n++) {
        memset(words, 0, kItems * sizeof *words);
        at->called = false;
        HIP_CHECK(hipGraphLaunch(executable, stream));
        HIP_CHECK(hipStreamSynchronize(stream));
        wrong += at->called ? at->wrong : kItems + 1;
    }
    at->wrong = wrong, at->called = true;
    report_observation(memory, what, *at);
    HIP_CHECK(hipGraphExecDestroy(executable));
    HIP_CHECK(hipGraphDestroy(graph));
}

static void test_memory(const char* memory, unsigned* words, unsigned* device) {
    mark(memory);
    unsigned value = 1;
    Observation at = {words, value, 0, false};
#if HIP_VERSION >= 50300000  // earlier ones declare it alone
    launch_on(stream, kernel(module, "write"), 1, kItems, words, value);
    HIP_CHECK(hipLaunchHostFunc(stream, compare_words, &at));
    HIP_CHECK(hipStreamSynchronize(stream));
    report_observation(memory, "hipLaunchHostFunc behind a kernel", at);
#endif

    at = {words, ++value, 0, false};
    launch_on(stream, kernel(module, "write"), 1, kItems, words, value);
    HIP_CHECK(hipStreamAddCallback(stream, stream_callback, &at, 0));
    HIP_CHECK(hipStreamSynchronize(stream));
    report_observation(memory, "hipStreamAddCallback behind a kernel", at);

    // A graph, node by node.
    at = {words, ++value, 0, false};
    hipGraph_t graph;
    hipGraphNode_t first, second;
    void* arguments[] = {&words, &value};
    hipKernelNodeParams launch = {};
    launch.func = (void*)kernel(module, "write");
    launch.gridDim = dim3(1), launch.blockDim = dim3(kItems), launch.kernelParams = arguments;
    hipHostNodeParams host = {compare_words, &at};
    HIP_CHECK(hipGraphCreate(&graph, 0));
    if (hipGraphAddKernelNode(&first, graph, nullptr, 0, &launch) == hipSuccess) {
        HIP_CHECK(hipGraphAddHostNode(&second, graph, &first, 1, &host));
        run_graph(memory, "a host node behind a kernel", graph, words, &at);
    } else {
        (void)hipGetLastError();
        HIP_CHECK(hipGraphDestroy(graph));
    }

    at = {words, ++value, 0, false};
    launch_on(stream, kernel(module, "write"), 1, kItems, device, value);
    HIP_CHECK(hipStreamSynchronize(stream));
    HIP_CHECK(hipGraphCreate(&graph, 0));
    HIP_CHECK(hipGraphAddMemcpyNode1D(&first, graph, nullptr, 0, words, device, kItems * sizeof *words,
                                      hipMemcpyDeviceToHost));
    HIP_CHECK(hipGraphAddHostNode(&second, graph, &first, 1, &host));
    run_graph(memory, "a host node behind a copy", graph, words, &at);

#if HIP_VERSION >= 50300000
    // A graph from a stream's calls.
    at = {words, ++value, 0, false};
    HIP_CHECK(hipStreamBeginCapture(stream, hipStreamCaptureModeGlobal));
    launch_on(stream, kernel(module, "write"), 1, kItems, words, value);
    HIP_CHECK(hipLaunchHostFunc(stream, compare_words, &at));
    HIP_CHECK(hipStreamEndCapture(stream, &graph));
    run_graph(memory, "a captured host function behind a kernel", graph, words, &at);
#endif
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    module = compile(kSource);
    HIP_CHECK(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    void *device, *memory;
    HIP_CHECK(hipMalloc(&device, 4096));
    HIP_CHECK(hipHostMalloc(&memory, 4096, 0));
    test_memory("hipHostMalloc(0)", (unsigned*)memory, (unsigned*)device);
    HIP_CHECK(hipHostMalloc(&memory, 4096, hipHostMallocCoherent));
    test_memory("hipHostMalloc(Coherent)", (unsigned*)memory, (unsigned*)device);
    HIP_CHECK(hipHostMalloc(&memory, 4096, hipHostMallocNonCoherent));
    test_memory("hipHostMalloc(NonCoherent)", (unsigned*)memory, (unsigned*)device);
    HIP_CHECK(hipMallocManaged(&memory, 4096));
    test_memory("hipMallocManaged", (unsigned*)memory, (unsigned*)device);
    mark("exit");
    return 0;
}
