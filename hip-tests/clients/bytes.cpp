// Copies of many sizes, between all kinds of memory and in boxes, and fills of all kinds: each with the bytes around it
// looked at too.
#include "client.h"

static const size_t kMost = 64 << 20, kAround = 64;
static const size_t kSizes[] = {4096,          4097,        65535,         65536,           65537, (1 << 20) - 1,
                                (1 << 20) + 1, 2 * 1048576, 3000001,       (16 << 20) + 3,  kMost};
static const unsigned char kOld = 0xee;

// Memory with room around it. `host` is how the processor reaches it, where it does.
struct Memory {
    const char* name;
    unsigned char *device, *host;
};

static Memory pageable() {
    unsigned char* bytes = (unsigned char*)malloc(kMost + 2 * kAround);
    return {"pageable", bytes, bytes};
}
static Memory pinned() {
    void* bytes;
    HIP_CHECK(hipHostMalloc(&bytes, kMost + 2 * kAround, 0));
    return {"pinned", (unsigned char*)bytes, (unsigned char*)bytes};
}
static Memory vram() {
    void* bytes;
    HIP_CHECK(hipMalloc(&bytes, kMost + 2 * kAround));
    return {"device", (unsigned char*)bytes, nullptr};
}

// Numbers without a period that copies could have.
static unsigned char* pattern;
static unsigned char* read_back;

// Puts bytes into memory and takes them out again by the DMA engine or the processor, not by what is tested: whole pages.
static void write_memory(const Memory& memory, const unsigned char* from, size_t size) {
    if (memory.host) memcpy(memory.host, from, size);
    else HIP_CHECK(hipMemcpy(memory.device, from, size, hipMemcpyHostToDevice));
}
static void read_memory(const Memory& memory, unsigned char* to, size_t size) {
    if (memory.host) memcpy(to, memory.host, size);
    else HIP_CHECK(hipMemcpy(to, memory.device, size, hipMemcpyDeviceToHost));
}

// Bytes that were read back and are not what they should be: old, but for `size` of the pattern's behind `at`.
static size_t count_wrong(size_t at, size_t size, size_t whole) {
    size_t wrong = memcmp(read_back + at, pattern, size) != 0;
    for (size_t i = 0; i < at; i++) wrong += read_back[i] != kOld;
    for (size_t i = at + size; i < whole; i++) wrong += read_back[i] != kOld;
    return wrong;
}

static size_t copy(const Memory& from, const Memory& to, size_t size, size_t shift, bool async) {
    const size_t at = kAround + shift, whole = size + 2 * kAround;
    memset(read_back, kOld, whole);
    write_memory(to, read_back, whole);
    if (async) {
        HIP_CHECK(hipMemcpyAsync(to.device + at, from.device, size, hipMemcpyDefault, nullptr));
        HIP_CHECK(hipStreamSynchronize(nullptr));
    } else {
        HIP_CHECK(hipMemcpy(to.device + at, from.device, size, hipMemcpyDefault));
        HIP_CHECK(hipDeviceSynchronize());
    }
    read_memory(to, read_back, whole);
    return count_wrong(at, size, whole);
}

// Every size up to a page, there, within the device and back, without waiting in between.
static void small(const Memory& host, const Memory& first, const Memory& second, const Memory& back) {
    size_t wrong = 0;
    for (size_t size = 1; size < 4096; size += size < 600 ? 1 : 13) {
        memset(back.host, kOld, size + 16);
        HIP_CHECK(hipMemcpyAsync(first.device + size % 5, host.device + size % 7, size, hipMemcpyHostToDevice,
                                 nullptr));
        HIP_CHECK(hipMemcpyAsync(second.device + size % 3, first.device + size % 5, size, hipMemcpyDeviceToDevice,
                                 nullptr));
        HIP_CHECK(hipMemcpyAsync(back.device, second.device + size % 3, size, hipMemcpyDeviceToHost, nullptr));
        HIP_CHECK(hipStreamSynchronize(nullptr));
        wrong += memcmp(back.host, pattern + size % 7, size) != 0;
        for (size_t i = size; i < size + 16; i++) wrong += back.host[i] != kOld;
    }
    char label[96];
    snprintf(label, sizeof label, "%s to device to device to %s: sizes below a page", host.name, back.name);
    report_result(label, wrong);
}

static bool is_pinned(const Memory& memory) { return strcmp(memory.name, "pinned") == 0; }

