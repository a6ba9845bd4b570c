/* Waits within dlopen for a call on another thread: the loader's lock is held then.
 *
 *     loader_lock WARM OTHER PLUGIN caller | function | plugin | dlerror
 *
 * These are libraries of allocator.c. WARM has called before; then the constructor of PLUGIN waits for OTHER's first call, for
 * WARM's first call of another function after OTHER's first call, or for its own first call. `dlerror`: each of these must leave the program's pending
 * error alone. A process that hangs ends by SIGALRM. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 10 };

typedef void *(*call_t)(void);

static sem_t wanted, done;
static call_t job, own;
static const char *way;

static void *worker(void *result) {
    for (;;) {
        sem_wait(&wanted);
        *(void **)result = job();
        sem_post(&done);
    }
    return NULL;
}

static void in_worker(call_t call) {
    job = call;
    sem_post(&wanted);
    sem_wait(&done);
}

/* What the constructor of a library of allocator.c runs. */
void at_load(call_t allocate) {
    own = allocate;
    if (job)
        in_worker(!strcmp(way, "plugin") ? allocate : job);
}

static void *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return library;
}

static call_t find(void *library, const char *name) { return (call_t)dlsym(library, name); }

static void expect_pending(const char *name, call_t call) {
    dlsym(RTLD_DEFAULT, "no_such_function");
    void *memory = call();
    const char *error = dlerror();
    printf("%s\t%s\t%s\n", name, memory ? "memory" : "none", error && strstr(error, "no_such_function") ? "pending" : "lost");
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    alarm(SECONDS);
    way = argv[4];
    void *warm = load(argv[1]), *other = load(argv[2]), *result = NULL;
    call_t first = find(warm, "allocate"), others = find(other, "allocate"), function = find(warm, "allocate_managed");
    if (!first())
        return 1;
    if (!strcmp(way, "dlerror")) {
        load(argv[3]);
        expect_pending("again", first);
        expect_pending("caller", others);
        expect_pending("function", function);
        expect_pending("plugin", own);
        return 0;
    }
    pthread_t thread;
    if (sem_init(&wanted, 0, 0) || sem_init(&done, 0, 0) || pthread_create(&thread, NULL, worker, &result))
        return 1;
    /* The thread has made a call too. */
    in_worker(first);
    if (!strcmp(way, "function"))
        in_worker(others);
    job = !strcmp(way, "function") ? function : others;
    load(argv[3]);
    printf("%s\t%s\n", way, result ? "memory" : "none");
    fflush(stdout);
    _exit(0);
}
