/* Makes the call that a command names, from the object that this file is compiled into.
 *
 * A line of the report: the command, what the call returned, and behind each copy of the runtime's name what it saw. */
#define _GNU_SOURCE
#include "stub.h"
#include "rmcp.h"
#include "words.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#pragma weak rmcp_version
#pragma weak rmcp_status
#pragma weak rmcp_counters
#pragma weak rmcp_disable

enum { SIZE = 0x1000, MOST_COPIES = 16, MOST_THREADS = 64, ERRNO = 77 };

struct copies {
    size_t count;
    struct copy { void *handle; char name[64]; } all[MOST_COPIES];
};

static int note_copy(struct dl_phdr_info *object, size_t size, void *data) {
    (void)size;
    struct copies *copies = data;
    const char *name = strrchr(object->dlpi_name, '/');
    if (!name || copies->count == MOST_COPIES)
        return 0;
    if (strncmp(name, "/libamdhip64", 12) && strncmp(name, "/libhsa-runtime64", 17))
        return 0;
    struct copy *copy = &copies->all[copies->count++];
    snprintf(copy->name, sizeof copy->name, "%s", name + 1);
    copy->handle = dlopen(object->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    return 0;
}

static struct copies loaded_copies(void) {
    struct copies copies = { 0 };
    dl_iterate_phdr(note_copy, &copies);
    return copies;
}

static void close_copies(struct copies *copies) {
    for (size_t i = 0; i < copies->count; i++)
        dlclose(copies->all[i].handle);
}

/* What each copy saw, equal calls in a row counted. */
static void tell_calls(FILE *report) {
    struct copies copies = loaded_copies();
    for (size_t i = 0; i < copies.count; i++) {
        static char text[1 << 16];
        void (*take)(char *, size_t) = dlsym(copies.all[i].handle, "rmcp_stub_take");
        take(text, sizeof text);
        for (char *line = strtok(text, "\n"), *next; line; line = next) {
            int times = 1;
            while ((next = strtok(NULL, "\n")) && !strcmp(line, next))
                times++;
            fprintf(report, "\t%s: %s", copies.all[i].name, line);
            if (times > 1)
                fprintf(report, " x%d", times);
        }
    }
    close_copies(&copies);
}

static long call(const char *name, unsigned long argument) {
    void *memory = NULL;
    unsigned flags = argument;
    if (!strcmp(name, "hipMalloc")) return hipMalloc(&memory, SIZE);
    if (!strcmp(name, "hipExtMallocWithFlags")) return hipExtMallocWithFlags(&memory, SIZE, flags);
    if (!strcmp(name, "hipMallocManaged")) return hipMallocManaged(&memory, SIZE, flags);
    if (!strcmp(name, "hipHostMalloc")) return hipHostMalloc(&memory, SIZE, flags);
    if (!strcmp(name, "hipHostAlloc")) return hipHostAlloc(&memory, SIZE, flags);
    if (!strcmp(name, "hipMallocHost")) return hipMallocHost(&memory, SIZE);
    if (!strcmp(name, "hipMemAllocHost")) return hipMemAllocHost(&memory, SIZE);
    if (!strcmp(name, "hipEventCreateWithFlags")) return hipEventCreateWithFlags(&memory, flags);
    if (!strcmp(name, "hsa_amd_memory_pool_allocate"))
        return hsa_amd_memory_pool_allocate(argument, SIZE, 0, &memory);
    if (!strcmp(name, "inside:hipHostMalloc")) return rmcp_stub_inside_hipHostMalloc(&memory, SIZE, flags);
    if (!strcmp(name, "inside:hsa_amd_memory_pool_allocate"))
        return rmcp_stub_inside_hsa_amd_memory_pool_allocate(argument, SIZE, 0, &memory);
    if (!strcmp(name, "inside:hsa_init")) return rmcp_stub_inside_hsa_init();
    if (!strcmp(name, "hipSetDevice")) return hipSetDevice(argument);
    if (!strcmp(name, "hipGetLastError")) return hipGetLastError();
    /* Any other function as the global scope has it, with more zeros than it takes. */
    unsigned (*other)(long, long, long, long, long, long, long, long, long, long) = dlsym(RTLD_DEFAULT, name);
    return other ? (long)other(0, 0, 0, 0, 0, 0, 0, 0, 0, 0) : -1;
}

static long call_with(const char *name, const char *text) {
    struct words words = read_words(text);
    return call_words(dlsym(RTLD_DEFAULT, name), &words);
}

/* Calls a function of the copy that this object links against, looked up in that copy. */
static long by_dlsym(const char *name, unsigned long argument) {
    Dl_info copy;
    void *memory = NULL;
    if (!dladdr((void *)rmcp_stub_take, &copy))
        abort();
    void *handle = dlopen(copy.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    int (*function)(void **, size_t, unsigned) = (int (*)(void **, size_t, unsigned))dlsym(handle, name);
    dlclose(handle);
    return function(&memory, SIZE, argument);
}

static pthread_barrier_t start_line;

static void *first_call(void *failures) {
    void *memory = NULL;
    pthread_barrier_wait(&start_line);
    if (hipHostMalloc(&memory, SIZE, 0) || !memory)
        __atomic_fetch_add((int *)failures, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* `count` threads call hipHostMalloc at once; returns how many failed. */
static int threads(int count) {
    pthread_t all[MOST_THREADS];
    int failures = 0;
    pthread_barrier_init(&start_line, NULL, count);
    for (int i = 0; i < count; i++)
        if (pthread_create(&all[i], NULL, first_call, &failures))
            abort();
    for (int i = 0; i < count; i++)
        pthread_join(all[i], NULL);
    return failures;
}

static void *call_in_thread(void *name) {
    return (void *)call(name, 0);
}

/* Makes the call in a thread of its own; returns 0 too if the thread ended in it. */
static long in_thread(const char *name) {
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, call_in_thread, (void *)name) || pthread_join(thread, &result))
        abort();
    return (long)result;
}

static void tell_status(FILE *report) {
    rmcp_status_t status = { 0 };
    int state = rmcp_status ? rmcp_status(&status, sizeof status) : -1;
    fprintf(report, "\t%d", state);
    if (state > 0)
        fprintf(report, "\tgpus=%u\ttargets=%s\treason=%s", status.gpus, status.targets,
                status.reason ? status.reason : "");
}

static void tell_counters(FILE *report) {
    rmcp_counter_t rows[64];
    size_t known = rmcp_counters ? rmcp_counters(rows, 64) : 0;
    fprintf(report, "\t%zu", known);
    for (size_t i = 0; i < known && i < 64; i++)
        if (rows[i].forwarded || rows[i].rewritten || rows[i].runtime)
            fprintf(report, "\t%s: %lu forwarded, %lu rewritten, %lu of the runtime", rows[i].name,
                    (unsigned long)rows[i].forwarded, (unsigned long)rows[i].rewritten, (unsigned long)rows[i].runtime);
}

static int count_rmcp(struct dl_phdr_info *object, size_t size, void *found) {
    (void)size;
    ((int *)found)[0] += !!strstr(object->dlpi_name, "/librmcp.so");
    ((int *)found)[1] += !!strstr(object->dlpi_name, "/librmcp_core.so");
    return 0;
}

/* Whether the process is secure, and how much of RMCP it has mapped. */
static void tell_process(FILE *report) {
    int found[2] = { 0 };
    dl_iterate_phdr(count_rmcp, found);
    fprintf(report, "\tsecure=%lu\tgate=%d\tcore=%d", getauxval(AT_SECURE), found[0], found[1]);
}

static void tell_descriptors(FILE *report) {
    for (int fd = 0; fd < 3; fd++) {
        char link[32], path[256] = "closed";
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length >= 0)
            path[length] = 0;
        fprintf(report, "\t%s", path);
    }
}

/* fail:FUNCTION=STATUS and runtime-version=N, for every copy. */
static void instruct(const char *name, unsigned long argument) {
    struct copies copies = loaded_copies();
    for (size_t i = 0; i < copies.count; i++) {
        void *fail = dlsym(copies.all[i].handle, "rmcp_stub_fail");
        void *version = dlsym(copies.all[i].handle, "rmcp_stub_version");
        if (!strncmp(name, "fail:", 5))
            ((void (*)(const char *, int))fail)(name + 5, argument);
        else if (version)
            ((void (*)(int))version)(argument);
    }
    close_copies(&copies);
}

/* Whether the driver's own function stands in its place of the table. */
static void tell_place(FILE *report, const char *name) {
    Dl_info driver, function;
    void **place = rmcp_stub_place(name);
    int known = dladdr((void *)rmcp_stub_take, &driver) && dladdr(*place, &function);
    fprintf(report, "\t%s", known && driver.dli_fbase == function.dli_fbase ? "own" : "replaced");
}

int client(const char *command, FILE *report) {
    char name[128];
    snprintf(name, sizeof name, "%s", command);
    char *equals = strchr(name, '=');
    unsigned long argument = equals ? strtoul(equals + 1, NULL, 0) : 0;
    if (equals)
        *equals = 0;

    fprintf(report, "%s", command);
    if (!strcmp(name, "status")) tell_status(report);
    else if (!strcmp(name, "counters")) tell_counters(report);
    else if (!strcmp(name, "version")) fprintf(report, "\t%s", rmcp_version && rmcp_version() ? rmcp_version() : "");
    else if (!strcmp(name, "disable")) fprintf(report, "\t%d", rmcp_disable ? rmcp_disable() : -1);
    else if (!strcmp(name, "process")) tell_process(report);
    else if (!strcmp(name, "descriptors")) tell_descriptors(report);
    else if (!strncmp(name, "table:", 6)) tell_place(report, name + 6);
    else if (!strncmp(name, "fail:", 5) || !strcmp(name, "runtime-version")) instruct(name, argument);
    else {
        errno = ERRNO;
        long result = !strncmp(name, "with:", 5) ? call_with(name + 5, equals ? equals + 1 : "")
            : !strncmp(name, "thread:", 7) ? in_thread(name + 7)
            : !strncmp(name, "dlsym:", 6) ? by_dlsym(name + 6, argument)
            : strcmp(name, "threads") ? call(name, argument)
            : threads(argument);
        int after = errno;
        fprintf(report, "\t%ld", result);
        tell_calls(report);
        if (after != ERRNO)
            fprintf(report, "\terrno became %d", after);
    }
    fputc('\n', report);
    return 1;
}

/* The commands of CLIENT_AT_START, before main or inside dlopen. */
__attribute__((constructor)) static void at_start(void) {
    const char *commands = getenv("CLIENT_AT_START");
    char copy[256];
    if (!commands)
        return;
    snprintf(copy, sizeof copy, "%s", commands);
    char *rest = copy;
    for (char *command; (command = strsep(&rest, " "));)
        client(command, stdout);
    fflush(stdout);
}
