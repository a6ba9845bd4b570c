// A program that is not linked against the runtime: it loads a library that is (`local`, `global`, `deepbind`), two that
// are linked against two copies (`copies`, `late copy`), or the runtime itself and looks the functions up there (`dlsym`, or `proc`:
// hipGetProcAddress, which is looked up so). After `table RUNTIME` the runtime hands out its table first.
#include "dispatch_table.h"
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
    if (lookup("hipHostMalloc", (void**)&f.host_malloc) || lookup("hipHostFree", (void**)&f.host_free) ||
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
    report_owner("the first asked of the first", runtimes[0], memory[0]);
    report_owner("the first asked of the second", runtimes[1], memory[0]);
    report_owner("the second asked of the first", runtimes[0], memory[1]);
    report_owner("the second asked of the second", runtimes[1], memory[1]);
}

int main(int, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    if (strcmp(arguments[1], "table") == 0) hand_over_table(load(arguments[2], RTLD_LOCAL)), arguments += 2;
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
    else if (strcmp(way, "dlsym") == 0)
        make_calls("", looked_up(load(arguments[2], RTLD_LOCAL), load("libhsa-runtime64.so.1", RTLD_LOCAL)));
    else if (strcmp(way, "proc") == 0) make_calls("", by_proc_address(load(arguments[2], RTLD_LOCAL)));
    else return 1;
    return 0;
}
