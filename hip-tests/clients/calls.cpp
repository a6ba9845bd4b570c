// Kernels that leave the straight path: calls through pointers, registers that spill, a stack of any size, packed halves,
// rounding modes.
#include "kernels.h"

static const char* const kSource = R"(
#define APART __device__ __attribute__((noinline))
APART int thrice(int v) { return 3 * v; }
APART int squared(int v) { return v * v; }
APART int negated(int v) { return -v; }
APART int halved(int v) { return v / 2; }
__device__ int (*const kWays[4])(int) = {thrice, squared, negated, halved};
// Lanes of one wave go different ways.
extern "C" __global__ void pointers(int* out) { out[threadIdx.x] = kWays[threadIdx.x * 7 % 4](threadIdx.x); }

struct Shape { __device__ virtual int area(int) const = 0; };
struct Square : Shape { __device__ int area(int a) const override { return a * a; } };
struct Slab : Shape { __device__ int area(int a) const override { return a * 5; } };
extern "C" __global__ void virtuals(int* out) {
    Square square; Slab slab;
    const Shape* shapes[2] = {&square, &slab};
    out[threadIdx.x] = shapes[threadIdx.x % 3 == 0]->area(threadIdx.x);
}

// More values at once than registers.
extern "C" __global__ __attribute__((amdgpu_num_vgpr(24))) void spills(const float* from, float* to) {
    float v[64];
#pragma unroll
    for (int k = 0; k < 64; k++) v[k] = from[(threadIdx.x + k) % 256];
#pragma unroll
    for (int k = 0; k < 64; k++) v[k] = v[(k * 5 + 3) % 64] + v[k] * 0.5f;
    float sum = 0;
#pragma unroll
    for (int k = 63; k >= 0; k--) sum = sum * 0.5f + v[k];
    to[threadIdx.x] = sum;
}

APART int stacked(int n) {
#if __clang_major__ >= 20
    int* own = (int*)__builtin_alloca(n * sizeof(int));
#else
    int own[64];
#endif
    for (int k = 0; k < n; k++) own[k] = k * (int)threadIdx.x;
    int sum = 0;
    for (int k = 0; k < n; k++) sum += own[(k * 3 + (int)threadIdx.x) % n];
    return sum;
}
extern "C" __global__ void stack(int* out, int n) { out[threadIdx.x] = stacked(n); }

typedef _Float16 Pair __attribute__((ext_vector_type(2)));
extern "C" __global__ void packed(float* out) {
    Pair a = {(_Float16)(float)threadIdx.x, (_Float16)0.25f}, b = {(_Float16)2.0f, (_Float16)(-(float)threadIdx.x)};
    Pair sum = a * b + a;
    out[2 * threadIdx.x] = sum.x;
    out[2 * threadIdx.x + 1] = sum.y;
}

extern "C" __global__ void rounding(float* out, float a, float b) {
    float nearest, up, down, zero;
    asm volatile("v_add_f32 %0, %4, %5\n s_round_mode 1\n v_add_f32 %1, %4, %5\n s_round_mode 2\n v_add_f32 %2, %4, %5\n"
                 "s_round_mode 3\n v_add_f32 %3, %4, %5\n s_round_mode 0"
                 : "=&v"(nearest), "=&v"(up), "=&v"(down), "=&v"(zero) : "v"(a), "v"(b));
    out[0] = nearest, out[1] = up, out[2] = down, out[3] = zero;
}
)";

template <class T> struct Answers {
    T *device, host[512];
    Answers() { HIP_CHECK(hipMalloc((void**)&device, sizeof host)); }
    void get() {
        HIP_CHECK(hipDeviceSynchronize());
        HIP_CHECK(hipMemcpy(host, device, sizeof host, hipMemcpyDeviceToHost));
    }
};

static float spilled(const float* from, int item) {
    float v[64], sum = 0;
    for (int k = 0; k < 64; k++) v[k] = from[(item + k) % 256];
    for (int k = 0; k < 64; k++) v[k] = v[(k * 5 + 3) % 64] + v[k] * 0.5f;
    for (int k = 63; k >= 0; k--) sum = sum * 0.5f + v[k];
    return sum;
}

static int stacked(int item, int n) {
    int sum = 0;
    for (int k = 0; k < n; k++) sum += (k * 3 + item) % n * item;
    return sum;
}

int main() {
    hipModule_t module = compile(kSource);
    Answers<int> whole;
    Answers<float> real, given;
    size_t wrong = 0;
    launch(kernel(module, "pointers"), 1, 100, whole.device);
    whole.get();
    for (int i = 0; i < 100; i++) {
        int ways[] = {3 * i, i * i, -i, i / 2};
        wrong += whole.host[i] != ways[i * 7 % 4];
    }
    report_result("function pointers", wrong);

    launch(kernel(module, "virtuals"), 1, 100, whole.device);
    whole.get(), wrong = 0;
    for (int i = 0; i < 100; i++) wrong += whole.host[i] != (i % 3 == 0 ? i * 5 : i * i);
    report_result("virtual functions", wrong);

    for (int i = 0; i < 256; i++) given.host[i] = i * 0.37f - 11;
    HIP_CHECK(hipMemcpy(given.device, given.host, sizeof given.host, hipMemcpyHostToDevice));
    launch(kernel(module, "spills"), 1, 256, given.device, real.device);
    real.get(), wrong = 0;
    for (int i = 0; i < 256; i++) wrong += real.host[i] != spilled(given.host, i);
    report_result("spilled registers", wrong);

    launch(kernel(module, "stack"), 1, 70, whole.device, 41);
    whole.get(), wrong = 0;
    for (int i = 0; i < 70; i++) wrong += whole.host[i] != stacked(i, 41);
    report_result("stack", wrong);

    launch(kernel(module, "packed"), 1, 64, real.device);
    real.get(), wrong = 0;
    for (int i = 0; i < 64; i++) wrong += (real.host[2 * i] != 3.0f * i) + (real.host[2 * i + 1] != 0.25f - 0.25f * i);
    report_result("packed halves", wrong);

    launch(kernel(module, "rounding"), 1, 1, real.device, 1.0f, 1e-30f);
    real.get();
    float above = 1.0f + 0x1p-23f;
    report_result("rounding modes", (real.host[0] != 1.0f) + (real.host[1] != above) + (real.host[2] != 1.0f) +
                                        (real.host[3] != 1.0f));
    return 0;
}
