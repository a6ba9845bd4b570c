// Calls of a library that has not called before, in a process whose runtime is up: `loader_lock MODE PLUGIN [WAITER]`.
//
//     constructor   a thread makes them while the main thread loads WAITER, whose constructor waits until they are done
//     dlerror       while dlerror has a word for the program
//
// PLUGIN is this source with -DPLUGIN, WAITER with -DWAITER.
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

extern "C" void wait_for_calls();

static inline void make_calls() {
    void *pinned, *device;
    unsigned flags;
    hipEvent_t event;
    HIP_CHECK(hipHostMalloc(&pinned, 0xa00000, 0));
    HIP_CHECK(hipHostGetFlags(&flags, pinned));
    HIP_CHECK(hipMalloc(&device, 0xa00000));
    HIP_CHECK(hipEventCreateWithFlags(&event, hipEventDisableTiming));
    HIP_CHECK(hipFree(device));
    HIP_CHECK(hipHostFree(pinned));
}

#if defined PLUGIN
extern "C" void plugin_calls() {
    mark("plugin");
    make_calls();
    mark("a function's first call");
    void* memory;
    HIP_CHECK(hipMemAllocHost(&memory, 0xa00000));
    HIP_CHECK(hipFreeHost(memory));
    mark("");
}
#elif defined WAITER
__attribute__((constructor)) static void construct() { wait_for_calls(); }
#else
static void (*plugin_calls)();
static pthread_barrier_t ready, loading, called;

static void* call(void*) {
    // A thread's first call takes the loader's lock by itself: the runtime has a destructor for it.
    make_calls();
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&loading);
    plugin_calls();
    pthread_barrier_wait(&called);
    return nullptr;
}

extern "C" void wait_for_calls() {
    pthread_barrier_wait(&loading);
    pthread_barrier_wait(&called);
}

static void* load(const char* path) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror()), exit(1);
    return library;
}

int main(int, char** arguments) {
    // What waits for itself ends here.
    alarm(30);
    mark("first");
    make_calls();
    plugin_calls = (void (*)())dlsym(load(arguments[2]), "plugin_calls");
    if (!strcmp(arguments[1], "constructor")) {
        for (pthread_barrier_t* barrier : {&ready, &loading, &called}) pthread_barrier_init(barrier, nullptr, 2);
        pthread_t thread;
        if (pthread_create(&thread, nullptr, call, nullptr)) return 1;
        pthread_barrier_wait(&ready);
        load(arguments[3]);
        pthread_join(thread, nullptr);
    } else {
        dlsym(RTLD_DEFAULT, "no_such_function");
        plugin_calls();
        const char* error = dlerror();
        printf("dlerror: %s\n", error ? error : "nothing");
    }
    mark("exit");
    return 0;
}
#endif
