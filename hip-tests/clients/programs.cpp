// Small programs of the usual kinds; each result is compared with the processor's.
#include "kernels.h"

static const char* const kSource = R"(
extern "C" __global__ void add(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
extern "C" __global__ void divide(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] / b[i];
}
extern "C" __global__ void divide_double(const double* a, const double* b, double* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] / b[i];
}
extern "C" __global__ void divide_integer(const unsigned long long* a, const unsigned* b, unsigned long long* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] / b[i] + (unsigned)a[i] % b[i];
}
extern "C" __global__ void reduce(const unsigned* from, unsigned long long* sums) {
    __shared__ unsigned long long part[256];
    int t = threadIdx.x;
    part[t] = from[blockIdx.x * 256 + t];
    __syncthreads();
    for (int half = 128; half > 0; half /= 2) {
        if (t < half) part[t] += part[t + half];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = part[0];
}
extern "C" __global__ void product(const float* a, const float* b, float* c, int n) {
    __shared__ float left[16][16], right[16][16];
    int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
    float sum = 0;
    for (int k = 0; k < n; k += 16) {
        left[threadIdx.y][threadIdx.x] = a[y * n + k + threadIdx.x];
        right[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + x];
        __syncthreads();
        for (int j = 0; j < 16; j++) sum += left[threadIdx.y][j] * right[j][threadIdx.x];
        __syncthreads();
    }
    c[y * n + x] = sum;
}
extern "C" __global__ void histogram(const unsigned char* from, unsigned* bins, int n) {
    __shared__ unsigned local[256];
    local[threadIdx.x] = 0;
    __syncthreads();
    for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += 256 * gridDim.x) atomicAdd(local + from[i], 1u);
    __syncthreads();
    atomicAdd(bins + threadIdx.x, local[threadIdx.x]);
}
// A local array with a variable index lives in scratch.
extern "C" __global__ void sort(unsigned* data) {
    unsigned own[16];
    unsigned* mine = data + (blockIdx.x * blockDim.x + threadIdx.x) * 16;
    for (int i = 0; i < 16; i++) own[i] = mine[i];
    for (int i = 1; i < 16; i++)
        for (int j = i; j > 0 && own[j - 1] > own[j]; j--) {
            unsigned other = own[j];
            own[j] = own[j - 1];
            own[j - 1] = other;
        }
    for (int i = 0; i < 16; i++) mine[i] = own[i];
}
extern "C" __global__ void shuffle(const int* from, int* to) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, sum = from[i];
    for (int step = 1; step < 32; step *= 2) sum += __shfl_xor(sum, step, 32);
    to[i] = sum;
}
// Every work-group waits for the last one, as those of a cooperative launch do.
extern "C" __global__ void wait_for_last_group(volatile int* arrived, int* out) {
    if (blockIdx.x == gridDim.x - 1) *arrived = 1;
    while (*arrived == 0) __builtin_amdgcn_s_sleep(1);
    out[blockIdx.x] = *arrived + blockIdx.x;
}
extern "C" __global__ void integers(const long long* from, long long* to, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long a = from[i], b = from[(i + 1) % n] | 1;
    to[i] = a / b + a % b + __ffsll(b) + __mul64hi(a, b) + (long long)(short)a * (signed char)b + (a >> (b & 63));
}
template <class T> __device__ bool far(T a, T b, T error) { return !(fabs(a - b) <= error * (1 + fabs(b))); }
template <class T> __device__ unsigned wrong(T x, T error) {
    return far(sin(x) * sin(x) + cos(x) * cos(x), (T)1, error) + far(tan(x) * cos(x), sin(x), error) +
           far(sin(2 * x), 2 * sin(x) * cos(x), error) + far(exp(log(fabs(x) + 1)), fabs(x) + 1, 8 * error) +
           far(sqrt(fabs(x)) * sqrt(fabs(x)), fabs(x), error) + far(pow(fabs(x), (T)3), fabs(x * x * x), 8 * error) +
           far(tan(atan(x)), x, 64 * error * (1 + fabs(x))) + far(tanh(x / 64), 1 - 2 / (exp(x / 32) + 1), error);
}
extern "C" __global__ void mathematics(unsigned* to, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) to[i] = wrong((i - n / 2) * 0.37f, 2e-6f) << 16 | wrong((i - n / 2) * 0.37, 1e-14);
}
extern "C" __global__ void print(int n) { printf("item %d of %s, %.1f\n", (int)threadIdx.x, "three", n * 0.5); }
extern "C" __global__ void mandelbrot(unsigned* image, int width) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    float cx = x * 3.0f / width - 2.0f, cy = y * 2.0f / width - 1.0f, zx = 0, zy = 0;
    unsigned n = 0;
    for (; n < 200 && zx * zx + zy * zy < 4.0f; n++) {
        float next = zx * zx - zy * zy + cx;
        zy = 2.0f * zx * zy + cy;
        zx = next;
    }
    image[y * width + x] = n;
}
)";

