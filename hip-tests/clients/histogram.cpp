// Histograms by every atomic operation: many work-items on few bins, in LDS and in memory, of 32 and 64 bits and of floats.
// What the processor makes of the same values, one after the other, must come out whatever the order was.
#include "kernels.h"

static const char* const kSource = R"(
template <class T> __device__ void loop_add(T* bin, T value) {
    T old = *bin, expected;
    do {
        expected = old;
        old = atomicCAS(bin, expected, expected + value);
    } while (old != expected);
}
template <class T> __device__ void act(int op, T* bin, T value) {
    switch (op) {
        case 0: atomicAdd(bin, value); break;
        case 1: atomicSub(bin, value); break;
        case 2: atomicMin(bin, value); break;
        case 3: atomicMax(bin, value); break;
        case 4: atomicAnd(bin, value); break;
        case 5: atomicOr(bin, value); break;
        case 6: atomicXor(bin, value); break;
        case 7: atomicExch(bin, value); break;
        case 8: loop_add(bin, value); break;
    }
}
__device__ void act(int op, unsigned* bin, unsigned value) {
    switch (op) {
        case 9: atomicInc(bin, 9u); break;
        case 10: atomicDec(bin, 9u); break;
        default: act<unsigned>(op, bin, value);
    }
}
__device__ void act(int, float* bin, float value) { atomicAdd(bin, value); }
__device__ void act(int, double* bin, double value) { atomicAdd(bin, value); }

// Each group has bins of its own in LDS, and those in memory are common to all.
#define HISTOGRAM(name, T)                                                                                          \
    extern "C" __global__ void name(int op, const unsigned char* bin, const T* value, int n, T first, T* all, T* own) { \
        __shared__ T local[64];                                                                                     \
        if (threadIdx.x < 64) local[threadIdx.x] = first;                                                           \
        __syncthreads();                                                                                            \
        for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {                   \
            act(op, all + bin[i], value[i]);                                                                        \
            act(op, local + bin[i], value[i]);                                                                      \
        }                                                                                                           \
        __syncthreads();                                                                                            \
        if (threadIdx.x < 64) own[blockIdx.x * 64 + threadIdx.x] = local[threadIdx.x];                              \
    }
HISTOGRAM(bits32, unsigned)
HISTOGRAM(bits64, unsigned long long)
HISTOGRAM(float32, float)
HISTOGRAM(float64, double)
)";

enum Op { kAdd, kSub, kMin, kMax, kAnd, kOr, kXor, kExch, kCas, kInc, kDec };
static const char* const kNames[] = {"add", "sub", "min", "max", "and", "or", "xor", "exchange", "cas", "inc", "dec"};

static const int kItems = 6000, kBins = 64, kGroups = 8, kSize = 128;

static hipModule_t module;
static unsigned char *host_bin, *device_bin;

template <class T> static T once(Op op, T old, T value) {
    switch (op) {
        case kAdd: case kCas: return old + value;
        case kSub: return old - value;
        case kMin: return old < value ? old : value;
        case kMax: return old > value ? old : value;
        case kInc: return old >= 9 ? 0 : old + 1;
        case kDec: return old == 0 || old > 9 ? 9 : old - 1;
        default: return value;
    }
}
static unsigned long long bits(Op op, unsigned long long old, unsigned long long value) {
    return op == kAnd ? old & value : op == kOr ? old | value : old ^ value;
}
template <class T> static T apply(Op op, T old, T value) {
    return op == kAnd || op == kOr || op == kXor ? (T)bits(op, (unsigned long long)old, (unsigned long long)value)
                                                 : once(op, old, value);
}

static unsigned long long next() {
    static unsigned long long state = 0x853c49e6748fea9bull;
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state ^ state >> 29;
}

// Bins of `got` that no order of the items would have left.
template <class T> static size_t count_wrong(Op op, T first, const T* value, const T* got, int group) {
    static T expected[kBins];
    static bool found[kBins];
    for (int b = 0; b < kBins; b++) expected[b] = first, found[b] = false;
    for (int i = 0; i < kItems; i++) {
        // Those of one group, or all.
        if (group >= 0 && i / kSize % kGroups != group) continue;
        int b = host_bin[i];
        found[b] |= value[i] == got[b];
        expected[b] = apply(op, expected[b], value[i]);
    }
    size_t wrong = 0;
    for (int b = 0; b < kBins; b++)
        // Of exchanges any may have been the last.
        wrong += op == kExch ? !(found[b] || (got[b] == first && expected[b] == first)) : got[b] != expected[b];
    return wrong;
}

template <class T, class Value> static void histogram(const char* name, const char* type, Op op, T first, Value make) {
    static T value[kItems], all[kBins], own[kGroups * kBins];
    T *device_value, *device_all, *device_own;
    for (T& one : value) one = make();
    for (T& one : all) one = first;
    HIP_CHECK(hipMalloc((void**)&device_value, sizeof value));
    HIP_CHECK(hipMalloc((void**)&device_own, sizeof own));
    HIP_CHECK(hipMalloc((void**)&device_all, sizeof all));
    HIP_CHECK(hipMemcpy(device_value, value, sizeof value, hipMemcpyHostToDevice));
    HIP_CHECK(hipMemcpy(device_all, all, sizeof all, hipMemcpyHostToDevice));
    launch(kernel(module, type), kGroups, kSize, (int)op, device_bin, device_value, kItems, first, device_all, device_own);
    HIP_CHECK(hipMemcpy(all, device_all, sizeof all, hipMemcpyDeviceToHost));
    HIP_CHECK(hipMemcpy(own, device_own, sizeof own, hipMemcpyDeviceToHost));
    size_t wrong = count_wrong(op, first, value, all, -1);
    for (int group = 0; group < kGroups; group++) wrong += count_wrong(op, first, value, own + group * kBins, group);
    char label[64];
    snprintf(label, sizeof label, "histogram by %s, %s", name, type);
    report_result(label, wrong);
    HIP_CHECK(hipFree(device_value));
    HIP_CHECK(hipFree(device_all));
    HIP_CHECK(hipFree(device_own));
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    module = compile(kSource);
    host_bin = (unsigned char*)malloc(kItems);
    for (int i = 0; i < kItems; i++) host_bin[i] = (unsigned char)(next() % kBins);
    HIP_CHECK(hipMalloc((void**)&device_bin, kItems));
    HIP_CHECK(hipMemcpy(device_bin, host_bin, kItems, hipMemcpyHostToDevice));
    for (int op = kAdd; op <= kDec; op++) {
        unsigned first = op == kAnd ? ~0u : op == kMin ? 1u << 31 : 5;
        histogram<unsigned>(kNames[op], "bits32", (Op)op, first, [] { return (unsigned)next(); });
    }
    // HIP has no 64-bit inc and dec.
    for (int op = kAdd; op <= kCas; op++) {
        unsigned long long first = op == kAnd ? ~0ull : op == kMin ? 1ull << 63 : 5;
        histogram<unsigned long long>(kNames[op], "bits64", (Op)op, first, next);
    }
    // Whole numbers, whose sums are exact in any order.
    histogram<float>("add", "float32", kAdd, 0.0f, [] { return (float)((long long)(next() % 2001) - 1000); });
    histogram<double>("add", "float64", kAdd, 0.0, [] { return (double)((long long)(next() % 2000001) - 1000000); });
    mark("exit");
    return 0;
}
