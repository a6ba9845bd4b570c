/* The first call of a process, on a thread with a small stack.
 *
 *     small_stack              on one of 16 KiB
 *     small_stack measure      on a large one: how much of it the call needs */
#define _GNU_SOURCE
#include "stub.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL = 16384, LARGE = 1 << 20, PAINT = 0xa5 };

static unsigned char *frame;

static void *first_call(void *unused) {
    (void)unused;
    unsigned char here;
    void *memory = NULL;
    frame = &here;
    return hipHostMalloc(&memory, 0x1000, 0) || !memory ? NULL : (void *)1;
}

static void *run(const pthread_attr_t *attributes) {
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, attributes, first_call, NULL) || pthread_join(thread, &result))
        abort();
    return result;
}

int main(int argc, char **argv) {
    (void)argv;
    alarm(60);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (argc < 2) {
        if (pthread_attr_setstacksize(&attributes, SMALL))
            abort();
        printf("%s\n", run(&attributes) ? "memory" : "none");
        return 0;
    }
    unsigned char *stack = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        abort();
    memset(stack, PAINT, LARGE);
    pthread_attr_setstack(&attributes, stack, LARGE);
    run(&attributes);
    unsigned char *lowest = stack;
    while (*lowest == PAINT)
        lowest++;
    printf("%ld\n", (long)(frame - lowest));
    return 0;
}
