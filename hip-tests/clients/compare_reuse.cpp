// What the runtime says of memory that lies where other memory lay:
//
//     compare_reuse answers       each kind of memory in the place of each other kind: a line of answers that is the same from
//                                 run to run
//     compare_reuse words         the same with a stream that is to write a word of it: a report a pair
//     compare_reuse many COUNT    six times COUNT blocks of pinned memory, each in a place of its own, each asked for its flags
//
// The last line but for `many`, "reused N of M", says how often the same place came back.
#include "client.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t kSize = 0xa00000;
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum Allocator { kHostMalloc, kMallocHost, kMemAllocHost, kHostAlloc, kRegister, kMalloc, kManaged };
struct Kind {
    const char* name;
    Allocator allocator;
    unsigned flags;
};
static const Kind kKinds[] = {
    {"hipHostMalloc(0)", kHostMalloc, 0},
    {"hipHostMalloc(Mapped)", kHostMalloc, hipHostMallocMapped},
    {"hipHostMalloc(Portable)", kHostMalloc, hipHostMallocPortable},
    {"hipHostMalloc(Portable|Mapped)", kHostMalloc, hipHostMallocPortable | hipHostMallocMapped},
    {"hipHostMalloc(WriteCombined)", kHostMalloc, hipHostMallocWriteCombined},
    {"hipHostMalloc(NumaUser)", kHostMalloc, hipHostMallocNumaUser},
    {"hipHostMalloc(Coherent)", kHostMalloc, hipHostMallocCoherent},
    {"hipHostMalloc(NonCoherent)", kHostMalloc, hipHostMallocNonCoherent},
    {"hipHostMalloc(Mapped|NonCoherent)", kHostMalloc, hipHostMallocMapped | hipHostMallocNonCoherent},
    {"hipMallocHost", kMallocHost, 0},
    {"hipMemAllocHost", kMemAllocHost, 0},
    {"hipHostAlloc(0)", kHostAlloc, 0},
    {"hipHostAlloc(Mapped)", kHostAlloc, hipHostMallocMapped},
    {"hipHostRegister(0)", kRegister, 0},
    {"hipHostRegister(Mapped)", kRegister, 2},
    {"hipMalloc", kMalloc, 0},
    {"hipMallocManaged", kManaged, hipMemAttachGlobal},
};

// `at`: where the program's own memory is to lie that is registered; null: anywhere.
static void* allocate(const Kind& kind, void* at) {
    void* memory = nullptr;
    switch (kind.allocator) {
        case kHostMalloc: HIP_CHECK(hipHostMalloc(&memory, kSize, kind.flags)); break;
        case kMallocHost: HIP_CHECK(hipMallocHost(&memory, kSize)); break;
        case kMemAllocHost: HIP_CHECK(hipMemAllocHost(&memory, kSize)); break;
        case kHostAlloc: HIP_CHECK(hipHostAlloc(&memory, kSize, kind.flags)); break;
        case kMalloc: HIP_CHECK(hipMalloc(&memory, kSize)); break;
        case kManaged: HIP_CHECK(hipMallocManaged(&memory, kSize, kind.flags)); break;
        case kRegister:
            memory = mmap(at, kSize, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : 0), -1, 0);
            if (memory == MAP_FAILED) memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (memory == MAP_FAILED) fprintf(stderr, "no memory: %m\n"), exit(1);
            HIP_CHECK(hipHostRegister(memory, kSize, kind.flags));
    }
    return memory;
}

// Each of the functions that free pinned memory has its turn.
static void release(const Kind& kind, void* memory) {
    static int turn;
    switch (kind.allocator) {
        case kRegister:
            HIP_CHECK(hipHostUnregister(memory));
            munmap(memory, kSize);
            return;
        case kMalloc:
        case kManaged: HIP_CHECK(hipFree(memory)); return;
        case kHostAlloc:
            // 5.x gives device memory for it.
            if (HIP_VERSION < 60000000) HIP_CHECK(hipFree(memory));
            else HIP_CHECK(hipHostFree(memory));
            return;
        default:
            turn++;
            if (turn % 3 == 0) HIP_CHECK(hipFree(memory));
            else if (turn % 3 == 1) HIP_CHECK(hipHostFree(memory));
            else HIP_CHECK(hipFreeHost(memory));
    }
}

static void print_offset(const void* address, const void* start) {
    size_t offset = (size_t)address - (size_t)start;
    if (offset < kSize) printf(" +%#zx", offset);
    else printf(address ? " elsewhere" : " null");
}

static void print_answers(char* start, char* at) {
    unsigned flags = 7;
    hipError_t error = hipHostGetFlags(&flags, at);
    printf(": %d %#x", (int)error, flags);
    hipPointerAttribute_t a;
    memset(&a, 0, sizeof a);
    error = hipPointerGetAttributes(&a, at);
#if HIP_VERSION >= 60000000
    int type = a.type;
#else
    int type = a.memoryType;
#endif
    printf(" %d type %d device %d managed %d flags %#x", (int)error, type, a.device, a.isManaged, a.allocationFlags);
    print_offset(a.devicePointer, start);
    print_offset(a.hostPointer, start);
    (void)hipGetLastError();
}

static int reused, pairs;

