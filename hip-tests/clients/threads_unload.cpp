// Loads each library that it is given, calls it and unloads it again: `threads_unload LIBRARY...`.
//
// A line each: where it was loaded, what its runtime was asked for, whether it and whether its runtime is still loaded.
#include "threads.h"

#include <dlfcn.h>

static bool loaded(const char* name) {
    void* library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (library) dlclose(library);
    return library;
}

int main(int count, char** arguments) {
    for (int i = 1; i < count; i++) {
        void* library = dlopen(arguments[i], RTLD_NOW | RTLD_LOCAL);
        CHECK(library, "%s", dlerror());
        auto call = reinterpret_cast<long long (*)()>(dlsym(library, "library_call"));
        Dl_info runtime;
        // The loader finds what the library is linked with, and never the gate, whose export is another function.
        CHECK(dladdr(dlsym(library, "rmcp_threads_arrived"), &runtime), "no runtime");
        char name[4096];
        snprintf(name, sizeof name, "%s", runtime.dli_fname);
        long long arrived = call();
        dlclose(library);
        printf("%p %#llx library=%d runtime=%d\n", reinterpret_cast<void*>(call), arrived, loaded(arguments[i]), loaded(name));
    }
    return 0;
}