template <class T> struct Buffer {
    T* device;
    T* host;
    size_t count;
    explicit Buffer(size_t n) : host((T*)malloc(n * sizeof(T))), count(n) {
        HIP_CHECK(hipMalloc((void**)&device, n * sizeof(T)));
    }
    void put() { HIP_CHECK(hipMemcpy(device, host, count * sizeof(T), hipMemcpyHostToDevice)); }
    void get() { HIP_CHECK(hipMemcpy(host, device, count * sizeof(T), hipMemcpyDeviceToHost)); }
};

// Numbers without a pattern, the same everywhere.
static unsigned long long next() {
    static unsigned long long state = 0x853c49e6748fea9bull;
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return state ^ state >> 29;
}
static float real() { return (float)((long long)next() % 20001) / 97.0f; }
// Any finite float or none: exponents of all sizes, denormals too.
static float any_float() {
    unsigned bits = (unsigned)next();
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static double any_double() {
    unsigned long long bits = next() << 1 ^ next();
    double value;
    memcpy(&value, &bits, 8);
    return value;
}
template <class T> static bool same(T a, T b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }

// Reports under `label` how many of the results from 0 to `count` are not as `is_right` says.
template <class IsRight> static void report_wrong(const char* label, int count, IsRight is_right) {
    size_t wrong = 0;
    for (int i = 0; i < count; i++) wrong += !is_right(i);
    report_result(label, wrong);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    hipModule_t module = compile(kSource);
    const int n = 5000;
    size_t wrong = 0;

    Buffer<unsigned char> bytes(100003);
    HIP_CHECK(hipMemset(bytes.device, 0x5a, bytes.count));
    bytes.get();
    for (size_t i = 0; i < bytes.count; i++) wrong += bytes.host[i] != 0x5a;
    report_result("hipMemset", wrong);

    Buffer<float> a(n), b(n), c(n);
    for (int i = 0; i < n; i++) a.host[i] = real(), b.host[i] = real();
    a.put(), b.put();
    launch(kernel(module, "add"), (n + 255) / 256, 256, a.device, b.device, c.device, n);
    c.get();
    report_wrong("add", n, [&](int i) { return same(c.host[i], a.host[i] + b.host[i]); });

    launch(kernel(module, "saxpy"), (n + 63) / 64, 64, 2.5f, a.device, b.device, n);
    Buffer<float> y(n);
    memcpy(y.host, b.host, n * sizeof(float));
    b.get(), wrong = 0;
    for (int i = 0; i < n; i++) {
        volatile float scaled = 2.5f * a.host[i];
        wrong += !same(b.host[i], scaled + y.host[i]);
    }
    report_result("saxpy", wrong);

    for (int i = 0; i < n; i++) a.host[i] = any_float(), b.host[i] = i % 3 ? any_float() : real();
    a.put(), b.put();
    launch(kernel(module, "divide"), (n + 255) / 256, 256, a.device, b.device, c.device, n);
    c.get();
    report_wrong("divide", n, [&](int i) { return same(c.host[i], a.host[i] / b.host[i]); });

    Buffer<double> da(n), db(n), dc(n);
    for (int i = 0; i < n; i++) da.host[i] = any_double(), db.host[i] = i % 3 ? any_double() : real();
    da.put(), db.put();
    launch(kernel(module, "divide_double"), (n + 255) / 256, 256, da.device, db.device, dc.device, n);
    dc.get();
    report_wrong("divide double", n, [&](int i) { return same(dc.host[i], da.host[i] / db.host[i]); });

    Buffer<unsigned long long> ia(n), ic(n);
    Buffer<unsigned> ib(n);
    for (int i = 0; i < n; i++) ia.host[i] = next() >> i % 50, ib.host[i] = (unsigned)(next() >> i % 31) | 1;
    ia.put(), ib.put();
    launch(kernel(module, "divide_integer"), (n + 255) / 256, 256, ia.device, ib.device, ic.device, n);
    ic.get();
    report_wrong("divide integer", n,
                 [&](int i) { return ic.host[i] == ia.host[i] / ib.host[i] + (unsigned)ia.host[i] % ib.host[i]; });

    Buffer<unsigned> from(256 * 64);
    Buffer<unsigned long long> sums(64);
    for (size_t i = 0; i < from.count; i++) from.host[i] = (unsigned)next();
    from.put();
    launch(kernel(module, "reduce"), 64, 256, from.device, sums.device);
    sums.get(), wrong = 0;
    for (int group = 0; group < 64; group++) {
        unsigned long long sum = 0;
        for (int i = 0; i < 256; i++) sum += from.host[group * 256 + i];
        wrong += sums.host[group] != sum;
    }
    report_result("reduction", wrong);

    const int side = 64;
    Buffer<float> left(side * side), right(side * side), out(side * side);
    for (int i = 0; i < side * side; i++) left.host[i] = real(), right.host[i] = real();
    left.put(), right.put();
    launch(kernel(module, "product"), dim3(side / 16, side / 16), dim3(16, 16), left.device, right.device, out.device, side);
    out.get(), wrong = 0;
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            volatile float sum = 0;
            for (int k = 0; k < side; k++) {
                volatile float term = left.host[row * side + k] * right.host[k * side + column];
                sum = sum + term;
            }
            wrong += !same(out.host[row * side + column], (float)sum);
        }
    report_result("matrix product", wrong);

    Buffer<unsigned> bins(256);
    unsigned counts[256] = {};
    for (size_t i = 0; i < bytes.count; i++) counts[bytes.host[i] = (unsigned char)(next() * next() >> 7)]++;
    bytes.put();
    HIP_CHECK(hipMemset(bins.device, 0, 1024));
    launch(kernel(module, "histogram"), 8, 256, bytes.device, bins.device, (int)bytes.count);
    bins.get();
    report_wrong("histogram", 256, [&](int i) { return bins.host[i] == counts[i]; });

    launch(kernel(module, "sort"), 4, 256, from.device);
    Buffer<unsigned> sorted(from.count);
    HIP_CHECK(hipMemcpy(sorted.host, from.device, from.count * 4, hipMemcpyDeviceToHost)), wrong = 0;
    for (size_t i = 0; i < from.count; i++) {
        unsigned* own = from.host + i / 16 * 16;
        unsigned below = 0;
        for (int j = 0; j < 16; j++) below += own[j] < own[i % 16] || (own[j] == own[i % 16] && j < (int)(i % 16));
        wrong += sorted.host[i / 16 * 16 + below] != own[i % 16];
    }
    report_result("sort in scratch", wrong);

    Buffer<int> shuffle_in(1024), shuffle_out(1024);
    for (int i = 0; i < 1024; i++) shuffle_in.host[i] = (int)next() >> 8;
    shuffle_in.put();
    launch(kernel(module, "shuffle"), 4, 256, shuffle_in.device, shuffle_out.device);
    shuffle_out.get(), wrong = 0;
    for (int i = 0; i < 1024; i++) {
        int sum = 0;
        for (int j = 0; j < 32; j++) sum += shuffle_in.host[i / 32 * 32 + j];
        wrong += shuffle_out.host[i] != sum;
    }
    report_result("shuffle", wrong);

    Buffer<int> arrived(1), places(64);
    HIP_CHECK(hipMemset(arrived.device, 0, 4));
    launch(kernel(module, "wait_for_last_group"), 64, 32, arrived.device, places.device);
    places.get();
    report_wrong("groups wait for each other", 64, [&](int i) { return places.host[i] == i + 1; });

    Buffer<long long> ja(n), jb(n);
    for (int i = 0; i < n; i++) ja.host[i] = (long long)next() >> i % 50;
    ja.put();
    launch(kernel(module, "integers"), (n + 255) / 256, 256, ja.device, jb.device, n);
    jb.get(), wrong = 0;
    for (int i = 0; i < n; i++) {
        long long p = ja.host[i], q = ja.host[(i + 1) % n] | 1;
        long long high = (long long)((__int128)p * q >> 64);
        wrong += jb.host[i] !=
                 p / q + p % q + __builtin_ffsll(q) + high + (long long)(short)p * (signed char)q + (p >> (q & 63));
    }
    report_result("integers", wrong);

    Buffer<unsigned> failed(1000);
    launch(kernel(module, "mathematics"), 4, 256, failed.device, 1000);
    failed.get();
    report_wrong("mathematics", 1000, [&](int i) { return failed.host[i] == 0; });

    launch(kernel(module, "print"), 1, 3, 3);

    const int width = 128;
    Buffer<unsigned> image(width * width);
    launch(kernel(module, "mandelbrot"), dim3(width / 32, width / 8), dim3(32, 8), image.device, width);
    image.get(), wrong = 0;
    for (int py = 0; py < width; py++)
        for (int px = 0; px < width; px++) {
            float cx = px * 3.0f / width - 2.0f, cy = py * 2.0f / width - 1.0f, zx = 0, zy = 0;
            unsigned count = 0;
            for (; count < 200 && zx * zx + zy * zy < 4.0f; count++) {
                float following = zx * zx - zy * zy + cx;
                zy = 2.0f * zx * zy + cy;
                zx = following;
            }
            wrong += image.host[py * width + px] != count;
        }
    report_result("mandelbrot", wrong);
    mark("exit");
    return 0;
}
