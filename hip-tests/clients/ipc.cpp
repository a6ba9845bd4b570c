// Two processes that share device memory and events by hipIpc. Each waits for the other by a pipe: nothing depends on time.
// ipc <card of the second> <streams | events>: what else to wait for, by the streams or by the events that are shared.
#include "kernels.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t COUNT = 5000;
static const size_t BYTES = COUNT * sizeof(int);
// The sizes that are shared: a part of a larger block of the runtime's, and a block.
static const size_t SIZES[] = {BYTES, 0xa00000};
static const int BLOCKS = sizeof SIZES / sizeof SIZES[0];

static const char* SOURCE = R"(
extern "C" __global__ void fill(int* out, int first, int count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = first + i;
}
extern "C" __global__ void copy_add(int* out, const int* in, int more, int count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = in[i] + more;
}
)";
static hipFunction_t fill, copy_add;
static hipStream_t stream;
static const dim3 GROUPS((COUNT + 255) / 256), ITEMS(256);

// What the first tells the second.
struct Shared {
    hipIpcMemHandle_t memory[BLOCKS];
    hipIpcEventHandle_t event;
};

static bool by_events, is_second;
static int to, from;
template <class T> static void tell(const T& what) {
    fflush(stdout);
    if (write(to, &what, sizeof what) != sizeof what) exit(2);
}
template <class T> static T hear() {
    T what;
    // Without the first the second has nothing to do; without the second the first fails.
    if (read(from, &what, sizeof what) != sizeof what) exit(is_second ? 0 : 2);
    return what;
}

static size_t differing(const int* found, int first) {
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT; i++) wrong += found[i] != first + (int)i;
    return wrong;
}
static size_t wrong_on_card(const int* memory, int first) {
    static int host[COUNT];
    HIP_CHECK(hipMemcpy(host, memory, BYTES, hipMemcpyDeviceToHost));
    return differing(host, first);
}

static void prepare(int card) {
    HIP_CHECK(hipSetDevice(card));
    hipModule_t module = compile(SOURCE);
    fill = kernel(module, "fill"), copy_add = kernel(module, "copy_add");
    HIP_CHECK(hipStreamCreate(&stream));
}

static void finish(hipEvent_t event) {
    HIP_CHECK(hipEventSynchronize(event));
    if (!by_events) HIP_CHECK(hipStreamSynchronize(stream));
}

// The page that both register: kernels of both write it.
static int* page;

static int first() {
    prepare(0);
    int* pinned;
    HIP_CHECK(hipHostMalloc((void**)&pinned, BYTES, hipHostMallocDefault));

    int* blocks[BLOCKS];
    Shared shared;
    for (int i = 0; i < BLOCKS; i++) HIP_CHECK(hipMalloc((void**)&blocks[i], SIZES[i]));
    hipEvent_t event;
    HIP_CHECK(hipEventCreateWithFlags(&event, hipEventDisableTiming | hipEventInterprocess));
    mark("hipIpcGetMemHandle(device)");
    hipError_t error = hipSuccess;
    for (int i = 0; i < BLOCKS && error == hipSuccess; i++) error = hipIpcGetMemHandle(&shared.memory[i], blocks[i]);
    report("hipIpcGetMemHandle(device)", error, hipGetLastError(), 0);
    if (error != hipSuccess) return 0;
    HIP_CHECK(hipIpcGetEventHandle(&shared.event, event));
    for (int i = 0; i < BLOCKS; i++)
        launch_on(stream, fill, GROUPS, ITEMS, blocks[i], 100 * i, (int)COUNT);
    HIP_CHECK(hipHostRegister(page, BYTES, hipHostRegisterDefault));
    int* page_here;
    HIP_CHECK(hipHostGetDevicePointer((void**)&page_here, page, 0));
    launch_on(stream, fill, GROUPS, ITEMS, page_here, 7, (int)COUNT);
    // What the event promises of the process's own memory: it is there when the event is seen done.
    launch_on(stream, fill, GROUPS, ITEMS, pinned, 9, (int)COUNT);
    HIP_CHECK(hipEventRecord(event, stream));
    finish(event);
    report_result("pinned memory when the first is done", differing(pinned, 9));
    tell(shared);

    // The second has seen the first's numbers, and recorded the event after numbers of its own.
    hear<int>();
    finish(event);
    for (int i = 0; i < BLOCKS; i++) report_result("device memory, from the second process", wrong_on_card(blocks[i], 1000 + 100 * i));
    report_result("registered memory, from the second process", differing(page, 17));
    // It is the first's memory still when the second has let go of it, and is right when it comes from the reserve.
    tell(0);
    hear<int>();
    for (int i = 0; i < BLOCKS; i++) report_result("device memory that the second has closed", wrong_on_card(blocks[i], 1000 + 100 * i));
    for (int i = 0; i < BLOCKS; i++) HIP_CHECK(hipFree(blocks[i]));
    HIP_CHECK(hipMalloc((void**)&blocks[1], SIZES[1]));
    launch_on(stream, fill, GROUPS, ITEMS, blocks[1], 5, (int)COUNT);
    HIP_CHECK(hipStreamSynchronize(stream));
    report_result("device memory once it was shared", wrong_on_card(blocks[1], 5));
    HIP_CHECK(hipEventDestroy(event));
    HIP_CHECK(hipHostUnregister(page));
    return 0;
}

