// Programs that hipcc compiled ahead of time, with kernels for several cards in one file; each result is compared with
// the processor's.
constexpr int wave64 = 64;  // Compiler::WAVE64 in harness/compiler.rs

#include "kernels.h"

#include <hip/hip_runtime.h>

__global__ void add(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}

__global__ void saxpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

static const int kItems = 128;

template <class T> __global__ void reduce(const T* from, T* sums) {
#ifdef STATIC_LDS
    __shared__ T part[kItems];
#else
    extern __shared__ double most_aligned[];
    T* part = (T*)most_aligned;
#endif
    int t = threadIdx.x;
    part[t] = from[blockIdx.x * blockDim.x + t];
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) part[t] += part[t + half];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = part[0];
}

static const int kTile = 16;

__global__ void product(const float* a, const float* b, float* c, int n) {
    __shared__ float left[kTile][kTile], right[kTile][kTile];
    int x = blockIdx.x * kTile + threadIdx.x, y = blockIdx.y * kTile + threadIdx.y;
    float sum = 0;
    for (int k = 0; k < n; k += kTile) {
        left[threadIdx.y][threadIdx.x] = a[y * n + k + threadIdx.x];
        right[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + x];
        __syncthreads();
        for (int j = 0; j < kTile; j++) sum += left[threadIdx.y][j] * right[j][threadIdx.x];
        __syncthreads();
    }
    c[y * n + x] = sum;
}

// Work-items in any order leave the same in each of these but `exch`, which keeps one of those that came.
struct Bins {
    unsigned add, sub, min, max, both, any, odd, inc, dec, exch, cas;
    int low, high;
};

static const int kBins = 16;

__host__ __device__ static inline unsigned scramble(unsigned i) { return i * 2654435761u >> 7; }

__device__ static void put(Bins* bin, unsigned value) {
    atomicAdd(&bin->add, value);
    atomicSub(&bin->sub, value);
    atomicMin(&bin->min, value);
    atomicMax(&bin->max, value);
    atomicMin(&bin->low, (int)(value << 7));
    atomicMax(&bin->high, (int)(value << 7));
    atomicAnd(&bin->both, value | 0xff);
    atomicOr(&bin->any, value & 0xff00ff);
    atomicXor(&bin->odd, value);
    atomicInc(&bin->inc, 99);
    atomicDec(&bin->dec, 99);
    atomicExch(&bin->exch, value);
    for (unsigned seen = bin->cas, before;; seen = before) {
        before = atomicCAS(&bin->cas, seen, seen * 3 + 1);
        if (before == seen) break;
    }
}

// In global memory, and in LDS.
__global__ void histogram(Bins* global, Bins* out, int n) {
    __shared__ Bins local[kBins];
    for (unsigned t = threadIdx.x; t < kBins; t += blockDim.x) local[t] = {0, 0, ~0u, 0, ~0u, 0, 0, 0, 0, 0, 0, 0, 0};
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        put(global + i % kBins, scramble(i));
        put(local + i % kBins, scramble(i));
    }
    __syncthreads();
    for (unsigned t = threadIdx.x; t < kBins; t += blockDim.x) out[t] = local[t];
}

__global__ void print(int n, const char* word) {
    if (threadIdx.x < 3) printf("item %d of %s, %.2f\n", (int)threadIdx.x, word, n * 0.25);
}

__constant__ int kTable[8];
__device__ unsigned long long gTotal;

// A call that is not inlined, recursion, and memory of the kernel's own.
__device__ __attribute__((noinline)) static unsigned long long ways(int steps) {
    return steps < 2 ? 1 : ways(steps - 1) + ways(steps - 2);
}
__global__ void calls(unsigned long long* out) {
    int i = threadIdx.x, own[8];
    for (int k = 0; k < 8; k++) own[(k + i) % 8] = kTable[k];
    out[i] = ways(i % 8) * own[(i + 5) % 8];
    atomicAdd(&gTotal, out[i]);
}

// What the lanes of a wave tell each other, in waves of either size.
__global__ void lanes(int* out) {
    int i = threadIdx.x, sum = i;
    for (int step = 1; step < 32; step *= 2) sum += __shfl_xor(sum, step, 32);
    int odd = __popcll(__ballot(i % 2)) * (64 / warpSize);
    out[i] = sum * 1000 + odd;
}

template <class T> struct Buffer {
    T *device = nullptr, *host;
    size_t count;
    explicit Buffer(size_t n) : host((T*)calloc(n, sizeof(T))), count(n) {
        HIP_CHECK(hipMalloc((void**)&device, n * sizeof(T)));
    }
    void put() { HIP_CHECK(hipMemcpy(device, host, count * sizeof(T), hipMemcpyHostToDevice)); }
    void get() {
        HIP_CHECK(hipGetLastError());
        HIP_CHECK(hipMemcpy(host, device, count * sizeof(T), hipMemcpyDeviceToHost));
    }
};

static size_t count_differences(const Bins& a, const Bins& b) {
    return (a.add != b.add) + (a.sub != b.sub) + (a.min != b.min) + (a.max != b.max) + (a.both != b.both) +
           (a.any != b.any) + (a.odd != b.odd) + (a.inc != b.inc) + (a.dec != b.dec) + (a.cas != b.cas) +
           (a.low != b.low) + (a.high != b.high);
}

