// A few calls whose sum is known, and then an end of each kind: `threads_endings HOW [PROGRAM ARGUMENT...]`.
//
// 10 times hipMalloc of 4096 bytes, 3 times hipFree, one hipMalloc that fails, hipHostMalloc of 8192 bytes. Then HOW:
// return, _exit, abort, kill; `wait` prints a line and waits for a signal; `exec` becomes PROGRAM; `fork` has a child
// make one hipMalloc, ended by _exit before its parent returns; `no-room N` makes N pairs of hipMalloc and hipFree while it
// may not write to any file.
#include "threads.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void make_calls() {
    void* memory[10];
    for (void*& one : memory) CHECK(!hipMalloc(&one, 4096), "hipMalloc failed");
    for (int one = 0; one < 3; one++) CHECK(!hipFree(memory[one]), "hipFree failed");
    CHECK(hipMalloc(&memory[0], 1ul << 50), "hipMalloc gave more than there is");
    CHECK(!hipHostMalloc(&memory[1], 8192, 0), "hipHostMalloc failed");
}

int main(int, char** arguments) {
    const char* how = arguments[1];
    make_calls();
    if (!strcmp(how, "no-room")) {
        rlimit limit;
        CHECK(!getrlimit(RLIMIT_FSIZE, &limit), "no limit: %m");
        rlimit none = {0, limit.rlim_max};
        CHECK(!setrlimit(RLIMIT_FSIZE, &none), "no new limit: %m");
        void* memory = nullptr;
        for (unsigned long pairs = parse_number(arguments[2]); pairs; pairs--)
            CHECK(!hipMalloc(&memory, 4096) && !hipFree(memory), "a pair failed");
        CHECK(!setrlimit(RLIMIT_FSIZE, &limit), "no old limit: %m");
    }
    if (!strcmp(how, "_exit")) _exit(7);
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(how, "wait")) {
        printf("waiting\n");
        fflush(stdout);
        for (;;) pause();
    }
    if (!strcmp(how, "exec")) {
        execv(arguments[2], arguments + 2);
        fail("cannot become %s: %m", arguments[2]);
    }
    if (!strcmp(how, "fork")) {
        pid_t pid = fork();
        CHECK(pid >= 0, "no child: %m");
        if (!pid) {
            void* memory = nullptr;
            (void)hipMalloc(&memory, 4096);
            _exit(0);
        }
        int status = 0;
        CHECK(waitpid(pid, &status, 0) == pid && !status, "the child ended with status %#x", status);
    }
    return 5;
}
