// A program that is not linked against the runtime: it loads a library that is (`local`, `global`, `deepbind`), two that
// are linked against two copies (`copies`, `late copy`, and `jumps`: their calls are jumps), or the runtime itself and looks the functions up there (`dlsym`;
// `first`: pinned memory is its first HIP call; `proc`: hipGetProcAddress, which is looked up so).
#include "ways.h"

static void* load(const char* path, int mode) {
    void* library = dlopen(path, RTLD_NOW | mode);
    if (!library) fprintf(stderr, "%s\n", dlerror()), exit(1);
    return library;
}

static void run_library(void* library, const char* prefix) {
    ((void (*)(const char*, const char*))dlsym(library, "ways_make_calls"))("linked", prefix);
}

static Functions looked_up(void* hip, void* hsa) {
    Functions f = {};
    *(void**)&f.device_count = dlsym(hip, "hipGetDeviceCount");
    *(void**)&f.host_malloc = dlsym(hip, "hipHostMalloc");
    *(void**)&f.host_free = dlsym(hip, "hipHostFree");
    *(void**)&f.device_malloc = dlsym(hip, "hipMalloc");
    *(void**)&f.managed_malloc = dlsym(hip, "hipMallocManaged");
    *(void**)&f.device_free = dlsym(hip, "hipFree");
    *(void**)&f.pool_allocate = dlsym(hsa, "hsa_amd_memory_pool_allocate");
    *(void**)&f.pool_free = dlsym(hsa, "hsa_amd_memory_pool_free");
    return f;
}

static Functions by_proc_address(void* hip) {
    auto get = (hipError_t(*)(const char*, void**, int, uint64_t, int*))dlsym(hip, "hipGetProcAddress");
    Functions f = {};
    int status;
    auto lookup = [&](const char* name, void** function) { return get(name, function, HIP_VERSION / 100000, 0, &status); };
    if (lookup("hipGetDeviceCount", (void**)&f.device_count) ||
        lookup("hipHostMalloc", (void**)&f.host_malloc) || lookup("hipHostFree", (void**)&f.host_free) ||
        lookup("hipMalloc", (void**)&f.device_malloc) || lookup("hipMallocManaged", (void**)&f.managed_malloc) ||
        lookup("hipFree", (void**)&f.device_free))
        exit(1);
    return f;
}

// Which of two runtimes knows the memory: 0 for one that does.
static void report_owner(const char* label, void* runtime, void* memory) {
    unsigned int flags = 0;
    int code = ((int (*)(unsigned int*, void*))dlsym(runtime, "hipHostGetFlags"))(&flags, memory);
    printf("{\"label\": \"%s\", \"code\": %d}\n", label, code);
}

static void report_owners(void* const* runtimes, void* const* memory) {
    report_owner("the first asked of the first", runtimes[0], memory[0]);
    report_owner("the first asked of the second", runtimes[1], memory[0]);
    report_owner("the second asked of the first", runtimes[0], memory[1]);
    report_owner("the second asked of the second", runtimes[1], memory[1]);
}

// Twice: in the order of loading, and the other way.
static void jump_to_two_copies(char** paths) {
    void* libraries[2] = {load(paths[0], RTLD_LOCAL), load(paths[1], RTLD_LOCAL)};
    void* runtimes[2] = {load(paths[2], RTLD_NOLOAD), load(paths[3], RTLD_NOLOAD)};
    void* memory[2];
    for (bool back : {false, true}) {
        for (int i : {back, !back}) {
            hipError_t error = ((hipError_t(*)(void**))dlsym(libraries[i], "ways_pinned_by_jump"))(&memory[i]);
            if (error != hipSuccess) fprintf(stderr, "hipHostMalloc: error %d\n", (int)error), exit(1);
        }
        report_owners(runtimes, memory);
    }
}

// `late`: the second library is loaded when the first has made its calls.
static void use_two_copies(bool late, char** paths) {
    void* libraries[2] = {load(paths[0], RTLD_LOCAL), late ? nullptr : load(paths[1], RTLD_LOCAL)};
    run_library(libraries[0], "");
    if (late) {
        ((void* (*)())dlsym(libraries[0], "ways_pinned"))();
        libraries[1] = load(paths[1], RTLD_LOCAL);
        ((int (*)())dlsym(libraries[1], "ways_device_count"))();
    }
    void* runtimes[2] = {load(paths[2], RTLD_NOLOAD), load(paths[3], RTLD_NOLOAD)};
    run_library(libraries[1], "second ");
    void* memory[2];
    for (int i = 0; i < 2; i++) memory[i] = ((void* (*)())dlsym(libraries[i], "ways_pinned"))();
    report_owners(runtimes, memory);
}

int main(int, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const char* way = arguments[1];
    if (strcmp(way, "local") == 0) run_library(load(arguments[2], RTLD_LOCAL), "");
    else if (strcmp(way, "global") == 0) run_library(load(arguments[2], RTLD_GLOBAL), "");
    else if (strcmp(way, "deepbind") == 0) {
        // What a DEEPBIND library brings along goes past every preload too, the emulated card among them. So the runtime
        // comes first and by itself.
        load(arguments[3], RTLD_LOCAL);
        run_library(load(arguments[2], RTLD_LOCAL | RTLD_DEEPBIND), "");
    }
    else if (strcmp(way, "copies") == 0) use_two_copies(false, arguments + 2);
    else if (strcmp(way, "late copy") == 0) use_two_copies(true, arguments + 2);
    else if (strcmp(way, "jumps") == 0) jump_to_two_copies(arguments + 2);
    else if (strcmp(way, "dlsym") == 0)
        make_calls("", looked_up(load(arguments[2], RTLD_LOCAL), load("libhsa-runtime64.so.1", RTLD_LOCAL)));
    else if (strcmp(way, "first") == 0) {
        Functions f = looked_up(load(arguments[2], RTLD_LOCAL), load("libhsa-runtime64.so.1", RTLD_LOCAL));
        for (const char* prefix : {"first ", "second "}) make_pinned_call(prefix, f);
    } else if (strcmp(way, "proc") == 0) make_calls("", by_proc_address(load(arguments[2], RTLD_LOCAL)));
    else return 1;
    return 0;
}
