// Everything that a call gives back, as one line of text that is the same from run to run: what was called, the error
// with its string, what hipPeekAtLastError and hipGetLastError say then, and what it wrote.
#pragma once

#include "client.h"

#include <stdint.h>

// What an out-parameter holds until somebody writes it.
static void* const kUntouched = (void*)0x5a5a5a5a;

// Memory by how many blocks were got after it: addresses differ from run to run.
struct Block {
    uintptr_t start;
    size_t size;
};
static Block blocks[1024];
static int block_count;

static inline void track(void* start, size_t size) { blocks[block_count++] = {(uintptr_t)start, size ? size : 1}; }

static inline void print_address(const void* address) {
    if (!address || address == kUntouched) {
        printf("%s", address ? "untouched" : "null");
        return;
    }
    for (int i = block_count; i-- > 0;) {
        uintptr_t offset = (uintptr_t)address - blocks[i].start;
        if (offset >= blocks[i].size) continue;
        printf("#%d", block_count - 1 - i);
        if (offset) printf("+%#zx", (size_t)offset);
        return;
    }
    printf("an address");
}

// One thing that a call wrote.
struct Out {
    enum { kAddress, kNewAddress, kNumber, kText } kind;
    const void* address;
    long long number;

    void print() const {
        putchar(' ');
        switch (kind) {
            case kAddress: return print_address(address);
            case kNewAddress:
                if (address && address != kUntouched) track((void*)address, (size_t)number);
                print_address(address);
                // No allocator of the runtime gives less than 256 bytes.
                if (address && address != kUntouched) printf(" aligned %d", (uintptr_t)address % 256 == 0);
                return;
            case kNumber: printf("%lld", number); return;
            case kText: printf("\"%s\"", (const char*)address); return;
        }
    }
};

static inline Out at(const void* address) { return {Out::kAddress, address, 0}; }
// `address` holds `size` bytes that were just allocated.
static inline Out new_block(void* address, size_t size) { return {Out::kNewAddress, address, (long long)size}; }
static inline Out number(long long value) { return {Out::kNumber, nullptr, value}; }
static inline Out text(const char* value) { return {Out::kText, value, 0}; }

// What stands before each line, to tell the same call in several places apart.
static const char* section = "";
static int calls;

template <class... Outs>
static void print_outs(Outs... outs) {
    Out all[] = {outs..., Out{Out::kNumber, nullptr, 0}};
    for (size_t i = 0; i < sizeof...(outs); i++) all[i].print();
    putchar('\n');
    fflush(stdout);
}

template <class... Outs>
static void print_call(const char* call, hipError_t error, Outs... outs) {
    hipError_t peek = hipPeekAtLastError(), last = hipGetLastError();
    calls++;
    printf("%s: %s = %s \"%s\" peek %s last %s:", section, call, hipGetErrorName(error), hipGetErrorString(error),
           hipGetErrorName(peek), hipGetErrorName(last));
    print_outs(outs...);
}

// Says what is about to be called: after a crash it is the last thing in the output.
static inline void announce(const char* call) { fprintf(stderr, "%s: %s\n", section, call); }

// The outs are read after the call.
#define CALL(call, ...)                                                       \
    do {                                                                      \
        announce(#call);                                                      \
        hipError_t error_ = (call);                                           \
        print_call(#call, error_, ##__VA_ARGS__);                                   \
    } while (0)

// The same with an error of the program's own before it that nobody has fetched.
#define CALL_AFTER_ERROR(call, ...)                                           \
    do {                                                                      \
        announce(#call);                                                      \
        (void)hipSetDevice(99);                                               \
        hipError_t error_ = (call);                                           \
        print_call("after an error: " #call, error_, ##__VA_ARGS__);                \
    } while (0)
