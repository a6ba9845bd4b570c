// The program behind `rmcp demo --atomics`: every atomic operation on every kind of memory, as in ROCm/clr#285, one line
// of JSON on stdout for each pair. Each work-item applies the operation to a word of its own, so that nothing but the
// operation itself can go wrong; the word is compared, and what the operation returns.
//
// The kernels are compiled when the program runs, by the hiprtc of the runtime that it uses.
#include "demo.h"

#include <link.h>

#include <initializer_list>

HIP int hipModuleLoadData(void** module, const void* image);
HIP int hipModuleGetFunction(void** function, void* module, const char* name);
HIP int hipModuleLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                              unsigned block_y, unsigned block_z, unsigned shared, void* stream, void** arguments,
                              void** extra);
HIP int hipDeviceSynchronize();
HIP int hipMemcpy(void* to, const void* from, size_t size, int kind);
HIP int hipHostGetDevicePointer(void** device, void* host, unsigned flags);

// atomicAdd(float*) is a loop around compare-and-swap on these cards; min and max are instructions, which HIP's
// atomicMin(float*) does not use, but the compiler's own functions do; up to clang 16 those take the bits for an integer.
// HIP has no 64-bit inc and dec.
static const char* const kSource = R"(
#define MIN(word, value) __hip_atomic_fetch_min(word, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT)
#define MAX(word, value) __hip_atomic_fetch_max(word, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT)
template <class T, class Signed> __device__ T apply(int op, T* word, T value) {
    switch (op) {
        case 0: return atomicAdd(word, value);
        case 1: return atomicSub(word, value);
        case 2: return atomicExch(word, value);
        case 3: return atomicCAS(word, (T)1000, value);
        case 4: return atomicMin(word, value);
        case 5: return atomicMax(word, value);
        case 6: return atomicAnd(word, value);
        case 7: return atomicOr(word, value);
        case 8: return atomicXor(word, value);
        case 9: return MIN((Signed*)word, (Signed)value);
        case 10: return MAX((Signed*)word, (Signed)value);
    }
    return 0;
}
__device__ unsigned act(int op, unsigned* word, unsigned value) {
    switch (op) {
        case 11: return atomicInc(word, value);
        case 12: return atomicDec(word, value);
    }
    return apply<unsigned, int>(op, word, value);
}
__device__ unsigned long long act(int op, unsigned long long* word, unsigned long long value) {
    return apply<unsigned long long, long long>(op, word, value);
}
__device__ float act(int op, float* word, float value) { return op == 4 ? MIN(word, value) : MAX(word, value); }
__device__ double act(int op, double* word, double value) { return op == 4 ? MIN(word, value) : MAX(word, value); }

// With a use of what was there before, and without: two forms of an instruction.
#define KERNELS(name, T)                                                                            \
    extern "C" __global__ void name(int op, T* to, const T* value, T* old) {                        \
        int i = blockIdx.x * blockDim.x + threadIdx.x;                                              \
        old[i] = act(op, to + i, value[i]);                                                         \
    }                                                                                               \
    extern "C" __global__ void name##_unused(int op, T* to, const T* value, T*) {                   \
        int i = blockIdx.x * blockDim.x + threadIdx.x;                                              \
        act(op, to + i, value[i]);                                                                  \
    }
KERNELS(bits32, unsigned)
KERNELS(bits64, unsigned long long)
#if __clang_major__ > 16
KERNELS(float32, float)
KERNELS(float64, double)
#endif
)";

enum { kAdd, kSub, kExch, kCas, kMin, kMax, kAnd, kOr, kXor, kMinSigned, kMaxSigned, kInc, kDec };

static const struct Operation {
    const char* name;
    const char* type;
    const char* kernel;
    int op;
} kOperations[] = {
    {"add", "uint32", "bits32", kAdd},        {"sub", "uint32", "bits32", kSub},
    {"exchange", "uint32", "bits32", kExch},  {"cas", "uint32", "bits32", kCas},
    {"min", "uint32", "bits32", kMin},        {"max", "uint32", "bits32", kMax},
    {"min", "int32", "bits32", kMinSigned},   {"max", "int32", "bits32", kMaxSigned},
    {"and", "uint32", "bits32", kAnd},        {"or", "uint32", "bits32", kOr},
    {"xor", "uint32", "bits32", kXor},        {"inc", "uint32", "bits32", kInc},
    {"dec", "uint32", "bits32", kDec},        {"add", "uint64", "bits64", kAdd},
    {"sub", "uint64", "bits64", kSub},        {"exchange", "uint64", "bits64", kExch},
    {"cas", "uint64", "bits64", kCas},        {"min", "uint64", "bits64", kMin},
    {"max", "uint64", "bits64", kMax},        {"min", "int64", "bits64", kMinSigned},
    {"max", "int64", "bits64", kMaxSigned},   {"and", "uint64", "bits64", kAnd},
    {"or", "uint64", "bits64", kOr},          {"xor", "uint64", "bits64", kXor},
    {"min", "float32", "float32", kMin},      {"max", "float32", "float32", kMax},
    {"min", "float64", "float64", kMin},      {"max", "float64", "float64", kMax},
};

