// What a function of the program sees that a stream or a graph calls behind a kernel or a copy: nothing but the call itself
// says that they have ended.
#include "kernels.h"

static const char* const kSource = R"(
extern "C" __global__ void write(unsigned* shared, unsigned value) { shared[threadIdx.x] = value; }
)";

static const int kItems = 256;

// What a callback looks at, and what it found.
struct Look {
    const unsigned* words;
    unsigned value;
    size_t wrong;
    bool called;
};

static void look(void* data) {
    Look* at = (Look*)data;
    at->wrong = 0;
    for (int n = 0; n < kItems; n++) at->wrong += __atomic_load_n(&at->words[n], __ATOMIC_ACQUIRE) != at->value;
    at->called = true;
}

static void called_back(hipStream_t, hipError_t, void* data) { look(data); }

static hipModule_t module;
static hipStream_t stream;

static void found(const char* memory, const char* what, const Look& at) {
    char label[200];
    snprintf(label, sizeof label, "%s: %s", memory, what);
    result(label, at.called ? at.wrong : kItems + 1);
}

// Runs a graph twice: what the first run left in a cache must not be what the second shows.
static void run(const char* memory, const char* what, hipGraph_t graph, unsigned* words, Look* at) {
    hipGraphExec_t executable;
    MUST(hipGraphInstantiate(&executable, graph, nullptr, nullptr, 0));
    size_t wrong = 0;
    for (int n = 0; n < 2; n++) {
        memset(words, 0, kItems * sizeof *words);
        at->called = false;
        MUST(hipGraphLaunch(executable, stream));
        MUST(hipStreamSynchronize(stream));
        wrong += at->called ? at->wrong : kItems + 1;
    }
    at->wrong = wrong, at->called = true;
    found(memory, what, *at);
    MUST(hipGraphExecDestroy(executable));
    MUST(hipGraphDestroy(graph));
}

static void all(const char* memory, unsigned* words, unsigned* device) {
    mark(memory);
    unsigned value = 1;
    Look at = {words, value, 0, false};
#if HIP_VERSION >= 50300000  // earlier ones declare it alone
    launch_on(stream, kernel(module, "write"), 1, kItems, words, value);
    MUST(hipLaunchHostFunc(stream, look, &at));
    MUST(hipStreamSynchronize(stream));
    found(memory, "hipLaunchHostFunc behind a kernel", at);
#endif

    at = {words, ++value, 0, false};
    launch_on(stream, kernel(module, "write"), 1, kItems, words, value);
    MUST(hipStreamAddCallback(stream, called_back, &at, 0));
    MUST(hipStreamSynchronize(stream));
    found(memory, "hipStreamAddCallback behind a kernel", at);

    // A graph, node by node.
    at = {words, ++value, 0, false};
    hipGraph_t graph;
    hipGraphNode_t first, second;
    void* arguments[] = {&words, &value};
    hipKernelNodeParams launch = {};
    launch.func = (void*)kernel(module, "write");
    launch.gridDim = dim3(1), launch.blockDim = dim3(kItems), launch.kernelParams = arguments;
    hipHostNodeParams host = {look, &at};
    MUST(hipGraphCreate(&graph, 0));
    if (hipGraphAddKernelNode(&first, graph, nullptr, 0, &launch) == hipSuccess) {
        MUST(hipGraphAddHostNode(&second, graph, &first, 1, &host));
        run(memory, "a host node behind a kernel", graph, words, &at);
    } else {
        (void)hipGetLastError();
        MUST(hipGraphDestroy(graph));
    }

    at = {words, ++value, 0, false};
    launch_on(stream, kernel(module, "write"), 1, kItems, device, value);
    MUST(hipStreamSynchronize(stream));
    MUST(hipGraphCreate(&graph, 0));
    MUST(hipGraphAddMemcpyNode1D(&first, graph, nullptr, 0, words, device, kItems * sizeof *words, hipMemcpyDeviceToHost));
    MUST(hipGraphAddHostNode(&second, graph, &first, 1, &host));
    run(memory, "a host node behind a copy", graph, words, &at);

#if HIP_VERSION >= 50300000
    // A graph from a stream's calls.
    at = {words, ++value, 0, false};
    MUST(hipStreamBeginCapture(stream, hipStreamCaptureModeGlobal));
    launch_on(stream, kernel(module, "write"), 1, kItems, words, value);
    MUST(hipLaunchHostFunc(stream, look, &at));
    MUST(hipStreamEndCapture(stream, &graph));
    run(memory, "a captured host function behind a kernel", graph, words, &at);
#endif
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    module = compile(kSource);
    MUST(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    void *device, *memory;
    MUST(hipMalloc(&device, 4096));
    MUST(hipHostMalloc(&memory, 4096, 0));
    all("hipHostMalloc(0)", (unsigned*)memory, (unsigned*)device);
    MUST(hipHostMalloc(&memory, 4096, hipHostMallocCoherent));
    all("hipHostMalloc(Coherent)", (unsigned*)memory, (unsigned*)device);
    MUST(hipHostMalloc(&memory, 4096, hipHostMallocNonCoherent));
    all("hipHostMalloc(NonCoherent)", (unsigned*)memory, (unsigned*)device);
    MUST(hipMallocManaged(&memory, 4096));
    all("hipMallocManaged", (unsigned*)memory, (unsigned*)device);
    mark("exit");
    return 0;
}
