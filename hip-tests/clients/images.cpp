// Arrays and textures: copies to an array and back, and what a kernel samples of it.
#include "kernels.h"

#include <math.h>

static const char* const kSource = R"(
extern "C" __global__ void sample(hipTextureObject_t texture, const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = tex2D<float>(texture, x[i], y[i]);
}
extern "C" __global__ void small(hipTextureObject_t texture, const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float2 right = {1.5f, 0}, below = {0, 1.5f};
    float by_level = tex2DLod<float>(texture, x[i], y[i], 1), by_steps = tex2DGrad<float>(texture, x[i], y[i], right, below);
    out[i] = by_level == by_steps ? by_level : -1;
}
extern "C" __global__ void gather(hipTextureObject_t texture, const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    // HIP's header takes 1 for the first component, and 0 for the fourth.
    float4 four = tex2Dgather<float4>(texture, x[i], y[i], 1);
    out[i] = four.x + 3 * four.y + 5 * four.z + 7 * four.w;
}
extern "C" __global__ void depths(hipTextureObject_t volume, hipTextureObject_t layers, float* out) {
    int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z, i = (z * blockDim.y + y) * blockDim.x + x;
    out[2 * i] = tex3D<float>(volume, x + 0.5f, y + 0.5f, z + 0.5f);
    out[2 * i + 1] = tex2DLayered<float>(layers, x + 0.5f, y + 0.5f, z);
}
extern "C" __global__ void paint(hipSurfaceObject_t surface, int width) {
    int x = threadIdx.x, y = blockIdx.x;
    if (x < width) surf2Dwrite<float>(y * 100.0f + x, surface, x * (int)sizeof(float), y);
}
extern "C" __global__ void colours(hipTextureObject_t texture, float4* out) {
    int i = threadIdx.x;
    out[i] = tex2D<float4>(texture, i + 0.5f, 0.5f);
}
)";

static const int kWidth = 37, kHeight = 21;
static float image[kHeight][kWidth];

static int clamp(int v, int size) { return v < 0 ? 0 : v >= size ? size - 1 : v; }

static int mirror(int v, int size) {
    v = (v % (2 * size) + 2 * size) % (2 * size);
    return v < size ? v : 2 * size - 1 - v;
}

static float at(int x, int y, hipTextureAddressMode mode) {
    if (mode == hipAddressModeBorder && (x != clamp(x, kWidth) || y != clamp(y, kHeight))) return 0;
    if (mode == hipAddressModeWrap) x = (x % kWidth + kWidth) % kWidth, y = (y % kHeight + kHeight) % kHeight;
    if (mode == hipAddressModeMirror) x = mirror(x, kWidth), y = mirror(y, kHeight);
    return image[clamp(y, kHeight)][clamp(x, kWidth)];
}

enum Kind { kPoint, kLinear, kSmall, kGather };
static const char* const kKernels[] = {"sample", "sample", "small", "gather"};

static float expected(float x, float y, hipTextureAddressMode mode, Kind kind) {
    if (kind == kPoint) return at((int)floorf(x), (int)floorf(y), mode);
    x -= 0.5f, y -= 0.5f;
    int left = (int)floorf(x), top = (int)floorf(y);
    float a = x - left, b = y - top;
    // Gathered against the clock from the lower left.
    if (kind == kGather)
        return at(left, top + 1, mode) + 3 * at(left + 1, top + 1, mode) + 5 * at(left + 1, top, mode) + 7 * at(left, top, mode);
    return (1 - a) * (1 - b) * at(left, top, mode) + a * (1 - b) * at(left + 1, top, mode) +
           (1 - a) * b * at(left, top + 1, mode) + a * b * at(left + 1, top + 1, mode);
}

template <class T> static void round_trip(const char* label) {
    static unsigned char there[kHeight][kWidth * sizeof(T)], back[kHeight][kWidth * sizeof(T)];
    for (size_t i = 0; i < sizeof there; i++) ((unsigned char*)there)[i] = (unsigned char)(i * 131 + 5);
    hipChannelFormatDesc format = hipCreateChannelDesc<T>();
    hipArray_t array;
    HIP_CHECK(hipMallocArray(&array, &format, kWidth, kHeight, 0));
    HIP_CHECK(hipMemcpy2DToArray(array, 0, 0, there, sizeof there[0], sizeof there[0], kHeight, hipMemcpyHostToDevice));
    HIP_CHECK(hipMemcpy2DFromArray(back, sizeof back[0], array, 0, 0, sizeof back[0], kHeight, hipMemcpyDeviceToHost));
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof there; i++) wrong += ((unsigned char*)there)[i] != ((unsigned char*)back)[i];
    report_result(label, wrong);
    HIP_CHECK(hipFreeArray(array));
}

