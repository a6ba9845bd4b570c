// Kernels that go wrong, each in a process of its own, and what the program is told of it.
#include "kernels.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* const kSource = R"(
extern "C" __global__ void store(int* at) { *at = 1; }
extern "C" __global__ void load(const int* at, int* to) { *to = *at; }
extern "C" __global__ void add(int* at) { atomicAdd(at, 1); }
extern "C" __global__ void jump(void (*to)()) { to(); }
extern "C" __global__ void unknown_to_the_emulator() { asm volatile("exp mrt0 v0, v0, v0, v0 done"); }
extern "C" __global__ void trap(int* at) {
    if (at) __builtin_trap();
}
)";

static hipModule_t module;
// More than the runtime keeps for itself when it is freed.
static const size_t kSize = 0xa00000;

static int* vram() {
    void* memory;
    HIP_CHECK(hipMalloc(&memory, kSize));
    return (int*)memory;
}
// Memory of the program's own that the card may use.
static int* registered(int** host) {
    void *device, *memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 5, kSize);
    HIP_CHECK(hipHostRegister(memory, kSize, 0));
    HIP_CHECK(hipHostGetDevicePointer(&device, memory, 0));
    *host = (int*)memory;
    return (int*)device;
}

struct Case {
    const char* label;
    // What standard error must say, besides.
    const char *message, *detail;
    void (*run)();
};

static const char* const kFault = "Memory access fault by GPU node-1";

static const Case kCases[] = {
    {"a store outside", kFault, "store", [] { launch(kernel(module, "store"), 1, 1, vram() + (1ull << 36)); }},
    {"a load outside", kFault, "load", [] { launch(kernel(module, "load"), 1, 1, vram() + (1ull << 36), vram()); }},
    {"an atomic outside", kFault, "add", [] { launch(kernel(module, "add"), 1, 1, vram() + (1ull << 36)); }},
    {"a store to null", kFault, "store", [] { launch(kernel(module, "store"), 1, 1, (int*)nullptr); }},
    {"a jump outside", kFault, "fetching the instruction",
     [] { launch(kernel(module, "jump"), 1, 1, vram() + (1ull << 36)); }},
    {"a store to what was freed", kFault, "store",
     [] {
         int* memory = vram();
         launch(kernel(module, "store"), 1, 1, memory);
         HIP_CHECK(hipFree(memory));
         launch(kernel(module, "store"), 1, 1, memory);
     }},
    {"a store to registered memory that the program has unmapped", kFault, "store",
     [] {
         int *host, *device = registered(&host);
         launch(kernel(module, "store"), 1, 1, device);
         // Past any library that could take notice.
         syscall(SYS_munmap, host, kSize);
         launch(kernel(module, "store"), 1, 1, device);
     }},
    {"a store to registered memory that the program has made read-only", kFault, "store",
     [] {
         int *host, *device = registered(&host), *to = vram();
         mprotect(host, kSize, PROT_READ);
         launch(kernel(module, "load"), 1, 1, device, to);
         int loaded = 0;
         HIP_CHECK(hipMemcpy(&loaded, to, sizeof loaded, hipMemcpyDeviceToHost));
         if (loaded == 0x05050505) launch(kernel(module, "store"), 1, 1, device);
     }},
    {"an unknown instruction", "unknown instruction at 0x", "kernel unknown_to_the_emulator",
     [] { launch(kernel(module, "unknown_to_the_emulator"), 1, 1); }},
    {"a trap", "s_trap", "kernel trap", [] { launch(kernel(module, "trap"), 1, 1, vram()); }},
};

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    for (const Case& one : kCases) {
        int pipes[2];
        check_success("pipe", pipe(pipes));
        pid_t child = fork();
        if (child == 0) {
            dup2(pipes[1], 1);
            dup2(pipes[1], 2);
            close(pipes[0]);
            module = compile(kSource);
            one.run();
            _exit(0);
        }
        close(pipes[1]);
        static char said[1 << 16];
        size_t size = 0;
        for (ssize_t got; (got = read(pipes[0], said + size, sizeof said - 1 - size)) > 0;) size += (size_t)got;
        said[size] = 0;
        close(pipes[0]);
        int status = 0;
        waitpid(child, &status, 0);
        bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, one.message);
        // From ROCm 7 on the program lives and gets hipErrorIllegalAddress.
        bool told = one.message == kFault && WIFEXITED(status) && strstr(said, "hipDeviceSynchronize(): error 700");
        bool right = (aborted || told) && strstr(said, one.detail);
        if (!right) printf("%s: status %#x\n%s\n", one.label, status, said);
        report_result(one.label, !right);
    }
    mark("exit");
    return 0;
}
