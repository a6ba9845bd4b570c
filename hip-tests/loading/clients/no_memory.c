/* Calls in a process that has no memory left.
 *
 *     no_memory none|limit|heap|both cold|warm FUNCTION=WORDS...
 *
 * `words.h` says what words are. `limit`: the address space may not grow; `heap`: malloc fails. `warm`: one call was made
 * before. Each function is called by the first thread and by one that was there before: what they returned, and what arrived.
 * Then once more, with memory. */
#define _GNU_SOURCE
#include "stub.h"
#include "words.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 128, ROUNDS = 3 };

static struct call {
    char name[64];
    void *function;
    struct words words;
    long results[ROUNDS];
    const char *arrived[ROUNDS];
} calls[MOST];
static int count;

static volatile int exhausted;
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

#define UNLESS_EXHAUSTED(call) (exhausted ? (errno = ENOMEM, NULL) : (call))
void *malloc(size_t size) { return UNLESS_EXHAUSTED(__libc_malloc(size)); }
void *calloc(size_t number, size_t size) { return UNLESS_EXHAUSTED(__libc_calloc(number, size)); }
void *realloc(void *old, size_t size) { return UNLESS_EXHAUSTED(__libc_realloc(old, size)); }
void *memalign(size_t alignment, size_t size) { return UNLESS_EXHAUSTED(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    *out = memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

static const char **arrival, *called;

/* The function that was called, else the first: RMCP may ask the runtime something before. */
static void on_call(const char *name) {
    if (!*arrival || !strcmp(name, called))
        *arrival = name;
}

static void call_all(int round) {
    for (struct call *call = calls; call < calls + count; call++) {
        arrival = &call->arrived[round], called = call->name;
        call->results[round] = call_words(call->function, &call->words);
    }
}

static sem_t start, done;

static void *in_thread(void *round) {
    sem_wait(&start);
    call_all((long)round);
    sem_post(&done);
    return NULL;
}

/* The address space may be what it is, or whatever it likes. */
static void limit(int to_what_it_is) {
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        abort();
    fclose(file);
    limit.rlim_cur = to_what_it_is ? (rlim_t)(pages * sysconf(_SC_PAGESIZE)) : limit.rlim_max;
    if (setrlimit(RLIMIT_AS, &limit))
        abort();
}

int main(int argc, char **argv) {
    alarm(60);
    const char *what = argv[1];
    for (int i = 3; i < argc && count < MOST; i++, count++) {
        struct call *call = &calls[count];
        size_t length = strcspn(argv[i], "=");
        snprintf(call->name, sizeof call->name, "%.*s", (int)length, argv[i]);
        call->function = dlsym(RTLD_DEFAULT, call->name);
        call->words = read_words(argv[i] + length + 1);
    }
    void *memory;
    if (!strcmp(argv[2], "warm") && hipHostMalloc(&memory, 0x1000, 0))
        return 1;
    pthread_t thread;
    if (sem_init(&start, 0, 0) || sem_init(&done, 0, 0) || pthread_create(&thread, NULL, in_thread, (void *)1))
        return 1;
    rmcp_stub_on_call(on_call);
    limit(!strcmp(what, "limit") || !strcmp(what, "both"));
    exhausted = !strcmp(what, "heap") || !strcmp(what, "both");
    call_all(0);
    sem_post(&start);
    sem_wait(&done);
    exhausted = 0;
    limit(0);
    call_all(2);
    for (struct call *call = calls; call < calls + count; call++) {
        printf("%s", call->name);
        for (int round = 0; round < ROUNDS; round++)
            printf("\t%ld %s", call->results[round], call->arrived[round] ? call->arrived[round] : "nothing");
        printf("\n");
    }
    return 0;
}
