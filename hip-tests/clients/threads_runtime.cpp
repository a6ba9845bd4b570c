// A HIP runtime that knows addresses and flags and nothing else, for programs of many threads and processes.
//
// It takes no lock, so a forked child can use it whatever other threads were doing, and hands freed addresses out again
// at once, as a real one may. Compiled under the names of a real runtime.
#include <atomic>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

namespace {

enum { kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2 };
constexpr uintptr_t kPage = 4096, kPages = 1024;
constexpr uint64_t kFree = 0, kDevice = 1ull << 32, kHost = 2ull << 32;
constexpr unsigned kCoherent = 0x40000000, kNonCoherent = 0x80000000;

// Each copy of the runtime has memory of its own.
alignas(kPage) char memory[kPages * kPage];
// What each page of it is: kFree, or kDevice or kHost with the flags of the call.
std::atomic<uint64_t> pages[kPages];
std::atomic<uintptr_t> next_page;
std::atomic<int> device_queries;
thread_local int device, last_error;

int fail(int error) {
    last_error = error;
    return error;
}

int allocate(void** ptr, uint64_t what) {
    for (uintptr_t tries = 0; tries < 4 * kPages; tries++) {
        uintptr_t page = next_page.fetch_add(1, std::memory_order_relaxed) % kPages;
        uint64_t free = kFree;
        if (pages[page].compare_exchange_strong(free, what)) {
            *ptr = memory + page * kPage;
            return kSuccess;
        }
    }
    return fail(kOutOfMemory);
}

std::atomic<uint64_t>* page_of(const void* ptr) {
    uintptr_t page = (reinterpret_cast<uintptr_t>(ptr) - reinterpret_cast<uintptr_t>(memory)) / kPage;
    return page < kPages ? &pages[page] : nullptr;
}

int release(void* ptr, uint64_t kind) {
    std::atomic<uint64_t>* page = page_of(ptr);
    uint64_t what = page ? page->load() : kFree;
    // Freed twice, or by the wrong function.
    if (!(what & kind) || !page->compare_exchange_strong(what, kFree)) return fail(kInvalidValue);
    next_page.store(static_cast<uintptr_t>(page - pages), std::memory_order_relaxed);
    // Often another thread has the page before this call returns.
    static std::atomic<unsigned> frees;
    if (frees.fetch_add(1, std::memory_order_relaxed) % 16 == 0) sched_yield();
    return kSuccess;
}

}  // namespace

extern "C" {

int hipMalloc(void** ptr, size_t) { return allocate(ptr, kDevice); }
int hipExtMallocWithFlags(void** ptr, size_t, unsigned flags) { return allocate(ptr, kDevice | flags); }
int hipMallocManaged(void** ptr, size_t, unsigned flags) { return allocate(ptr, kDevice | flags); }
int hipMemAdvise(const void*, size_t, int, int) { return kSuccess; }
int hipHostMalloc(void** ptr, size_t, unsigned flags) {
    if (flags & kCoherent && flags & kNonCoherent) return fail(kInvalidValue);
    return allocate(ptr, kHost | flags);
}
int hipHostAlloc(void** ptr, size_t, unsigned flags) { return allocate(ptr, kHost | flags); }
int hipMemAllocHost(void** ptr, size_t) { return allocate(ptr, kHost); }
int hipFree(void* ptr) { return release(ptr, kDevice); }
int hipHostFree(void* ptr) { return release(ptr, kHost); }
int hipHostGetFlags(unsigned* flags, void* ptr) {
    std::atomic<uint64_t>* page = page_of(ptr);
    uint64_t what = page ? page->load() : kFree;
    if (!(what & kHost)) return fail(kInvalidValue);
    *flags = static_cast<unsigned>(what);
    return kSuccess;
}
int hipMemGetAddressRange(void** base, size_t* size, void* ptr) {
    std::atomic<uint64_t>* page = page_of(ptr);
    if (!page || page->load() == kFree) return fail(kInvalidValue);
    *base = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(ptr) & ~(kPage - 1));
    *size = kPage;
    return kSuccess;
}
int hipSetDevice(int wanted) {
    device = wanted;
    return kSuccess;
}
int hipGetDevice(int* current) {
    device_queries.fetch_add(1, std::memory_order_relaxed);
    *current = device;
    return kSuccess;
}
int hipGetLastError() {
    int error = last_error;
    last_error = 0;
    return error;
}
int hipRuntimeGetVersion(int* version) {
    *version = 60443000;
    return kSuccess;
}

// How often hipGetDevice was called so far.
int rmcp_threads_device_queries() { return device_queries.load(); }
// The flags with which this copy was asked for this memory; -1: it is another copy's.
long long rmcp_threads_arrived(void* ptr) {
    std::atomic<uint64_t>* page = page_of(ptr);
    return page ? static_cast<unsigned>(page->load()) : -1;
}
}
