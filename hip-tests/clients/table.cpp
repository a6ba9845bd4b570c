// A program that links no runtime: it looks the functions up in RUNTIME, a file that it loads itself. `table MODE RUNTIME ...`:
//
//     copies SECOND                in two runtimes in turn
//     fork                         and a child makes calls after its parent did
//     reload                       unloads it, unused and used, and loads it again, three times
//     answers LIBRARY              asks by each way what was allocated by each: dlsym, hipGetProcAddress, and LIBRARY, which is
//                                  linked
//     caller LIBRARY               has LIBRARY, table_caller.cpp, make calls
//     profiler LIBRARY PROFILER    has PROFILER, table_profiler.cpp, wrap functions in the runtime's table; makes calls itself and
//                                  has LIBRARY make them
//
// LIBRARY is this source with -DLINKED.
#include "table.h"

#ifdef LINKED

// Calls of this library, not of whoever has their addresses.
static hipError_t device_count(int* count) { return hipGetDeviceCount(count); }
static hipError_t host_malloc(void** p, size_t n, unsigned int flags) { return hipHostMalloc(p, n, flags); }
static hipError_t host_alloc(void** p, size_t n, unsigned int flags) { return hipHostAlloc(p, n, flags); }
static hipError_t malloc_host(void** p, size_t n) { return hipMallocHost(p, n); }
static hipError_t mem_alloc_host(void** p, size_t n) { return hipMemAllocHost(p, n); }
static hipError_t managed_malloc(void** p, size_t n, unsigned int flags) { return hipMallocManaged(p, n, flags); }
static hipError_t device_malloc(void** p, size_t n) { return hipMalloc(p, n); }
static hipError_t host_free(void* p) { return hipHostFree(p); }
static hipError_t device_free(void* p) { return hipFree(p); }
static hipError_t get_flags(unsigned int* flags, void* p) { return hipHostGetFlags(flags, p); }
static hipError_t get_attributes(hipPointerAttribute_t* a, const void* p) { return hipPointerGetAttributes(a, p); }

extern "C" Functions linked() {
    return {device_count,  host_malloc, host_alloc,  malloc_host, mem_alloc_host, managed_malloc,
            device_malloc, host_free,   device_free, get_flags,   get_attributes};
}

#else

#include "../../include/rmcp.h"

#include <sys/wait.h>
#include <unistd.h>

static Functions linked_in(const char* library) { return ((Functions(*)())dlsym(load(library), "linked"))(); }

static void report_flags(const char* label, const Functions& f, void* memory) {
    unsigned int flags = 0;
    printf("{\"label\": \"%s\", \"code\": %d}\n", label, (int)f.get_flags(&flags, memory));
}

static void copies(const char* first, const char* second) {
    const char* names[2] = {"first", "second"};
    Functions runtimes[2] = {looked_up_in(load(first)), looked_up_in(load(second))};
    for (const Functions& runtime : runtimes) start(runtime);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 2; i++) {
            char label[96];
            snprintf(label, sizeof label, "%s hipHostMalloc(0) %d", names[i], round);
            void* memory = pinned(label, runtimes[i], 0);
            snprintf(label, sizeof label, "%s asked of the other %d", names[i], round);
            report_flags(label, runtimes[!i], memory);
            check("hipHostFree", runtimes[i].host_free(memory));
            snprintf(label, sizeof label, "%s hipMallocManaged %d", names[i], round);
            check("hipFree", runtimes[i].device_free(managed(label, runtimes[i])));
        }
}

static unsigned long long rewritten(const char* name) {
    auto counters = (decltype(&rmcp_counters))dlsym(RTLD_DEFAULT, "rmcp_counters");
    static rmcp_counter_t rows[256];
    size_t count = counters ? counters(rows, 256) : 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].rewritten;
    return 0;
}

// A real runtime is of no use in a child, and says so.
static void fork_child(const char* runtime) {
    Functions f = looked_up_in(load(runtime));
    start(f);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        alarm(30);
        void* memory = nullptr;
        unsigned long long before = rewritten("hipHostMalloc");
        hipError_t error = f.host_malloc(&memory, kSize, 0);
        printf("{\"label\": \"child\", \"code\": %d, \"counted\": %llu}\n", (int)error, rewritten("hipHostMalloc") - before);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status) fprintf(stderr, "the child ended with %#x\n", status), exit(1);
    check("hipHostFree", f.host_free(pinned("parent", f, 0)));
}

static void report_stays(const char* label, const char* path) {
    void* still = dlopen(path, RTLD_NOLOAD | RTLD_LAZY);
    printf("{\"label\": \"%s\", \"code\": %d}\n", label, still != nullptr);
    if (still) dlclose(still);
}

static void reload(const char* path) {
    dlclose(load(path));
    report_stays("stays unused", path);
    for (int round = 0; round < 3; round++) {
        void* runtime = load(path);
        Functions f = looked_up_in(runtime);
        start(f);
        char label[96];
        snprintf(label, sizeof label, "hipHostMalloc(0) %d", round);
        check("hipHostFree", f.host_free(pinned(label, f, 0)));
        dlclose(runtime);
        snprintf(label, sizeof label, "stays %d", round);
        report_stays(label, path);
    }
}

