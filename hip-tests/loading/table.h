/* The HIP functions of the driver behind a table, as those of ROCm 6 and later stand behind theirs: an export loads a place
 * of the table and jumps there. The table lies in writable memory, begins with its size, and is filled when it is first asked
 * for; the first function that runs then starts HSA.
 *
 * What makes it doubtful: -DTWO_TABLES, a second one that looks the same; -DNO_CODE, a place with an address of data;
 * -DPLAIN_EXPORT=NAME, that export does not read its place. */
struct table {
    size_t size;
    /* Functions that nobody asks for. The real ones stand as far from the start, and their offsets take four bytes. */
    void *others[31];
#define HIP(name, result, parameters, ...) result (*name) parameters;
#include "functions.h"
#undef HIP
};

static void start(void) {
    /* What the start itself calls is not noted. */
    bool was_recording = atomic_exchange(&rmcp_stub_recording, false);
    hsa_init();
    rmcp_stub_recording = was_recording;
}

static pthread_once_t started = PTHREAD_ONCE_INIT;
#define START() pthread_once(&started, start)

#define HIP(name, result, parameters, arguments, numbers, writes)                                                      \
    DEFINE(static, run_##name, name, result, parameters, START(), numbers, writes)
#include "functions.h"
#undef HIP

static struct table table;
#ifdef TWO_TABLES
struct table rmcp_stub_second_table;
#endif

static void fill(void) {
#define HIP(name, ...) table.name = run_##name;
#include "functions.h"
#undef HIP
#ifdef NO_CODE
    table.others[7] = &memory;
#endif
    table.size = sizeof table;
#ifdef TWO_TABLES
    rmcp_stub_second_table = table;
#endif
}

__attribute__((noinline)) static struct table *get_table(void) {
    static pthread_once_t filled = PTHREAD_ONCE_INIT;
    /* So that the compiler does not know what is returned. */
    static struct table *volatile place = &table;
    pthread_once(&filled, fill);
    return place;
}

#ifndef PLAIN_EXPORT
#define PLAIN_EXPORT ""
#endif
#define HIP(name, result, parameters, arguments, ...)                                                                  \
    result name parameters {                                                                                           \
        return __builtin_strcmp(#name, PLAIN_EXPORT) ? get_table()->name arguments : run_##name arguments;             \
    }
#include "functions.h"
#undef HIP

/* The place of a function, for a profiler that puts its own there. */
void **rmcp_stub_place(const char *wanted) {
    get_table();
#define HIP(name, ...) if (!strcmp(wanted, #name)) return (void **)&table.name;
#include "functions.h"
#undef HIP
    return NULL;
}
