/* A library that puts functions of its own into the table of the driver, as profilers do: they say what they saw, and call what
 * stood there. The command `wrap:FUNCTION` does so, for a function of these arguments. */
#include "stub.h"

#include <string.h>

typedef int (*function_t)(void **, size_t, unsigned);

static function_t host, device;

static int wrapper(const char *name, function_t original, void **memory, size_t size, unsigned flags) {
    int status = original(memory, size, flags);
    printf("profiler: %s(0x%zx)\n", name, size);
    fflush(stdout);
    return status;
}

static int hipHostMalloc_wrapper(void **memory, size_t size, unsigned flags) {
    return wrapper("hipHostMalloc", host, memory, size, flags);
}

static int hipMalloc_wrapper(void **memory, size_t size, unsigned flags) {
    return wrapper("hipMalloc", device, memory, size, flags);
}

static void wrap(const char *name, function_t *original, function_t wrapper) {
    function_t *place = (function_t *)rmcp_stub_place(name);
    *original = *place;
    *place = wrapper;
}

int client(const char *command, FILE *report) {
    if (!strcmp(command, "wrap:hipHostMalloc")) wrap("hipHostMalloc", &host, hipHostMalloc_wrapper);
    else if (!strcmp(command, "wrap:hipMalloc")) wrap("hipMalloc", &device, hipMalloc_wrapper);
    else return 0;
    fprintf(report, "%s\n", command);
    return 1;
}