// What the processor makes of the same.
template <class T, class Signed> static T integer(int op, T old, T value) {
    switch (op) {
        case kAdd: return old + value;
        case kSub: return old - value;
        case kExch: return value;
        case kCas: return old == 1000 ? value : old;
        case kMin: return old < value ? old : value;
        case kMax: return old > value ? old : value;
        case kAnd: return old & value;
        case kOr: return old | value;
        case kXor: return old ^ value;
        case kMinSigned: return (Signed)old < (Signed)value ? old : value;
        case kMaxSigned: return (Signed)old > (Signed)value ? old : value;
        case kInc: return old >= value ? 0 : old + 1;
        default: return old == 0 || old > value ? value : old - 1;
    }
}
static unsigned expected(int op, unsigned old, unsigned value) { return integer<unsigned, int>(op, old, value); }
static unsigned long long expected(int op, unsigned long long old, unsigned long long value) {
    return integer<unsigned long long, long long>(op, old, value);
}
static double expected(int op, double old, double value) {
    return (op == kMin ? old < value : old > value) ? old : value;
}

static void must(const char* what, int error) {
    if (error == 0) return;
    fprintf(stderr, "%s failed: %s\n", what, hipGetErrorName(error));
    exit(1);
}
#define MUST(call) must(#call, call)

static const int kCount = 1024, kGroup = 256;
// Of the widest type.
static const size_t kBytes = kCount * sizeof(double);

// A kind of memory that a program can ask for.
struct Memory {
    const char* label;
    const char* symbol;
    int (*allocate)(void** ptr);
    int (*release)(void* ptr);
    // The processor does not reach it in every case.
    bool copied;
};

static int allocate_registered(void** ptr) {
    if (posix_memalign(ptr, 4096, kBytes)) return 2;  // hipErrorOutOfMemory
    memset(*ptr, 0, kBytes);
    int error = hipHostRegister(*ptr, kBytes, 0);
    if (error) free(*ptr);
    return error;
}
static int release_registered(void* ptr) {
    int error = hipHostUnregister(ptr);
    free(ptr);
    return error;
}

// Calls in functions of their own: the address of a weak function was asked for before the runtime came.
#define MEMORY(name, arguments, undo, copied, ...)                                                                  \
    {#name "(" arguments ")", #name, [](void** ptr) { return name(ptr, kBytes, ##__VA_ARGS__); },                   \
     [](void* ptr) { return undo(ptr); }, copied}
static const Memory kMemory[] = {
    MEMORY(hipMalloc, "", hipFree, true),
    MEMORY(hipHostMalloc, "0", hipHostFree, false, 0),
    MEMORY(hipHostMalloc, "Mapped", hipHostFree, false, kMapped),
    MEMORY(hipHostMalloc, "Portable", hipHostFree, false, kPortable),
    MEMORY(hipHostMalloc, "Coherent", hipHostFree, false, kCoherent),
    MEMORY(hipHostMalloc, "NonCoherent", hipHostFree, false, kNonCoherent),
    // VRAM on ROCm 5.
    MEMORY(hipHostAlloc, "0", hipHostFree, true, 0),
    MEMORY(hipMallocManaged, "Global", hipFree, false, kAttachGlobal),
    {"hipHostRegister(0)", "hipHostRegister", allocate_registered, release_registered, false},
};

static void copy(void* to, const void* from, bool by_runtime) {
    if (by_runtime) MUST(hipMemcpy(to, from, kBytes, 4 /* hipMemcpyDefault */));
    else memcpy(to, from, kBytes);
}

static void launch(void* function, int op, void* to, void* values, void* olds) {
    void* arguments[] = {&op, &to, &values, &olds};
    MUST(hipModuleLaunchKernel(function, kCount / kGroup, 1, 1, kGroup, 1, 1, 0, nullptr, arguments, nullptr));
    MUST(hipDeviceSynchronize());
}

// Words that one operation left wrong in `memory`, which the card knows as `at`; -1 where there is no such kernel.
template <class T>
static int wrong(const Memory& memory, void* ptr, void* at, void* module, const Operation& operation) {
    static T before[kBytes / sizeof(T)], value[kBytes / sizeof(T)], after[kBytes / sizeof(T)], old[kBytes / sizeof(T)];
    static void *values = nullptr, *olds = nullptr;
    if (!values) {
        MUST(hipMalloc(&values, kBytes));
        MUST(hipMalloc(&olds, kBytes));
        for (int i = 0; i < kCount; i++) {
            value[i] = (T)(i % 7 ? (long long)((i + 1) * 0x9e3779b97f4a7c15ull) >> 11 : i);
            before[i] = (T)(i % 4 ? (long long)(i * 0x2545f4914f6cdd1dull) >> 9 : 1000);
        }
        copy(values, value, true);
    }
    char name[32];
    bool bad[kCount] = {};
    for (bool used : {true, false}) {
        snprintf(name, sizeof name, "%s%s", operation.kernel, used ? "" : "_unused");
        void* function;
        if (hipModuleGetFunction(&function, module, name)) return -1;
        copy(ptr, before, memory.copied);
        launch(function, operation.op, at, values, olds);
        copy(after, ptr, memory.copied);
        copy(old, olds, true);
        for (int i = 0; i < kCount; i++) {
            bad[i] |= after[i] != (T)expected(operation.op, before[i], value[i]);
            bad[i] |= used && old[i] != before[i];
        }
    }
    int count = 0;
    for (bool one : bad) count += one;
    return count;
}

