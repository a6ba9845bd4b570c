// Children that call while their parent's threads did: `threads_fork MODE`.
//
//     hooks      the parent's threads allocate and free while it forks 100 children, which then call and exit at once
//     first      the parent's threads make the process's first calls while it forks
//     loader     the parent's threads walk the loader's list of objects, as unwinders do, while it forks
//     after      the parent has called, and its children print what their own calls return
//
// A child that hangs is ended by alarm(2). Each prints the pid of its children, one a line.
#include "threads.h"

#include <link.h>
#include <sys/wait.h>

static const int kChildren = 100, kThreads = 6;
static const unsigned kPatience = 20;
static bool stop;
static pthread_barrier_t start_line;

// Allocates, asks and frees; what RMCP rewrites and logs, and what it forwards.
static void call() {
    void* memory = nullptr;
    unsigned flags = 1;
    CHECK(!hipHostMalloc(&memory, 4096, 0), "hipHostMalloc failed");
    CHECK(!hipHostGetFlags(&flags, memory) && flags == 0, "the flags are %#x", flags);
    CHECK(!hipHostFree(memory), "hipHostFree failed");
}

static void* call_forever(void*) {
    pthread_barrier_wait(&start_line);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) call();
    return nullptr;
}

static int ignore_object(dl_phdr_info*, size_t, void*) { return 0; }

static void* walk_objects(void*) {
    pthread_barrier_wait(&start_line);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) dl_iterate_phdr(ignore_object, nullptr);
    return nullptr;
}

static void child(int gate, int number) {
    char byte;
    // All at once: when the parent closes the other end.
    while (read(gate, &byte, 1) < 0 && errno == EINTR) {}
    alarm(kPatience);
    call();
    // Functions that nobody has called yet.
    void* memory = nullptr;
    CHECK(!hipHostAlloc(&memory, 4096, 0) && !hipHostFree(memory), "hipHostAlloc failed");
    CHECK(!hipMalloc(&memory, 4096) && !hipFree(memory), "hipMalloc failed");
    if (number % 2) _exit(0);
    exit(0);
}

// A real runtime is of no use in such a child, and says so.
static void print_results() {
    alarm(kPatience);
    void* memory = nullptr;
    int host = hipHostMalloc(&memory, 4096, 0), device = hipMalloc(&memory, 4096);
    char text[64];
    int length = snprintf(text, sizeof text, "hipHostMalloc %d hipMalloc %d\n", host, device);
    (void)!write(1, text, length);
    _exit(0);
}

static int after() {
    call();
    for (int number = 0; number < 10; number++) {
        pid_t pid = fork();
        CHECK(pid >= 0, "no child: %m");
        if (!pid) print_results();
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid && !status, "a child ended with status %#x", status);
    }
    call();
    return 0;
}

int main(int, char** arguments) {
    if (!strcmp(arguments[1], "after")) return after();
    setvbuf(stdout, nullptr, _IONBF, 0);
    bool loader = !strcmp(arguments[1], "loader"), first = !strcmp(arguments[1], "first");
    if (!first) call();
    pthread_t threads[kThreads];
    pthread_barrier_init(&start_line, nullptr, kThreads + 1);
    for (pthread_t& thread : threads) thread = start_thread(loader ? walk_objects : call_forever, nullptr);
    int gate[2];
    CHECK(!pipe(gate), "no pipe: %m");
    pid_t children[kChildren];
    pthread_barrier_wait(&start_line);
    for (int number = 0; number < kChildren; number++) {
        children[number] = fork();
        CHECK(children[number] >= 0, "no child: %m");
        if (!children[number]) {
            close(gate[1]);
            child(gate[0], number);
        }
    }
    close(gate[1]);
    int failures = 0;
    for (pid_t pid : children) {
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid, "lost a child: %m");
        printf("%d\n", pid);
        if (status) failures++, fprintf(stderr, "child %d ended with status %#x\n", pid, status);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (pthread_t& thread : threads) pthread_join(thread, nullptr);
    return failures != 0;
}
