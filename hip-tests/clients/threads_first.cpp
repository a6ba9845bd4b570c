// A process's first call, made where there is little: `threads_first MODE`.
//
//     environment   while a variable of the environment is as another thread leaves it that frees its text: no end is there
//     stack BYTES   from a thread with so much stack; prints how much of it was written to
//     namespace     in PID 1 of a PID namespace, and in its child, PID 1 of the next. Ends with 77 where there can be none
#include "threads.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void call() {
    void* memory = nullptr;
    CHECK(!hipHostMalloc(&memory, 4096, 0) && memory, "hipHostMalloc failed");
    CHECK(rmcp_threads_arrived(memory) == 0x80000000, "%#llx arrived", rmcp_threads_arrived(memory));
    CHECK(!hipHostFree(memory), "hipHostFree failed");
}

static void with_freed_variable() {
    const size_t page = 4096;
    char* text = static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(text != MAP_FAILED && !mprotect(text + page, page, PROT_NONE), "no memory: %m");
    char* variable = text + page - 6;
    memcpy(variable, "STATE=", 6);
    CHECK(!putenv(variable), "no variable: %m");
    call();
}

static void* call_once(void*) {
    call();
    return nullptr;
}

static void on_stack(size_t bytes) {
    const size_t guard = 4096;
    void* map = mmap(nullptr, guard + bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED, "no memory: %m");
    unsigned char* stack = static_cast<unsigned char*>(map) + guard;
    CHECK(!mprotect(stack, bytes, PROT_READ | PROT_WRITE), "no stack: %m");
    memset(stack, 0xa5, bytes);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    CHECK(!pthread_attr_setstack(&attributes, stack, bytes), "no such stack");
    pthread_t thread;
    CHECK(!pthread_create(&thread, &attributes, call_once, nullptr), "no thread");
    pthread_join(thread, nullptr);
    size_t untouched = 0;
    while (untouched < bytes && stack[untouched] == 0xa5) untouched++;
    printf("%zu\n", bytes - untouched);
}

// Whether this process's children are in a PID namespace of their own from now on.
static bool new_namespace() { return !unshare(CLONE_NEWPID) || !unshare(CLONE_NEWUSER | CLONE_NEWPID); }

static void expect_success(pid_t child) {
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "lost a child: %m");
    CHECK(!status, "a child ended with status %#x", status);
}

static void in_namespaces() {
    if (!new_namespace()) _exit(77);
    pid_t child = fork();
    if (child) return expect_success(child);
    call();
    CHECK(getpid() == 1 && new_namespace(), "no second namespace: %m");
    pid_t grandchild = fork();
    if (!grandchild) {
        CHECK(getpid() == 1, "the grandchild is %d", getpid());
        call();
        void* memory = nullptr;
        CHECK(!hipMalloc(&memory, 4096) && !hipFree(memory), "hipMalloc failed");
        _exit(0);
    }
    expect_success(grandchild);
    call();
    _exit(0);
}

int main(int, char** arguments) {
    auto mode = [arguments](const char* name) { return !strcmp(arguments[1], name); };
    alarm(60);
    if (mode("environment")) with_freed_variable();
    if (mode("stack")) on_stack(parse_number(arguments[2]));
    if (mode("namespace")) in_namespaces();
    return 0;
}
