/* What becomes of a call whose real function does not return.
 *
 *     outcomes FUNCTION=WORDS...
 *
 * `words.h` says what words are. Each function is called in four threads: the driver's function throws, ends its thread, is
 * cancelled and jumps away; then once more, as usual. */
#include "words.h"

#include <csetjmp>
#include <cstdio>
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <string>
#include <unistd.h>

extern "C" void rmcp_stub_on_call(void (*)(const char *));

namespace {

enum Way { THROW, EXIT, CANCEL, JUMP, RETURN };
constexpr const char *NAMES[] = { "throw", "exit", "cancel", "longjmp", "return" };

std::string function;
words arguments;
void *address;
Way way;
std::jmp_buf target;
sem_t inside;
bool unwound;
char outcome[64];

struct Frame {
    ~Frame() { unwound = true; }
};

/* In the driver's function: in another one that RMCP calls first nothing happens. */
void on_call(const char *name) {
    if (function != name && std::string("hipHostMalloc") != name)
        return;
    rmcp_stub_on_call(nullptr);
    switch (way) {
    case THROW: throw 42;
    case EXIT: pthread_exit(reinterpret_cast<void *>(7));
    case CANCEL:
        sem_post(&inside);
        for (;;)
            pause();
    case JUMP: std::longjmp(target, 5);
    case RETURN: return;
    }
}

void call() {
    long status = call_words(address, &arguments);
    std::snprintf(outcome, sizeof outcome, "returned %ld", status);
}

void *in_thread(void *) {
    if (int value = setjmp(target)) {
        std::snprintf(outcome, sizeof outcome, "arrived with %d", value);
        return nullptr;
    }
    /* No frame with a destructor may be jumped over. */
    if (way == JUMP) {
        call();
        return nullptr;
    }
    try {
        Frame frame;
        call();
    } catch (int value) {
        std::snprintf(outcome, sizeof outcome, "caught %d", value);
    }
    sem_post(&inside);
    return nullptr;
}

void run() {
    unwound = false;
    outcome[0] = 0;
    sem_init(&inside, 0, 0);
    rmcp_stub_on_call(on_call);
    pthread_t thread;
    void *value;
    if (pthread_create(&thread, nullptr, in_thread, nullptr))
        std::abort();
    if (way == CANCEL) {
        sem_wait(&inside);
        pthread_cancel(thread);
    }
    pthread_join(thread, &value);
    rmcp_stub_on_call(nullptr);
    if (value == PTHREAD_CANCELED) std::snprintf(outcome, sizeof outcome, "cancelled");
    else if (value) std::snprintf(outcome, sizeof outcome, "ended with %ld", reinterpret_cast<long>(value));
    std::printf("\t%s: %s%s", NAMES[way], outcome, unwound ? ", unwound" : "");
    std::fflush(stdout);
}

}

int main(int count, char **words) {
    alarm(60);
    for (int i = 1; i < count; i++) {
        function = words[i];
        std::size_t equals = function.find('=');
        arguments = read_words(words[i] + equals + 1);
        function.resize(equals);
        address = dlsym(RTLD_DEFAULT, function.c_str());
        std::printf("%s", function.c_str());
        for (Way each : { THROW, EXIT, CANCEL, JUMP, RETURN }) {
            way = each;
            run();
        }
        std::printf("\n");
    }
    return 0;
}