// A box of rows and slices whose pitches are odd.
static void boxes(const Memory& from, const Memory& to) {
    const size_t width = 37, height = 11, depth = 3, pitch = 53, rows = 13, other = 61, other_rows = 12;
    const size_t whole = other * other_rows * (depth + 1);
    // 5.7.1 counts an offset into pinned memory twice.
    const bool pinned = is_pinned(from) || is_pinned(to);
    const size_t skip = pinned ? 0 : 3, at = pinned ? 0 : 5;
    char label[96];
    size_t wrong = 0;
    memset(read_back, kOld, whole);
    write_memory(to, read_back, whole);
    HIP_CHECK(hipMemcpy2D(to.device + at, other, from.device + skip, pitch, width, height, hipMemcpyDefault));
    HIP_CHECK(hipDeviceSynchronize());
    read_memory(to, read_back, whole);
    for (size_t i = 0; i < whole; i++) {
        size_t x = i % other - at, y = i / other;
        unsigned char expected = x < width && y < height ? pattern[skip + y * pitch + x] : kOld;
        wrong += read_back[i] != expected;
    }
    snprintf(label, sizeof label, "%s to %s: 2D", from.name, to.name);
    report_result(label, wrong);

    memset(read_back, kOld, whole);
    write_memory(to, read_back, whole);
    hipMemcpy3DParms box = {};
    box.srcPtr = {from.device, pitch, width, rows};
    box.dstPtr = {to.device, other, width, other_rows};
    box.srcPos = {3, 1, 0};
    box.dstPos = {5, 1, 1};
    box.extent = {width, height - 1, depth};
    box.kind = hipMemcpyDefault;
    HIP_CHECK(hipMemcpy3D(&box));
    HIP_CHECK(hipDeviceSynchronize());
    read_memory(to, read_back, whole), wrong = 0;
    for (size_t i = 0; i < whole; i++) {
        size_t x = i % other - 5, y = i / other % other_rows - 1, z = i / other / other_rows - 1;
        bool inside = x < width && y < height - 1 && z < depth;
        wrong += read_back[i] != (inside ? pattern[z * pitch * rows + (y + 1) * pitch + x + 3] : kOld);
    }
    snprintf(label, sizeof label, "%s to %s: 3D", from.name, to.name);
    report_result(label, wrong);
}

// `count` items of `size` bytes at `offset`.
static void fill(const Memory& memory, const char* name, size_t offset, size_t count, size_t size) {
    const size_t whole = offset + count * size + kAround;
    const unsigned value = 0x5a17c3d9;
    memset(read_back, kOld, whole);
    write_memory(memory, read_back, whole);
    unsigned char* at = memory.device + offset;
    if (size == 4) HIP_CHECK(hipMemsetD32(at, (int)value, count));
    else if (size == 2) HIP_CHECK(hipMemsetD16(at, (unsigned short)value, count));
    else HIP_CHECK(hipMemset(at, (int)(value & 0xff), count));
    HIP_CHECK(hipDeviceSynchronize());
    read_memory(memory, read_back, whole);
    size_t wrong = 0;
    for (size_t i = 0; i < whole; i++) {
        bool inside = i >= offset && i < offset + count * size;
        wrong += read_back[i] != (inside ? (unsigned char)(value >> 8 * ((i - offset) % size)) : kOld);
    }
    char label[96];
    snprintf(label, sizeof label, "%s: %s of %zu at %zu", memory.name, name, count, offset);
    report_result(label, wrong);
}

static void fill_box(const Memory& memory) {
    const size_t width = 37, height = 11, pitch = 53, whole = pitch * (height + 1);
    memset(read_back, kOld, whole);
    write_memory(memory, read_back, whole);
    HIP_CHECK(hipMemset2D(memory.device + 3, pitch, 0x77, width, height));
    HIP_CHECK(hipDeviceSynchronize());
    read_memory(memory, read_back, whole);
    size_t wrong = 0;
    for (size_t i = 0; i < whole; i++) {
        size_t x = i % pitch - 3, y = i / pitch;
        wrong += read_back[i] != (x < width && y < height ? 0x77 : kOld);
    }
    char label[96];
    snprintf(label, sizeof label, "%s: hipMemset2D", memory.name);
    report_result(label, wrong);
}

int main() {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    pattern = (unsigned char*)malloc(kMost + 2 * kAround);
    read_back = (unsigned char*)malloc(kMost + 2 * kAround);
    unsigned long long state = 0x853c49e6748fea9bull;
    for (size_t i = 0; i < kMost + 2 * kAround; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        pattern[i] = (unsigned char)(state >> 56);
    }
    const Memory sources[] = {pageable(), pinned(), vram()}, targets[] = {pageable(), pinned(), vram()};
    for (const Memory& source : sources) write_memory(source, pattern, kMost);

    for (const Memory& from : sources)
        for (const Memory& to : targets)
            for (size_t size : kSizes) {
                // Large ones once, and only by the card.
                bool large = size > 4 << 20;
                if (large && from.host && to.host) continue;
                char label[96];
                snprintf(label, sizeof label, "%s to %s: %zu", from.name, to.name, size);
                mark(label);
                size_t wrong = copy(from, to, size, large ? 0 : size % 16, size % 2);
                if (!large) wrong += copy(from, to, size, 0, !(size % 2));
                report_result(label, wrong);
            }
    small(sources[0], sources[2], targets[2], targets[0]);
    write_memory(sources[2], pattern, kMost);
    small(sources[1], sources[2], targets[2], targets[1]);
    write_memory(sources[2], pattern, kMost);
    for (const Memory& from : sources)
        for (const Memory& to : targets) boxes(from, to);
    // 5.2.3 asks for 3 thousand million work-items to fill a few bytes that start at an odd address.
    int release = 0;
    HIP_CHECK(hipRuntimeGetVersion(&release));
    const bool fills_few = release >= 50300000;
    for (const Memory* memory : {&targets[1], &targets[2]})
        for (size_t count : {1, 2, 3, 63, 4095, 65537, 200003})
            for (size_t offset : {0, 1, 7}) {
                if (!fills_few && count < 8 && offset) continue;
                fill(*memory, "hipMemset", offset, count, 1);
                fill(*memory, "hipMemsetD16", 2 * offset, count, 2);
                fill(*memory, "hipMemsetD32", 4 * offset, count, 4);
            }
    // Before 7.2 the runtime fills only the first row in memory of the host, by the processor.
    fill_box(targets[2]);
    fill(targets[2], "hipMemset", 0, kMost, 1);
    mark("exit");
    return 0;
}