static void print_answers(const Functions& f, char* start, size_t offset) {
    unsigned int flags = 7;
    hipError_t error = f.get_flags(&flags, start + offset);
    printf(" | %d %#x", (int)error, flags);
    hipPointerAttribute_t a;
    memset(&a, 0, sizeof a);
    error = f.get_attributes(&a, start + offset);
    printf(" %d %d %#x %d", (int)error, a.isManaged, a.allocationFlags, a.hostPointer == start + offset);
}

static void answers(const char* path, const char* library) {
    void* runtime = load(path);
    struct {
        const char* name;
        Functions functions;
    } ways[3] = {{"dlsym", looked_up_in(runtime)}, {"linked", linked_in(library)}, {"proc", {}}};
    start(ways[0].functions);
    size_t count = 2;
    auto get = (hipError_t(*)(const char*, void**, int, uint64_t, int*))dlsym(runtime, "hipGetProcAddress");
    if (get) {
        ways[2].functions = looked_up([get](const char* name) {
            void* function = nullptr;
            int status;
            check(name, get(name, &function, HIP_VERSION / 100000, 0, &status));
            return function;
        });
        count = 3;
    }
    for (size_t way = 0; way < count; way++) {
        const Functions& f = ways[way].functions;
        struct {
            const char* name;
            hipError_t error;
        } calls[] = {{"hipHostMalloc(0)", hipSuccess},      {"hipHostMalloc(Mapped)", hipSuccess},
                     {"hipHostMalloc(Coherent)", hipSuccess}, {"hipHostMalloc(NonCoherent)", hipSuccess},
                     {"hipHostMalloc(Portable)", hipSuccess}, {"hipMallocHost", hipSuccess},
                     {"hipMemAllocHost", hipSuccess},         {"hipHostAlloc(0)", hipSuccess},
                     {"hipHostAlloc(Mapped)", hipSuccess}};
        for (size_t call = 0; call < sizeof calls / sizeof *calls; call++) {
            char label[96];
            void* memory = nullptr;
            snprintf(label, sizeof label, "%s %s", ways[way].name, calls[call].name);
            mark(label);
            hipError_t error = hipSuccess;
            switch (call) {
                case 0: error = f.host_malloc(&memory, kSize, 0); break;
                case 1: error = f.host_malloc(&memory, kSize, hipHostMallocMapped); break;
                case 2: error = f.host_malloc(&memory, kSize, hipHostMallocCoherent); break;
                case 3: error = f.host_malloc(&memory, kSize, hipHostMallocNonCoherent); break;
                case 4: error = f.host_malloc(&memory, kSize, hipHostMallocPortable); break;
                case 5: error = f.malloc_host(&memory, kSize); break;
                case 6: error = f.mem_alloc_host(&memory, kSize); break;
                case 7: error = f.host_alloc(&memory, kSize, 0); break;
                case 8: error = f.host_alloc(&memory, kSize, hipHostMallocMapped); break;
            }
            mark("");
            check(label, error);
            printf("%s:", label);
            for (size_t asks = 0; asks < count; asks++)
                for (size_t offset : {(size_t)0, (size_t)100}) print_answers(ways[asks].functions, (char*)memory, offset);
            printf("\n");
            check("hipHostFree", ways[(way + call) % count].functions.host_free(memory));
        }
    }
}

static void profiler(const char* runtime, const char* library, const char* profiler) {
    Functions looked = looked_up_in(load(runtime)), linked = linked_in(library);
    start(looked);
    void* wrapper = load(profiler);
    ((void (*)(const char*))dlsym(wrapper, "profiler_wrap"))(runtime);
    auto report_seen = [wrapper](const char* label, const char* function) {
        unsigned int flags = 7;
        int calls = ((int (*)(const char*, unsigned int*))dlsym(wrapper, "profiler_calls"))(function, &flags);
        printf("{\"label\": \"%s\", \"code\": %d, \"flags\": %u}\n", label, calls, flags);
    };
    report_seen("seen before", "hipHostMalloc");
    check("hipHostFree", looked.host_free(pinned("dlsym hipHostMalloc(0)", looked, 0)));
    report_seen("seen after dlsym", "hipHostMalloc");
    check("hipHostFree", linked.host_free(pinned("linked hipHostMalloc(0)", linked, 0)));
    report_seen("seen after linked", "hipHostMalloc");
    void* memory = nullptr;
    for (const Functions& f : {looked, linked}) {
        check("hipMalloc", f.device_malloc(&memory, kSize));
        check("hipFree", f.device_free(memory));
        report_seen("hipMalloc", "hipMalloc");
    }
}

int main(int, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    auto mode = [arguments](const char* name) { return !strcmp(arguments[1], name); };
    if (mode("copies")) copies(arguments[2], arguments[3]);
    if (mode("fork")) fork_child(arguments[2]);
    if (mode("reload")) reload(arguments[2]);
    if (mode("answers")) answers(arguments[2], arguments[3]);
    if (mode("profiler")) profiler(arguments[2], arguments[3], arguments[4]);
    if (mode("caller")) {
        start(looked_up_in(load(arguments[2])));
        ((void (*)(const char*))dlsym(load(arguments[3]), "make_calls"))(arguments[2]);
    }
    mark("exit");
    return 0;
}

#endif