static void vectors() {
    const int n = 5000;
    Buffer<float> a(n), b(n), c(n), y(n);
    for (int i = 0; i < n; i++) a.host[i] = (i - 77) * 0.37f, b.host[i] = i * 1e-3f, y.host[i] = 1.0f / (i + 1);
    a.put(), b.put(), y.put();
    add<<<(n + 255) / 256, 256>>>(a.device, b.device, c.device, n);
    c.get();
    size_t wrong = 0;
    for (int i = 0; i < n; i++) wrong += c.host[i] != a.host[i] + b.host[i];
    report_result("vector add", wrong);
    Buffer<float> before(n);
    memcpy(before.host, y.host, n * sizeof(float));
    saxpy<<<(n + 63) / 64, 64>>>(1.7f, a.device, y.device, n);
    y.get();
    wrong = 0;
    for (int i = 0; i < n; i++) wrong += y.host[i] != 1.7f * a.host[i] + before.host[i];
    report_result("saxpy", wrong);
}

template <class T> static void sums(const char* label) {
    const int groups = 20;
    Buffer<T> from(groups * kItems), to(groups);
    for (int i = 0; i < groups * kItems; i++) from.host[i] = (T)(scramble(i) % 1000) / 8;
    from.put();
    reduce<T><<<groups, kItems, kItems * sizeof(T)>>>(from.device, to.device);
    to.get();
    size_t wrong = 0;
    for (int g = 0; g < groups; g++) {
        T sum = 0;
        for (int i = 0; i < kItems; i++) sum += from.host[g * kItems + i];
        wrong += to.host[g] != sum;
    }
    report_result(label, wrong);
}

static void matrices() {
    const int n = 48;
    Buffer<float> a(n * n), b(n * n), c(n * n);
    for (int i = 0; i < n * n; i++) a.host[i] = (i % 31) * 0.11f - 1, b.host[i] = (i % 17) * 0.07f;
    a.put(), b.put();
    product<<<dim3(n / kTile, n / kTile), dim3(kTile, kTile)>>>(a.device, b.device, c.device, n);
    c.get();
    size_t wrong = 0;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            float sum = 0;
            for (int k = 0; k < n; k++) sum += a.host[y * n + k] * b.host[k * n + x];
            wrong += c.host[y * n + x] != sum;
        }
    report_result("matrix product", wrong);
}

static void histograms() {
    const int n = 2000;
    Buffer<Bins> global(kBins), local(kBins);
    Bins expected[kBins];
    for (int b = 0; b < kBins; b++) {
        Bins& bin = expected[b];
        bin = global.host[b] = {0, 0, ~0u, 0, ~0u, 0, 0, 0, 0, 0, 0, 0, 0};
        for (int i = b; i < n; i += kBins) {
            unsigned value = scramble(i);
            int shifted = (int)(value << 7);
            bin.add += value, bin.sub -= value, bin.odd ^= value, bin.cas = bin.cas * 3 + 1;
            bin.min = value < bin.min ? value : bin.min, bin.max = value > bin.max ? value : bin.max;
            bin.low = shifted < bin.low ? shifted : bin.low, bin.high = shifted > bin.high ? shifted : bin.high;
            bin.both &= value | 0xff, bin.any |= value & 0xff00ff;
            bin.inc = bin.inc >= 99 ? 0 : bin.inc + 1;
            bin.dec = bin.dec == 0 || bin.dec > 99 ? 99 : bin.dec - 1;
        }
    }
    global.put();
    histogram<<<1, 256>>>(global.device, local.device, n);
    global.get(), local.get();
    size_t wrong = 0, wrong_local = 0;
    for (int b = 0; b < kBins; b++) {
        bool came = false, came_local = false;
        for (int i = b; i < n; i += kBins) {
            came |= global.host[b].exch == scramble(i);
            came_local |= local.host[b].exch == scramble(i);
        }
        wrong += count_differences(global.host[b], expected[b]) + !came;
        wrong_local += count_differences(local.host[b], expected[b]) + !came_local;
    }
    report_result("histogram", wrong);
    report_result("histogram in LDS", wrong_local);
}

static void functions() {
    const int n = 64, table[8] = {3, 1, 4, 1, 5, 9, 2, 6}, fibonacci[8] = {1, 1, 2, 3, 5, 8, 13, 21};
    HIP_CHECK(hipMemcpyToSymbol(HIP_SYMBOL(kTable), table, sizeof table));
    Buffer<unsigned long long> out(n);
    calls<<<1, n>>>(out.device);
    out.get();
    unsigned long long total = 0, sum = 0;
    HIP_CHECK(hipMemcpyFromSymbol(&total, HIP_SYMBOL(gTotal), sizeof total));
    size_t wrong = 0;
    for (int i = 0; i < n; i++) {
        wrong += out.host[i] != (unsigned long long)fibonacci[i % 8] * table[5];
        sum += out.host[i];
    }
    report_result("calls", wrong);
    report_result("variables", total != sum);
}

static void waves() {
    const int n = 256;
    Buffer<int> out(n);
    lanes<<<1, n>>>(out.device);
    out.get();
    size_t wrong = 0;
    for (int i = 0; i < n; i++) {
        int first = i / 32 * 32, sum = 32 * first + 31 * 32 / 2;
        wrong += out.host[i] != sum * 1000 + 32;
    }
    report_result("lanes", wrong);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    vectors();
    sums<unsigned long long>("reduction of integers");
    sums<double>("reduction of doubles");
    matrices();
    histograms();
    functions();
    waves();
    Buffer<char> word(8);
    strcpy(word.host, "three");
    word.put();
    print<<<1, 70>>>(7, word.device);
    HIP_CHECK(hipDeviceSynchronize());
    mark("exit");
    return 0;
}
