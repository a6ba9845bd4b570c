// Every integer atomic operation on every kind of memory, as in ROCm/clr#285: each work-item applies it to a word of its
// own, so that nothing but the operation itself can go wrong. Both the word and what the operation returns are compared.
#include "kernels.h"

static const char* const kSource = R"(
template <class T> __device__ T apply(int op, T* word, T value) {
    switch (op) {
        case 0: return atomicAdd(word, value);
        case 1: return atomicExch(word, value);
        case 2: return atomicCAS(word, (T)1000, value);
        case 3: return atomicMin(word, value);
        case 4: return atomicMax(word, value);
        case 5: return atomicAnd(word, value);
        case 6: return atomicOr(word, value);
        case 7: return atomicXor(word, value);
    }
    return 0;
}
extern "C" __global__ void words(int op, unsigned* to, const unsigned* value, unsigned* old) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned given = value[i];
    switch (op) {
        case 8: old[i] = atomicSub(to + i, given); break;
        case 9: old[i] = atomicMin((int*)to + i, (int)given); break;
        case 10: old[i] = atomicMax((int*)to + i, (int)given); break;
        case 11: old[i] = atomicInc(to + i, given); break;
        case 12: old[i] = atomicDec(to + i, given); break;
        default: old[i] = apply(op, to + i, given);
    }
}
extern "C" __global__ void doubles(int op, unsigned long long* to, const unsigned long long* value,
                                   unsigned long long* old) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    old[i] = apply(op, to + i, value[i]);
}
// The same without a use of what was there before.
extern "C" __global__ void silent(int op, unsigned* to, const unsigned* value, unsigned* old) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    old[i] = to[i];
    switch (op) {
        case 3: atomicMin(to + i, value[i]); break;
        default: atomicAdd(to + i, value[i]); break;
    }
}
)";

static const char* const kOperations[] = {"Add", "Exch", "CAS", "Min",    "Max",    "And", "Or",
                                          "Xor", "Sub",  "MinSigned", "MaxSigned", "Inc", "Dec"};
static const int kBoth = 8;

template <class T> static T expected(int op, T old, T value) {
    switch (op) {
        case 0: return old + value;
        case 1: return value;
        case 2: return old == 1000 ? value : old;
        case 3: return old < value ? old : value;
        case 4: return old > value ? old : value;
        case 5: return old & value;
        case 6: return old | value;
        case 7: return old ^ value;
        case 8: return old - value;
        case 9: return (int)old < (int)value ? old : value;
        case 10: return (int)old > (int)value ? old : value;
        case 11: return old >= value ? 0 : old + 1;
        default: return old == 0 || old > value ? value : old - 1;
    }
}

struct Memory {
    const char* label;
    enum { kDevice, kHost, kManaged, kRegistered } kind;
    unsigned flags;
};
static const Memory kMemory[] = {
    {"hipMalloc", Memory::kDevice, 0},
    {"hipHostMalloc(0)", Memory::kHost, hipHostMallocDefault},
    {"hipHostMalloc(Mapped)", Memory::kHost, hipHostMallocMapped},
    {"hipHostMalloc(Coherent)", Memory::kHost, hipHostMallocCoherent},
    {"hipHostMalloc(NonCoherent)", Memory::kHost, hipHostMallocNonCoherent},
    {"hipMallocManaged", Memory::kManaged, 0},
    {"hipHostRegister", Memory::kRegistered, 0},
};

static const int kCount = 4096;

template <class T> struct Run {
    T *to = nullptr, *at = nullptr, *values = nullptr, *olds = nullptr;
    T before[kCount], value[kCount], after[kCount], old[kCount];

    explicit Run(const Memory& memory) {
        switch (memory.kind) {
            case Memory::kDevice: MUST(hipMalloc((void**)&to, sizeof before)); break;
            case Memory::kHost: MUST(hipHostMalloc((void**)&to, sizeof before, memory.flags)); break;
            case Memory::kManaged: MUST(hipMallocManaged((void**)&to, sizeof before, hipMemAttachGlobal)); break;
            case Memory::kRegistered:
                to = (T*)aligned_alloc(4096, sizeof before);
                memset(to, 0, sizeof before);
                MUST(hipHostRegister(to, sizeof before, 0));
                MUST(hipHostGetDevicePointer((void**)&at, to, 0));
                break;
        }
        if (!at) at = to;
        MUST(hipMalloc((void**)&values, sizeof value));
        MUST(hipMalloc((void**)&olds, sizeof old));
        for (int i = 0; i < kCount; i++) {
            value[i] = i % 7 ? (T)((i + 1) * 0x9e3779b97f4a7c15ull >> 11) : (T)i;
            before[i] = i % 4 ? (T)(i * 0x2545f4914f6cdd1dull >> 9) : (T)1000;
        }
        MUST(hipMemcpy(values, value, sizeof value, hipMemcpyHostToDevice));
    }

    size_t wrong(hipFunction_t function, int op, bool device) {
        if (device) MUST(hipMemcpy(to, before, sizeof before, hipMemcpyHostToDevice));
        else memcpy(to, before, sizeof before);
        launch(function, kCount / 256, 256, op, at, values, olds);
        if (device) MUST(hipMemcpy(after, to, sizeof after, hipMemcpyDeviceToHost));
        else memcpy(after, to, sizeof after);
        MUST(hipMemcpy(old, olds, sizeof old, hipMemcpyDeviceToHost));
        size_t wrong = 0;
        for (int i = 0; i < kCount; i++)
            wrong += after[i] != expected(op, before[i], value[i]) || old[i] != before[i];
        return wrong;
    }
};

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    hipModule_t module = compile(kSource);
    hipFunction_t words = kernel(module, "words"), doubles = kernel(module, "doubles"), silent = kernel(module, "silent");
    char label[128];
    for (const Memory& memory : kMemory) {
        bool device = memory.kind == Memory::kDevice;
        static_assert(sizeof(kOperations) / sizeof *kOperations == 13, "one name each");
        auto* narrow = (Run<unsigned>*)malloc(sizeof(Run<unsigned>));
        *narrow = Run<unsigned>(memory);
        for (int op = 0; op < 13; op++) {
            snprintf(label, sizeof label, "%s atomic%s", memory.label, kOperations[op]);
            result(label, narrow->wrong(words, op, device));
        }
        for (int op : {0, 3}) {
            snprintf(label, sizeof label, "%s atomic%s unused", memory.label, kOperations[op]);
            result(label, narrow->wrong(silent, op, device));
        }
        auto* wide = (Run<unsigned long long>*)malloc(sizeof(Run<unsigned long long>));
        *wide = Run<unsigned long long>(memory);
        for (int op = 0; op < kBoth; op++) {
            snprintf(label, sizeof label, "%s atomic%s 64", memory.label, kOperations[op]);
            result(label, wide->wrong(doubles, op, device));
        }
    }
    mark("exit");
    return 0;
}
