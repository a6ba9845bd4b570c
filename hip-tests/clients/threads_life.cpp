// A process whose threads call while it ends or starts others: `threads_life MODE`.
//
//     vfork, spawn, exec    becomes or starts `threads_life call`, from a thread for exec
//     return, exit, abort   ends, and threads still call
//     late                  calls from a thread whose thread-local variables are destroyed already
//     generated             calls from code outside every loaded object
#include "threads.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char** environ;

static void call() {
    void* memory = nullptr;
    CHECK(!hipHostMalloc(&memory, 4096, 0) && memory, "hipHostMalloc failed");
    CHECK(rmcp_threads_arrived(memory) == 0x80000000, "%#llx arrived", rmcp_threads_arrived(memory));
    CHECK(!hipHostFree(memory), "hipHostFree failed");
}

static void* call_forever(void*) {
    for (;;) call();
}

// What the exec replaces is this program by the same one that calls a few times.
static void replace() {
    char path[] = "/proc/self/exe", mode[] = "call";
    char* arguments[] = {path, mode, nullptr};
    execv(path, arguments);
    _exit(4);
}

static void* replace_from_thread(void*) {
    replace();
    return nullptr;
}

static void expect_success(pid_t child) {
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "lost a child: %m");
    CHECK(!status, "a child ended with status %#x", status);
}

static void* call_late(void* key) {
    call();
    CHECK(!pthread_setspecific(*static_cast<pthread_key_t*>(key), key), "no key");
    return nullptr;
}

static void call_generated() {
    // sub rsp, 8; mov rax, hipHostMalloc; call rax; add rsp, 8; ret
    unsigned char code[] = {0x48, 0x83, 0xec, 8, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x48, 0x83, 0xc4, 8, 0xc3};
    int (*function)(void**, size_t, unsigned) = hipHostMalloc;
    memcpy(code + 6, &function, sizeof function);
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED, "no memory: %m");
    memcpy(page, code, sizeof code);
    CHECK(!mprotect(page, 4096, PROT_READ | PROT_EXEC), "no code: %m");
    memcpy(&function, &page, sizeof function);
    void* memory = nullptr;
    CHECK(!function(&memory, 4096, 0) && rmcp_threads_arrived(memory) == 0x80000000, "a generated call failed");
}

int main(int, char** arguments) {
    auto mode = [arguments](const char* name) { return !strcmp(arguments[1], name); };
    alarm(60);
    call();
    if (mode("call")) return 0;
    if (mode("generated")) {
        call_generated();
        return 0;
    }
    if (mode("late")) {
        pthread_key_t key;
        CHECK(!pthread_key_create(&key, [](void*) { call(); }), "no key");
        pthread_join(start_thread(call_late, &key), nullptr);
        return 0;
    }
    for (int i = 0; i < 6; i++) start_thread(call_forever, nullptr);
    for (int i = 0; i < 10 && (mode("vfork") || mode("spawn")); i++) {
        pid_t child = 0;
        char path[] = "/proc/self/exe", called[] = "call";
        char* words[] = {path, called, nullptr};
        if (mode("spawn"))
            CHECK(!posix_spawn(&child, path, nullptr, nullptr, words, environ), "no child");
        else if (!(child = vfork()))
            replace();
        expect_success(child);
    }
    if (mode("exec")) pthread_join(start_thread(replace_from_thread, nullptr), nullptr);
    if (mode("exit")) _exit(0);
    if (mode("abort")) {
        rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        abort();
    }
    return 0;
}
