// Threads that copy from and to pageable memory, each on a stream of its own: `stream_copies THREADS COPIES BYTES`.
// COPIES is how often each thread copies there and back.
#include "client.h"

#include <pthread.h>

static unsigned long copies, bytes;
static unsigned long wrong;
static hipError_t first_error = hipSuccess;

// Each with memory and a stream that are made for it and given back.
static void* copy_in_turn(void* seed) {
    for (unsigned long turn = 0; turn < copies; turn++) {
        hipStream_t stream;
        HIP_CHECK(hipStreamCreate(&stream));
        unsigned char *device, *from = (unsigned char*)malloc(bytes), *to = (unsigned char*)malloc(bytes);
        HIP_CHECK(hipMalloc((void**)&device, bytes));
        memset(from, (int)((size_t)seed * 31 + turn), bytes);
        memset(to, 0, bytes);
        hipError_t error = hipMemcpyWithStream(device, from, bytes, hipMemcpyHostToDevice, stream);
        if (error == hipSuccess) error = hipMemcpyWithStream(to, device, bytes, hipMemcpyDeviceToHost, stream);
        if (error != hipSuccess) __atomic_store_n(&first_error, error, __ATOMIC_RELAXED);
        if (memcmp(from, to, bytes) != 0) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        HIP_CHECK(hipFree(device));
        HIP_CHECK(hipStreamDestroy(stream));
        free(from);
        free(to);
    }
    return nullptr;
}

int main(int count, char** arguments) {
    if (count != 4) return 2;
    setvbuf(stdout, nullptr, _IOLBF, 0);
    pthread_t threads[64];
    unsigned long many = atol(arguments[1]);
    copies = atol(arguments[2]);
    bytes = atol(arguments[3]);
    for (size_t i = 0; i < many; i++)
        if (pthread_create(&threads[i], nullptr, copy_in_turn, (void*)i)) return 2;
    for (size_t i = 0; i < many; i++) pthread_join(threads[i], nullptr);
    printf("{\"label\": \"copies\", \"code\": %d, \"wrong\": %lu}\n", (int)first_error, wrong);
    return 0;
}