static void sample(hipModule_t module, hipTextureAddressMode mode, Kind kind, bool normalized, const char* label) {
    hipChannelFormatDesc format = hipCreateChannelDesc<float>();
    hipArray_t array;
    HIP_CHECK(hipMallocArray(&array, &format, kWidth, kHeight, 0));
    HIP_CHECK(hipMemcpy2DToArray(array, 0, 0, image, sizeof image[0], sizeof image[0], kHeight, hipMemcpyHostToDevice));
    hipResourceDesc resource = {};
    resource.resType = hipResourceTypeArray;
    resource.res.array.array = array;
    hipTextureDesc how = {};
    how.addressMode[0] = how.addressMode[1] = mode;
    how.filterMode = kind == kPoint ? hipFilterModePoint : hipFilterModeLinear;
    how.readMode = hipReadModeElementType;
    how.normalizedCoords = normalized;
    hipTextureObject_t texture;
    HIP_CHECK(hipCreateTextureObject(&texture, &resource, &how, nullptr));
    const int n = 500;
    static float x[n], y[n], out[n];
    float *device_x, *device_y, *device_out;
    // From half an image before its edges to half an image behind them, in sixteenths.
    for (int i = 0; i < n; i++) x[i] = (float)((i * 29) % (kWidth * 32) - kWidth * 8) / 16.0f + 1 / 32.0f;
    for (int i = 0; i < n; i++) y[i] = (float)((i * 43) % (kHeight * 32) - kHeight * 8) / 16.0f + 1 / 32.0f;
    float want[n];
    for (int i = 0; i < n; i++) want[i] = expected(x[i], y[i], mode, kind);
    if (normalized)
        for (int i = 0; i < n; i++) x[i] /= kWidth, y[i] /= kHeight;
    HIP_CHECK(hipMalloc((void**)&device_x, sizeof x));
    HIP_CHECK(hipMalloc((void**)&device_y, sizeof y));
    HIP_CHECK(hipMalloc((void**)&device_out, sizeof out));
    HIP_CHECK(hipMemcpy(device_x, x, sizeof x, hipMemcpyHostToDevice));
    HIP_CHECK(hipMemcpy(device_y, y, sizeof y, hipMemcpyHostToDevice));
    launch(kernel(module, kKernels[kind]), 8, 64, texture, device_x, device_y, device_out, n);
    HIP_CHECK(hipMemcpy(out, device_out, sizeof out, hipMemcpyDeviceToHost));
    size_t wrong = 0;
    // A card's weights have 8 bits behind the point.
    for (int i = 0; i < n; i++) wrong += fabsf(out[i] - want[i]) > (kind == kPoint || kind == kGather ? 0.0f : 8.0f);
    report_result(label, wrong);
    HIP_CHECK(hipDestroyTextureObject(texture));
    HIP_CHECK(hipFreeArray(array));
    HIP_CHECK(hipFree(device_x));
    HIP_CHECK(hipFree(device_y));
    HIP_CHECK(hipFree(device_out));
}

static float power(float v, int n) { return n == 0 ? 1 : v * power(v, n - 1); }

// What bytes in sRGB are as floats.
static void colours(hipModule_t module) {
    unsigned char bytes[256][4];
    for (int i = 0; i < 256; i++) bytes[i][0] = i, bytes[i][1] = 255 - i, bytes[i][2] = 0, bytes[i][3] = i;
    hipChannelFormatDesc format = hipCreateChannelDesc<uchar4>();
    hipArray_t array;
    HIP_CHECK(hipMallocArray(&array, &format, 256, 1, 0));
    HIP_CHECK(hipMemcpy2DToArray(array, 0, 0, bytes, sizeof bytes, sizeof bytes, 1, hipMemcpyHostToDevice));
    hipResourceDesc resource = {};
    resource.resType = hipResourceTypeArray;
    resource.res.array.array = array;
    hipTextureDesc how = {};
    how.addressMode[0] = how.addressMode[1] = hipAddressModeClamp;
    how.filterMode = hipFilterModePoint;
    how.readMode = hipReadModeNormalizedFloat;
    how.sRGB = 1;
    hipTextureObject_t texture;
    HIP_CHECK(hipCreateTextureObject(&texture, &resource, &how, nullptr));
    static float out[256][4];
    float4* device_out;
    HIP_CHECK(hipMalloc((void**)&device_out, sizeof out));
    launch(kernel(module, "colours"), 1, 256, texture, device_out);
    HIP_CHECK(hipMemcpy(out, device_out, sizeof out, hipMemcpyDeviceToHost));
    size_t wrong = 0;
    for (int i = 0; i < 256; i++)
        for (int c = 0; c < 4; c++) {
            float v = bytes[i][c] / 255.0f, got = out[i][c];
            // Above the threshold the fifth power is one of whole numbers, 5 * 2.4.
            if (c == 3) wrong += fabsf(got - v) > 1e-6f;
            else if (v <= 0.04045f) wrong += fabsf(got - v / 12.92f) > 1e-6f;
            else wrong += fabsf(power(got, 5) / power((v + 0.055f) / 1.055f, 12) - 1) > 1e-4f;
        }
    report_result("bytes in sRGB", wrong);
    HIP_CHECK(hipDestroyTextureObject(texture));
    HIP_CHECK(hipFreeArray(array));
    HIP_CHECK(hipFree(device_out));
}

