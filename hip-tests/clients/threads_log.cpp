// Calls that RMCP logs while the place of the log can take no line: `threads_log MODE [ARGUMENT]`.
//
//     closed FILE       closes every descriptor from 3 on after a call, and opens FILE
//     number-2 FILE     closes standard error after a call, and opens FILE as number 2
//     unread-pipe       standard error is a pipe that nobody reads until it is full
//     unread-socket     the same, a socket
//     broken-pipe       standard error is a pipe that nobody will read, with SIGPIPE at its default
//     limit BYTES       no file may become larger, with SIGXFSZ at its default; then it may
//     cancelled         a thread that is to be cancelled makes the first call, and others
//     folder PATH       calls once from another working directory
//     call              calls once
#include "threads.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void call() {
    void* memory = nullptr;
    CHECK(!hipHostMalloc(&memory, 4096, 0) && memory, "hipHostMalloc failed");
    CHECK(!hipHostFree(memory), "hipHostFree failed");
}

static void call_often(int times) {
    while (times--) call();
}

// Opens the program's own file under the lowest number, and finds nothing in it after calls.
static void expect_own_file_empty(const char* path) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0, "cannot open %s: %m", path);
    call_often(3);
    struct stat status;
    CHECK(!fstat(fd, &status) && status.st_size == 0, "%ld bytes in the program's own file", (long)status.st_size);
}

static void* call_thousand_times(void*) {
    call_often(1000);
    return nullptr;
}

// Fills standard error, one of these two descriptors, from several threads; then reads it, and the next line says what was
// lost.
static void fill(int writing, int reading) {
    CHECK(dup2(writing, 2) == 2, "no standard error: %m");
    pthread_t threads[4];
    for (pthread_t& thread : threads) thread = start_thread(call_thousand_times, nullptr);
    for (pthread_t& thread : threads) pthread_join(thread, nullptr);
    static char text[1 << 20];
    pollfd more = {reading, POLLIN, 0};
    while (poll(&more, 1, 0) == 1) CHECK(read(reading, text, sizeof text) > 0, "nothing to read: %m");
    call();
    ssize_t length = read(reading, text, sizeof text - 1);
    CHECK(length > 0, "no line: %m");
    text[length] = 0;
    CHECK(strstr(text, "lines before this one could not be written"), "no word of lost lines: %s", text);
}

static void break_pipe() {
    int ends[2];
    CHECK(!pipe(ends) && dup2(ends[1], 2) == 2, "no pipe: %m");
    close(ends[0]);
    call_often(10);
    // A signal that is pending already is the program's.
    sigset_t pipe_signal, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
    raise(SIGPIPE);
    call_often(10);
    if (sigpending(&pending) || !sigismember(&pending, SIGPIPE)) _exit(5);
}

static void limit(rlim_t bytes) {
    rlimit limit;
    CHECK(!getrlimit(RLIMIT_FSIZE, &limit), "no limit: %m");
    rlimit small = {bytes, limit.rlim_max};
    CHECK(!setrlimit(RLIMIT_FSIZE, &small), "no new limit: %m");
    call_often(100);
    CHECK(!setrlimit(RLIMIT_FSIZE, &limit), "no old limit: %m");
    call();
}

static void* call_cancelled(void*) {
    pthread_cancel(pthread_self());
    call_often(3);
    pthread_testcancel();
    return nullptr;
}

int main(int, char** arguments) {
    auto mode = [arguments](const char* name) { return !strcmp(arguments[1], name); };
    alarm(30);
    int ends[2];
    if (mode("closed")) {
        call();
        for (int fd = 3; fd < 1024; fd++) close(fd);
        expect_own_file_empty(arguments[2]);
    }
    if (mode("number-2")) {
        call();
        close(2);
        expect_own_file_empty(arguments[2]);
    }
    if (mode("unread-pipe")) {
        CHECK(!pipe(ends), "no pipe: %m");
        fill(ends[1], ends[0]);
    }
    if (mode("unread-socket")) {
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "no sockets: %m");
        fill(ends[1], ends[0]);
    }
    if (mode("broken-pipe")) break_pipe();
    if (mode("limit")) limit(parse_number(arguments[2]));
    if (mode("cancelled")) {
        void* result = nullptr;
        pthread_join(start_thread(call_cancelled, nullptr), &result);
        CHECK(result == PTHREAD_CANCELED, "the thread was not cancelled");
    }
    if (mode("folder")) CHECK(!chdir(arguments[2]), "no folder: %m");
    if (mode("folder") || mode("call")) call();
    return 0;
}
