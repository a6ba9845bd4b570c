// What PyTorch's allocator of pinned memory does: a block is handed out again once the events that were recorded where it was used
// are seen done. Its new owner writes it, a kernel or a copy reads it; another one is written by the card and read by the processor.
// Each result is compared with the processor's. UNFENCED_EVENTS: the events write no cache back.
#include "kernels.h"

static const char* SOURCE = R"(
extern "C" __global__ void scale(unsigned* out, const unsigned* in, int more, int count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = in[i] * 3 + more;
}
extern "C" __global__ void work(int* out, int rounds) {
    int sum = threadIdx.x;
    for (int i = 0; i < rounds; i++) sum = sum * 5 + i;
    out[threadIdx.x] = sum;
}
)";
static hipFunction_t scale, work;

static const int STREAMS = 3;
static const size_t LARGEST = 1 << 20;

// A block of pinned memory, in use, or in the pool until what was recorded is done.
struct Block {
    unsigned* words;
    size_t size;
    bool free;
    // Whether an event was recorded after its last use.
    bool pending;
    hipEvent_t event;
};
static Block blocks[512];
static int count, reused;
static unsigned event_flags = hipEventDisableTiming;

// A free block of the size whose event is done, or a new one.
static Block* take(size_t size) {
    size_t rounded = 1;
    while (rounded < size) rounded *= 2;
    for (int i = 0; i < count; i++) {
        Block* block = &blocks[i];
        if (!block->free || block->size != rounded) continue;
        if (block->pending && hipEventQuery(block->event) != hipSuccess) continue;
        block->free = block->pending = false;
        reused++;
        return block;
    }
    Block* block = &blocks[count++];
    *block = {nullptr, rounded, false, false, nullptr};
    HIP_CHECK(hipHostMalloc((void**)&block->words, rounded, hipHostMallocDefault));
    HIP_CHECK(hipEventCreateWithFlags(&block->event, event_flags));
    return block;
}

// Gives a block back after what the stream has to do with it.
static void give(Block* block, hipStream_t stream) {
    HIP_CHECK(hipEventRecord(block->event, stream));
    block->free = block->pending = true;
}

// A step that is under way: what it writes, and from what.
struct Step {
    Block* to;
    size_t count;
    int number;
};

static unsigned value(int number, size_t i) { return number * 7000 + i * 13; }

// Waits for a step's last event as the program does, and counts what is wrong.
static size_t check(const Step& step, bool by_query) {
    if (by_query)
        while (hipEventQuery(step.to->event) == hipErrorNotReady) {}
    HIP_CHECK(hipEventSynchronize(step.to->event));
    size_t wrong = 0;
    for (size_t i = 0; i < step.count; i++) wrong += step.to->words[i] != value(step.number, i) * 3 + step.number;
    step.to->free = true, step.to->pending = false;
    return wrong;
}

int main() {
    // hipEventDisableSystemFence, which 5.2.3's headers lack.
    if (getenv("UNFENCED_EVENTS")) event_flags |= 0x20000000;
    hipModule_t module = compile(SOURCE);
    scale = kernel(module, "scale"), work = kernel(module, "work");
    hipStream_t streams[STREAMS];
    unsigned *in[STREAMS], *out[STREAMS];
    int* busy[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        HIP_CHECK(hipStreamCreateWithFlags(&streams[i], hipStreamNonBlocking));
        HIP_CHECK(hipMalloc((void**)&in[i], LARGEST));
        HIP_CHECK(hipMalloc((void**)&out[i], LARGEST));
        HIP_CHECK(hipMalloc((void**)&busy[i], 32 * sizeof(int)));
    }
    static const size_t SIZES[] = {4, 100, 4096, 5000, 65536, LARGEST};
    static int number;
    for (size_t size : SIZES)
        for (int is_busy = 0; is_busy < 2; is_busy++)
            for (int direct = 0; direct < 2; direct++) {
                const int STEPS = size == LARGEST ? 7 : 16, UNDER_WAY = is_busy ? 6 : 1;
                Step under_way[6];
                size_t wrong = 0;
                const size_t words = size / 4;
                const dim3 groups((words + 255) / 256), items(256);
                // A round more, in which what is under way is waited for.
                for (int step = 0; step < STEPS + UNDER_WAY; step++) {
                    if (step >= UNDER_WAY) wrong += check(under_way[step % UNDER_WAY], !is_busy);
                    if (step >= STEPS) continue;
                    int which = step % STREAMS;
                    hipStream_t stream = streams[which];
                    if (is_busy) launch_on(stream, work, dim3(1), dim3(32), busy[which], 3000);
                    number++;
                    Block *from = take(size), *to = take(size);
                    for (size_t i = 0; i < words; i++) from->words[i] = value(number, i);
                    if (direct) {
                        launch_on(stream, scale, groups, items, to->words, (const unsigned*)from->words, number, (int)words);
                    } else {
                        HIP_CHECK(hipMemcpyAsync(in[which], from->words, size, hipMemcpyHostToDevice, stream));
                        launch_on(stream, scale, groups, items, out[which], (const unsigned*)in[which], number, (int)words);
                        HIP_CHECK(hipMemcpyAsync(to->words, out[which], size, hipMemcpyDeviceToHost, stream));
                    }
                    give(from, stream);
                    HIP_CHECK(hipEventRecord(to->event, stream));
                    under_way[step % UNDER_WAY] = {to, words, number};
                }
                char label[80];
                snprintf(label, sizeof label, "%zu bytes, %s streams, %s", size, is_busy ? "busy" : "idle",
                         direct ? "by kernels" : "copied");
                report_result(label, wrong);
            }
    // A pool that never hands a block out again would show nothing.
    report_result("blocks handed out again", reused < 4 * count);
    return 0;
}
