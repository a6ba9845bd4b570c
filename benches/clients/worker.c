/* Measures calls that libraries make: `worker LIBRARY ...`. A name is that of one that the worker is linked with; one
 * that a path leads to is loaded RTLD_LOCAL.
 *
 * A line "NAME CALLS" on standard input is answered with the nanoseconds of CPU time that so many runs of calls.c's
 * call_NAME took, one in each library in turn; "NAME rewritten" with how many calls of that function RMCP has changed. */
#define _GNU_SOURCE
#include "rmcp.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void (*calls_t)(unsigned long);

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static unsigned long rewritten(const char *name) {
    rmcp_counter_t counters[128];
    size_t (*read)(rmcp_counter_t *, size_t) = (size_t (*)(rmcp_counter_t *, size_t))dlsym(RTLD_DEFAULT, "rmcp_counters");
    size_t count = read ? read(counters, 128) : 0;
    for (size_t i = 0; i < count && i < 128; i++)
        if (!strcmp(counters[i].name, name))
            return counters[i].rewritten;
    return 0;
}

int main(int argc, char **argv) {
    int count = argc - 1;
    void *libraries[argc];
    calls_t calls[argc];
    for (int i = 0; i < count; i++) {
        libraries[i] = dlopen(argv[i + 1], RTLD_NOW | RTLD_LOCAL);
        if (!libraries[i]) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
    }
    /* A stub driver that notes calls would measure that. */
    void (*quiet)(void) = (void (*)(void))dlsym(libraries[0], "rmcp_stub_quiet");
    if (quiet)
        quiet();
    char name[64], number[64], symbol[80];
    while (scanf("%63s %63s", name, number) == 2) {
        if (!strcmp(number, "rewritten")) {
            printf("%lu\n", rewritten(name));
            fflush(stdout);
            continue;
        }
        snprintf(symbol, sizeof symbol, "call_%s", name);
        for (int i = 0; i < count; i++) {
            calls[i] = (calls_t)dlsym(libraries[i], symbol);
            if (!calls[i])
                return 1;
        }
        unsigned long times = strtoul(number, NULL, 10);
        double start = now();
        if (count == 1)
            calls[0](times);
        else
            for (int next = 0; times; times--) {
                calls[next](1);
                next = next + 1 == count ? 0 : next + 1;
            }
        printf("%.0f\n", now() - start);
        fflush(stdout);
    }
    return 0;
}
