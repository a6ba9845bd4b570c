// Leaves a real function from within, where that asks for memory: `unwinding HOW FUNCTION TIMES`.
//
//     throw     std::bad_alloc, which the caller catches
//     exit      pthread_exit
//     cancel    the thread's cancellation
//     jump      longjmp to the caller
//
// Each time in a thread of its own. It prints what came of the calls, and then of the same call made once more.
#include "client.h"

#include <new>
#include <pthread.h>
#include <setjmp.h>

static const char* how;
static thread_local int news_left = -1;
static thread_local jmp_buf caller;

static bool is(const char* word) { return !strcmp(how, word); }

// The runtime's too: the program's definition goes before libstdc++'s.
void* operator new(size_t size) {
    if (news_left >= 0 && news_left-- == 0) {
        if (is("throw")) throw std::bad_alloc();
        if (is("exit")) pthread_exit((void*)&how);
        if (is("cancel")) {
            pthread_cancel(pthread_self());
            pthread_testcancel();
        }
        if (is("jump")) longjmp(caller, 1);
    }
    void* memory = malloc(size);
    if (!memory) abort();
    return memory;
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }

static const size_t kSize = 0xa00000;

static int call(const char* function) {
    void* memory = nullptr;
    hipEvent_t event;
    if (!strcmp(function, "hipHostMalloc")) return hipHostMalloc(&memory, kSize, 0);
    if (!strcmp(function, "hipMalloc")) return hipMalloc(&memory, kSize);
    if (!strcmp(function, "hipMallocManaged")) return hipMallocManaged(&memory, kSize, hipMemAttachGlobal);
    if (!strcmp(function, "hipMemAllocHost")) return hipMemAllocHost(&memory, kSize);
    if (!strcmp(function, "hipHostAlloc")) return hipHostAlloc(&memory, kSize, 0);
    if (!strcmp(function, "hipEventCreateWithFlags")) return hipEventCreateWithFlags(&event, 0);
    exit(1);
}

// A destructor on the way out.
struct Passed {
    ~Passed() { printf("passed\n"); }
};

static void* run(void* function) {
    Passed passed;
    try {
        if (setjmp(caller)) printf("jumped\n");
        else {
            news_left = 0;
            int code = call((const char*)function);
            printf(news_left < 0 ? "returned %d\n" : "asked for no memory, returned %d\n", code);
        }
    } catch (std::bad_alloc&) {
        printf("caught std::bad_alloc\n");
    }
    news_left = -1;
    return nullptr;
}

int main(int, char** arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    how = arguments[1];
    char* function = arguments[2];
    // The runtime is up, and has memory of this kind.
    mark("first");
    printf("at first %d\n", call(function));
    size_t times = 0;
    for (const char* digit = arguments[3]; *digit; digit++) times = 10 * times + (*digit - '0');
    for (; times; times--) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, run, function)) return 1;
        void* result = nullptr;
        pthread_join(thread, &result);
        printf(result == PTHREAD_CANCELED ? "cancelled\n" : result == &how ? "exited\n" : "ended\n");
    }
    mark("once more");
    printf("once more %d\n", call(function));
    mark("exit");
    return 0;
}
