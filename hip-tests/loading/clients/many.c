/* Loads and unloads libraries of allocator.c, each of which makes calls, under a new name each time.
 *
 *     many CYCLES FOLDER FIRST SECOND LIBRARY...
 *
 * FIRST and SECOND stay loaded, and with them the copies of the runtime that all are linked against.
 *
 * Says how many of the calls reached another copy of the runtime than the one that their library links against, and by how
 * many KiB the process grew from a tenth of the cycles to the end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, dlerror());
    exit(1);
}

static long resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long size, pages;
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        die("statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void *copy_of(void *address) {
    Dl_info info;
    return dladdr(address, &info) ? info.dli_fbase : NULL;
}

/* Whether the library's calls reach its own copy. */
static int calls(void *library) {
    void *(*allocate)(void) = (void *(*)(void))dlsym(library, "allocate");
    void (*release)(void *) = (void (*)(void *))dlsym(library, "release");
    void (*quiet)(void) = (void (*)(void))dlsym(library, "rmcp_stub_quiet");
    if (!allocate || !release || !quiet)
        die("dlsym");
    quiet();
    void *memory = allocate();
    int right = memory && copy_of(memory) == copy_of((void *)quiet);
    release(memory);
    return right;
}

int main(int argc, char **argv) {
    long cycles = atol(argv[1]), start = 0;
    int libraries = argc - 5, wrong = 0;
    alarm(300);
    for (int i = 3; i < 5; i++) {
        void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (!library)
            die("dlopen");
        /* As every runtime does in its first call. */
        ((unsigned (*)(void))dlsym(library, "rmcp_stub_inside_hsa_init"))();
        wrong += !calls(library);
    }
    for (long cycle = 0; cycle < cycles; cycle++) {
        char path[512];
        snprintf(path, sizeof path, "%s/plugin-%ld.so", argv[2], cycle);
        if (link(argv[5 + cycle % libraries], path))
            die(path);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        unlink(path);
        if (!library)
            die("dlopen");
        wrong += !calls(library);
        dlclose(library);
        if (cycle == cycles / 10)
            start = resident();
    }
    printf("wrong\t%d\ngrown\t%ld\n", wrong, resident() - start);
    return 0;
}