static int wrong(const Memory& memory, void* ptr, void* at, void* module, const Operation& operation) {
    if (!strcmp(operation.kernel, "bits32")) return wrong<unsigned>(memory, ptr, at, module, operation);
    if (!strcmp(operation.kernel, "bits64")) return wrong<unsigned long long>(memory, ptr, at, module, operation);
    if (!strcmp(operation.kernel, "float32")) return wrong<float>(memory, ptr, at, module, operation);
    return wrong<double>(memory, ptr, at, module, operation);
}

// Where hiprtc's functions are: in libamdhip64 up to ROCm 6, else in a library of its own, the runtime's neighbour.
static void* open_hiprtc(void* runtime) {
    if (dlsym(runtime, "hiprtcCompileProgram")) return runtime;
    char beside[4096] = "";
    link_map* map;
    if (!dlinfo(runtime, RTLD_DI_LINKMAP, &map) && strlen(map->l_name) + 16 < sizeof beside) {
        strcpy(beside, map->l_name);
        char* file = strrchr(beside, '/');
        strcpy(file ? file + 1 : beside, "libhiprtc.so");
    }
    for (const char* name : {(const char*)beside, "libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5", "libhiprtc.so",
                             "/opt/rocm/lib/libhiprtc.so"})
        if (void* library = *name ? dlopen(name, RTLD_NOW) : nullptr) return library;
    fprintf(stderr, "hiprtc, ROCm's compiler for programs that run, is missing: there is no libhiprtc.so.7, .6 or .5 "
                    "beside the runtime or where the loader looks. It comes with AMD's package hip-runtime-amd and with "
                    "Debian's package libhiprtc7.\n");
    exit(1);
}

// What the device calls its architecture, as in gfx1010:xnack-. The structure changed in ROCm 6, and its first form is
// at most as large. (hip_runtime_api.h)
static const char* architecture(void* runtime, int device) {
    static char properties[4096];
    void* now = dlsym(runtime, "hipGetDevicePropertiesR0600");
    void* query = now ? now : dlsym(runtime, "hipGetDeviceProperties");
    MUST(((int (*)(void*, int))query)(properties, device));
    return properties + (now ? 1160 : 396);  // gcnArchName
}

static void* compile(void* hiprtc, const char* architecture) {
    char target[320];
    snprintf(target, sizeof target, "--offload-arch=%s", architecture);
    const char* options[] = {target, "-O3"};
    auto find = [&](const char* name) { return (int (*)(...))dlsym(hiprtc, name); };
    void* program;
    size_t size = 0;
    int error = find("hiprtcCreateProgram")(&program, kSource, "atomics.hip", 0, nullptr, nullptr);
    if (!error && (error = find("hiprtcCompileProgram")(program, 2, options))) {
        find("hiprtcGetProgramLogSize")(program, &size);
        char* messages = (char*)calloc(size + 1, 1);
        find("hiprtcGetProgramLog")(program, messages);
        fprintf(stderr, "%s\n", messages);
    }
    if (error) fprintf(stderr, "hiprtc failed with error %d for %s\n", error, architecture), exit(1);
    find("hiprtcGetCodeSize")(program, &size);
    char* code = (char*)malloc(size);
    find("hiprtcGetCode")(program, code);
    void* module;
    MUST(hipModuleLoadData(&module, code));
    return module;
}

int main(int count, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    void* runtime = open_runtime(count, arguments);
    const char* target = architecture(runtime, atoi(arguments[1]));
    void* module = compile(open_hiprtc(runtime), target);
    printf("{\"label\": \"card\", \"code\": 0, \"arch\": \"%s\"}\n", target);
    for (const Memory& memory : kMemory) {
        void *ptr = nullptr, *at = nullptr;
        const char* error = missing(memory.symbol) ? "not in this release" : nullptr;
        if (!error)
            if (int code = memory.allocate(&ptr)) error = hipGetErrorName(code);
        // What was registered may have another address there.
        if (!error && (memory.release != release_registered || hipHostGetDevicePointer(&at, ptr, 0))) at = ptr;
        for (const Operation& operation : kOperations) {
            int words = error ? 0 : wrong(memory, ptr, at, module, operation);
            const char* result = error ? error : words < 0 ? "not in this compiler" : "hipSuccess";
            printf("{\"label\": \"%s %s %s\", \"memory\": \"%s\", \"operation\": \"%s\", \"type\": \"%s\", \"code\": %d, "
                   "\"error\": \"%s\", \"wrong\": %d, \"of\": %d}\n",
                   memory.label, operation.name, operation.type, memory.label, operation.name, operation.type,
                   strcmp(result, "hipSuccess") ? -1 : 0, result, words < 0 ? 0 : words, kCount);
        }
        if (!error) memory.release(ptr);
    }
}