// Has `second` in the place of `first`, and `use` use it.
template <class Use>
static void replace(const Kind& first, const Kind& second, Use use) {
    // Where the runtime lays memory by itself.
    void* place = allocate(kKinds[0], nullptr);
    release(kKinds[0], place);
    place = allocate(first, place);
    use(first, nullptr, place);
    release(first, place);
    // Managed memory comes to lie a little higher than the rest.
    auto in_place = [place](void* memory) { return llabs((char*)memory - (char*)place) < (long long)kSize; };
    void* others[8];
    int count = 0;
    void* memory = allocate(second, place);
    for (; !in_place(memory) && count < 8; memory = allocate(second, place)) others[count++] = memory;
    pairs++, reused += in_place(memory);
    use(second, &first, memory);
    release(second, memory);
    while (count) release(second, others[--count]);
}

template <class Use>
static void replace_each(Use use) {
    for (const Kind& first : kKinds)
        for (const Kind& second : kKinds) replace(first, second, use);
    printf("reused %d of %d\n", reused, pairs);
}

static void answers() {
    replace_each([](const Kind& kind, const Kind* former, void* memory) {
        char* start = (char*)memory;
        printf("%s", kind.name);
        if (former) printf(" in the place of %s", former->name);
        for (size_t offset : {(size_t)0, (size_t)100, kSize - 1}) print_answers(start, start + offset);
        printf("\n");
    });
}

static void words() {
    hipStream_t stream;
    HIP_CHECK(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
    // Nothing in the program's file says that it uses the functions. From 6 on they are met in the runtime's table.
    char name[32];
    snprintf(name, sizeof name, "libamdhip64.so.%d", HIP_VERSION_MAJOR);
    void* library = HIP_VERSION >= 60000000 ? dlopen(name, RTLD_LAZY | RTLD_NOLOAD) : RTLD_DEFAULT;
    auto write = (decltype(&hipStreamWriteValue32))dlsym(library, "hipStreamWriteValue32");
    auto wait = (decltype(&hipStreamWaitValue32))dlsym(library, "hipStreamWaitValue32");
    replace_each([=](const Kind& kind, const Kind* former, void* memory) {
        if (!former) return;
        char label[200];
        for (bool waits : {false, true}) {
            unsigned* word = (unsigned*)memory + (waits ? 64 : 0);
            snprintf(label, sizeof label, "%s in the place of %s: %s", kind.name, former->name, waits ? "wait" : "write");
            // What it waits for is there.
            hipError_t error = waits ? wait(stream, word, 0, hipStreamWaitValueGte, 0xffffffff) : write(stream, word, 7, 0);
            report(label, error, hipGetLastError(), -1);
            HIP_CHECK(hipStreamSynchronize(stream));
        }
    });
}

// In KiB. (fscanf has a C23 variant, which old stacks lack.)
static long resident() {
    char text[128] = {};
    FILE* file = fopen("/proc/self/statm", "r");
    if (!file || !fgets(text, sizeof text, file)) exit(1);
    fclose(file);
    long pages = 0;
    for (const char* digit = strchr(text, ' ') + 1; *digit >= '0' && *digit <= '9'; digit++) pages = 10 * pages + *digit - '0';
    return pages * 4;
}

static void many(size_t count) {
    const unsigned flags[] = {0, hipHostMallocMapped, hipHostMallocCoherent, hipHostMallocPortable, hipHostMallocNonCoherent,
                              hipHostMallocPortable | hipHostMallocMapped};
    const size_t kinds = sizeof flags / sizeof *flags;
    // What the runtime says of one that is alone.
    unsigned expected[kinds];
    void** memory = (void**)calloc(count, sizeof *memory);
    for (size_t kind = 0; kind < kinds; kind++) {
        HIP_CHECK(hipHostMalloc(memory, 4096, flags[kind]));
        HIP_CHECK(hipHostGetFlags(&expected[kind], *memory));
        printf("hipHostMalloc(%#x) has flags %#x\n", flags[kind], expected[kind]);
        HIP_CHECK(hipHostFree(*memory));
    }
    long first = 0;
    for (int round = 0; round < 6; round++) {
        size_t wrong = 0, others = 0;
        for (size_t i = 0; i < count; i++) HIP_CHECK(hipHostMalloc(&memory[i], 4096, flags[(i + round) % kinds]));
        for (size_t i = 0; i < count; i++) {
            unsigned answer = 7;
            HIP_CHECK(hipHostGetFlags(&answer, memory[i]));
            wrong += answer != expected[(i + round) % kinds];
        }
        for (size_t i = 0; i < count; i++) {
            HIP_CHECK(hipHostFree(memory[i]));
            // Nothing lies there again.
            void* blocked = mmap(memory[i], 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            others += blocked != memory[i];
        }
        printf("{\"label\": \"round %d\", \"code\": 0, \"wrong\": %zu, \"flags\": %zu}\n", round, wrong, others);
        if (round == 1) first = resident();
    }
    printf("{\"label\": \"growth\", \"code\": 0, \"flags\": %ld}\n", resident() - first);
}

int main(int, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    int devices = 0;
    HIP_CHECK(hipGetDeviceCount(&devices));
    if (!strcmp(arguments[1], "answers")) answers();
    if (!strcmp(arguments[1], "words")) words();
    if (!strcmp(arguments[1], "many")) {
        size_t count = 0;
        for (const char* digit = arguments[2]; *digit; digit++) count = 10 * count + (*digit - '0');
        many(count);
    }
    return 0;
}