// Every element of an image of three dimensions, and of one of layers.
static void depths(hipModule_t module) {
    static const int kX = 11, kY = 6, kZ = 5, kAll = kX * kY * kZ;
    static float there[kAll], out[2 * kAll];
    for (int i = 0; i < kAll; i++) there[i] = (float)(i * 7 + 1);
    hipChannelFormatDesc format = hipCreateChannelDesc<float>();
    hipArray_t arrays[2];
    hipTextureObject_t textures[2];
    for (int layered = 0; layered < 2; layered++) {
        hipExtent extent = make_hipExtent(kX, kY, kZ);
        HIP_CHECK(hipMalloc3DArray(&arrays[layered], &format, extent, layered ? hipArrayLayered : 0));
        hipMemcpy3DParms copy = {};
        copy.srcPtr = make_hipPitchedPtr(there, kX * sizeof(float), kX, kY);
        copy.dstArray = arrays[layered];
        copy.extent = extent;
        copy.kind = hipMemcpyHostToDevice;
        HIP_CHECK(hipMemcpy3D(&copy));
        hipResourceDesc resource = {};
        resource.resType = hipResourceTypeArray;
        resource.res.array.array = arrays[layered];
        hipTextureDesc how = {};
        how.addressMode[0] = how.addressMode[1] = how.addressMode[2] = hipAddressModeClamp;
        how.filterMode = hipFilterModePoint;
        how.readMode = hipReadModeElementType;
        HIP_CHECK(hipCreateTextureObject(&textures[layered], &resource, &how, nullptr));
    }
    float* device_out;
    HIP_CHECK(hipMalloc((void**)&device_out, sizeof out));
    launch(kernel(module, "depths"), 1, dim3(kX, kY, kZ), textures[0], textures[1], device_out);
    HIP_CHECK(hipMemcpy(out, device_out, sizeof out, hipMemcpyDeviceToHost));
    size_t wrong = 0;
    for (int i = 0; i < 2 * kAll; i++) wrong += out[i] != there[i / 2];
    report_result("three dimensions and layers", wrong);
    for (hipTextureObject_t texture : textures) HIP_CHECK(hipDestroyTextureObject(texture));
    for (hipArray_t array : arrays) HIP_CHECK(hipFreeArray(array));
    HIP_CHECK(hipFree(device_out));
}

// What a kernel writes into an array.
static void paint(hipModule_t module) {
    hipChannelFormatDesc format = hipCreateChannelDesc<float>();
    hipArray_t array;
    HIP_CHECK(hipMallocArray(&array, &format, kWidth, kHeight, hipArraySurfaceLoadStore));
    hipResourceDesc resource = {};
    resource.resType = hipResourceTypeArray;
    resource.res.array.array = array;
    hipSurfaceObject_t surface;
    HIP_CHECK(hipCreateSurfaceObject(&surface, &resource));
    launch(kernel(module, "paint"), kHeight, 64, surface, kWidth);
    HIP_CHECK(hipDeviceSynchronize());
    static float back[kHeight][kWidth];
    HIP_CHECK(hipMemcpy2DFromArray(back, sizeof back[0], array, 0, 0, sizeof back[0], kHeight, hipMemcpyDeviceToHost));
    size_t wrong = 0;
    for (int y = 0; y < kHeight; y++)
        for (int x = 0; x < kWidth; x++) wrong += back[y][x] != y * 100.0f + x;
    report_result("a surface", wrong);
    HIP_CHECK(hipDestroySurfaceObject(surface));
    HIP_CHECK(hipFreeArray(array));
}

// The runtime has no images of several levels over ROCR, on any card.
static void levels() {
    hipChannelFormatDesc format = hipCreateChannelDesc<float>();
    hipMipmappedArray_t array;
    hipError_t error = hipMallocMipmappedArray(&array, &format, make_hipExtent(kWidth, kHeight, 0), 3, 0);
    report_result("levels, which are not supported", error != hipErrorNotSupported);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    for (int y = 0; y < kHeight; y++)
        for (int x = 0; x < kWidth; x++) image[y][x] = (float)((x * 97 + y * 389) % 1000);
    round_trip<unsigned char>("bytes");
    round_trip<float>("floats");
    round_trip<float4>("four floats");
    hipModule_t module = compile(kSource);
    sample(module, hipAddressModeClamp, kPoint, false, "points, clamped");
    sample(module, hipAddressModeBorder, kPoint, false, "points, with a border");
    sample(module, hipAddressModeClamp, kLinear, false, "linear, clamped");
    sample(module, hipAddressModeWrap, kPoint, true, "points, wrapped, normalised");
    sample(module, hipAddressModeWrap, kLinear, true, "linear, wrapped, normalised");
    sample(module, hipAddressModeMirror, kLinear, true, "linear, mirrored, normalised");
    sample(module, hipAddressModeWrap, kSmall, true, "beyond level 0");
    sample(module, hipAddressModeWrap, kGather, true, "gathered");
    depths(module);
    paint(module);
    colours(module);
    levels();
    mark("exit");
    return 0;
}