static int second(int card) {
    Shared shared = hear<Shared>();
    prepare(card);
    int *blocks[BLOCKS], *mirror, *pinned;
    mark("hipIpcOpenMemHandle");
    hipError_t error = hipSuccess;
    for (int i = 0; i < BLOCKS && error == hipSuccess; i++)
        error = hipIpcOpenMemHandle((void**)&blocks[i], shared.memory[i], hipIpcMemLazyEnablePeerAccess);
    report("hipIpcOpenMemHandle", error, hipGetLastError(), 0);
    if (error != hipSuccess) return 0;
    hipEvent_t event;
    HIP_CHECK(hipIpcOpenEventHandle(&event, shared.event));
    HIP_CHECK(hipMalloc((void**)&mirror, BYTES));
    HIP_CHECK(hipHostMalloc((void**)&pinned, BYTES, hipHostMallocDefault));
    HIP_CHECK(hipStreamWaitEvent(stream, event, 0));
    for (int i = 0; i < BLOCKS; i++) {
        report_result("device memory, from the first process", wrong_on_card(blocks[i], 100 * i));
        // Through memory that is this process's own, and through memory of the host that the card caches.
        launch_on(stream, copy_add, GROUPS, ITEMS, pinned, (const int*)blocks[i], 500, (int)COUNT);
        launch_on(stream, copy_add, GROUPS, ITEMS, mirror, (const int*)pinned, 500, (int)COUNT);
        launch_on(stream, copy_add, GROUPS, ITEMS, blocks[i], (const int*)mirror, 0, (int)COUNT);
        HIP_CHECK(hipStreamSynchronize(stream));
        report_result("pinned memory that was read from the first process's", differing(pinned, 500 + 100 * i));
    }
    HIP_CHECK(hipHostRegister(page, BYTES, hipHostRegisterDefault));
    int* page_here;
    HIP_CHECK(hipHostGetDevicePointer((void**)&page_here, page, 0));
    launch_on(stream, copy_add, GROUPS, ITEMS, page_here, (const int*)page_here, 10, (int)COUNT);
    HIP_CHECK(hipEventRecord(event, stream));
    if (!by_events) finish(event);
    tell(0);
    hear<int>();
    for (int i = 0; i < BLOCKS; i++) {
        error = hipIpcCloseMemHandle(blocks[i]);
        report("hipIpcCloseMemHandle", error, hipGetLastError(), 0);
    }
    HIP_CHECK(hipEventDestroy(event));
    HIP_CHECK(hipHostUnregister(page));
    tell(0);
    return 0;
}

// Starts this program once more, the loader that it may have been started by included, with words after its own.
static void run_again(const char* const* more) {
    static char text[1 << 14];
    static char* words[64];
    int file = open("/proc/self/cmdline", O_RDONLY), count = 0;
    ssize_t size = read(file, text, sizeof text - 1);
    for (char* word = text; word < text + size; word += strlen(word) + 1) words[count++] = word;
    while (*more) words[count++] = (char*)*more++;
    execv("/proc/self/exe", words);
    _exit(2);
}

int main(int count, char** words) {
    if (count < 3) return 2;
    int card = atoi(words[1]);
    by_events = strcmp(words[2], "events") == 0;
    if (count > 3) {
        // Started by the first: its ends of the pipes, and the page.
        is_second = true;
        from = atoi(words[3]), to = atoi(words[4]);
        page = (int*)mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(words[5]), 0);
        return second(card);
    }
    int there[2], back[2], file = memfd_create("page", 0);
    if (pipe(there) || pipe(back) || file < 0 || ftruncate(file, BYTES)) return 2;
    page = (int*)mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pid_t child = fork();
    if (child == 0) {
        close(there[1]), close(back[0]);
        char ends[3][16];
        snprintf(ends[0], 16, "%d", there[0]), snprintf(ends[1], 16, "%d", back[1]), snprintf(ends[2], 16, "%d", file);
        const char* more[] = {ends[0], ends[1], ends[2], nullptr};
        run_again(more);
    }
    close(there[0]), close(back[1]);
    to = there[1], from = back[0];
    int result = first(), status = 0;
    close(to);
    waitpid(child, &status, 0);
    return result ? result : !WIFEXITED(status) || WEXITSTATUS(status) > 0;
}
