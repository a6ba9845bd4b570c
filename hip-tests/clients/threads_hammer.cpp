// Threads that allocate, ask and free at random, and count what they do: `threads_hammer THREADS CALLS COUNTED`.
//
// First it prints which flags each kind of memory has. Then, under RMCP, each thread makes CALLS calls, and what they
// counted is compared with rmcp_counters. COUNTED says what those have to know: `all` calls, or those of functions that have
// `rules` by default and of any other either all or none.
#include "threads.h"

enum Function { kMalloc, kExt, kManaged, kHostMalloc, kHostAlloc, kFree, kHostFree, kGetFlags, kFunctions };
static const char* const kNames[kFunctions] = {"hipMalloc",    "hipExtMallocWithFlags", "hipMallocManaged", "hipHostMalloc",
                                               "hipHostAlloc", "hipFree",               "hipHostFree",      "hipHostGetFlags"};
static const bool kRules[kFunctions] = {false, false, true, true, true, false, false, true};

// A way to allocate, and whether RMCP rewrites it.
struct Kind {
    Function function;
    unsigned flags;
    bool rewritten;
    // What hipHostGetFlags says of it, asked before there are threads; -1: no such flags.
    long long answer;
};
static Kind kinds[] = {
    {kMalloc, 0, false, 0},
    {kExt, 0, false, 0},
    {kManaged, 1, true, 0},
    {kHostMalloc, 0, true, 0},
    {kHostMalloc, 0x1, false, 0},
    {kHostMalloc, 0x2, true, 0},
    {kHostMalloc, 0x3, true, 0},
    {kHostMalloc, 0x4, false, 0},
    {kHostMalloc, 0x40000000, false, 0},
    {kHostMalloc, 0x80000000, false, 0},
    {kHostMalloc, 0x20000000, true, 0},
    {kHostAlloc, 0, true, 0},
    {kHostAlloc, 0x2, true, 0},
};
static const unsigned kKinds = sizeof kinds / sizeof *kinds;
static const size_t kSize = 4096;

struct Count {
    unsigned long forwarded, rewritten;
};
// What each thread did, added up when it ends.
static Count counted[kFunctions];
static unsigned long calls_each;
static pthread_barrier_t start_line;

static bool on_host(const Kind& kind) { return kind.function == kHostMalloc || kind.function == kHostAlloc; }

static int allocate(const Kind& kind, void** memory) {
    switch (kind.function) {
        case kMalloc: return hipMalloc(memory, kSize);
        case kExt: return hipExtMallocWithFlags(memory, kSize, kind.flags);
        case kManaged: return hipMallocManaged(memory, kSize, kind.flags);
        case kHostMalloc: return hipHostMalloc(memory, kSize, kind.flags);
        default: return hipHostAlloc(memory, kSize, kind.flags);
    }
}

static int release(const Kind& kind, void* memory) { return on_host(kind) ? hipHostFree(memory) : hipFree(memory); }

static long long flags_of(const Kind& kind, void* memory) {
    unsigned flags = 0;
    int error = on_host(kind) ? hipHostGetFlags(&flags, memory) : 1;
    return error ? -1 : static_cast<long long>(flags);
}

struct Live {
    const Kind* kind;
    void* memory;
};

static void* hammer(void* seed) {
    Random random = {0x9e3779b97f4a7c15ull * (1 + reinterpret_cast<uintptr_t>(seed))};
    Count mine[kFunctions] = {};
    Live live[8];
    unsigned lives = 0;
    pthread_barrier_wait(&start_line);
    for (unsigned long call = 0; call < calls_each; call++) {
        unsigned what = random.below(3);
        if (lives == 0 || (what == 0 && lives < 8)) {
            const Kind& kind = kinds[random.below(kKinds)];
            void* memory = nullptr;
            int error = allocate(kind, &memory);
            CHECK(!error && memory, "%s(%#x) returned %d", kNames[kind.function], kind.flags, error);
            (kind.rewritten ? mine[kind.function].rewritten : mine[kind.function].forwarded)++;
            live[lives++] = {&kind, memory};
            continue;
        }
        Live& one = live[random.below(lives)];
        const Kind& kind = *one.kind;
        if (what == 1 && on_host(kind)) {
            long long flags = flags_of(kind, one.memory);
            CHECK(flags == kind.answer, "%s(%#x) has flags %#llx, alone it had %#llx", kNames[kind.function], kind.flags,
                  flags, kind.answer);
            mine[kGetFlags].forwarded++;
        } else {
            int error = release(kind, one.memory);
            CHECK(!error, "a free of %s(%#x) returned %d", kNames[kind.function], kind.flags, error);
            mine[on_host(kind) ? kHostFree : kFree].forwarded++;
            one = live[--lives];
        }
    }
    while (lives) {
        Live& one = live[--lives];
        CHECK(!release(*one.kind, one.memory), "a last free failed");
        mine[on_host(*one.kind) ? kHostFree : kFree].forwarded++;
    }
    for (int function = 0; function < kFunctions; function++) {
        __atomic_fetch_add(&counted[function].forwarded, mine[function].forwarded, __ATOMIC_RELAXED);
        __atomic_fetch_add(&counted[function].rewritten, mine[function].rewritten, __ATOMIC_RELAXED);
    }
    return nullptr;
}

// The counters of the functions above.
static void read_counters(Count* counts) {
    rmcp_counter_t rows[128];
    size_t known = rmcp_counters(rows, 128);
    CHECK(known && known <= 128, "%zu hooks", known);
    for (size_t row = 0; row < known; row++)
        for (int function = 0; function < kFunctions; function++)
            if (!strcmp(rows[row].name, kNames[function])) counts[function] = {rows[row].forwarded, rows[row].rewritten};
}

int main(int, char** arguments) {
    unsigned threads = parse_number(arguments[1]);
    calls_each = parse_number(arguments[2]);
    bool all_counted = !strcmp(arguments[3], "all");
    CHECK(threads <= 64, "at most 64 threads");
    for (Kind& kind : kinds) {
        void* memory = nullptr;
        int error = allocate(kind, &memory);
        CHECK(!error, "%s(%#x) alone returned %d", kNames[kind.function], kind.flags, error);
        kind.answer = flags_of(kind, memory);
        printf("%s(%#x) has flags %#llx\n", kNames[kind.function], kind.flags, kind.answer);
        CHECK(!release(kind, memory), "the free of %s(%#x) alone failed", kNames[kind.function], kind.flags);
    }
    if (!rmcp_counters) return 0;
    Count before[kFunctions] = {}, after[kFunctions] = {};
    read_counters(before);
    pthread_t all[64];
    pthread_barrier_init(&start_line, nullptr, threads);
    for (uintptr_t thread = 0; thread < threads; thread++)
        all[thread] = start_thread(hammer, reinterpret_cast<void*>(thread));
    for (unsigned thread = 0; thread < threads; thread++) pthread_join(all[thread], nullptr);
    read_counters(after);
    unsigned long calls = 0;
    for (int function = 0; function < kFunctions; function++) {
        unsigned long forwarded = after[function].forwarded - before[function].forwarded;
        unsigned long rewritten = after[function].rewritten - before[function].rewritten;
        Count made = counted[function];
        calls += made.forwarded + made.rewritten;
        if (!all_counted && !kRules[function] && after[function].forwarded + after[function].rewritten == 0) continue;
        CHECK(forwarded == made.forwarded && rewritten == made.rewritten,
              "%s: %lu forwarded and %lu rewritten, of %lu and %lu calls", kNames[function], forwarded, rewritten,
              made.forwarded, made.rewritten);
        // All, with those before the threads.
        printf("%s: %lu forwarded, %lu rewritten\n", kNames[function], after[function].forwarded, after[function].rewritten);
    }
    CHECK(!hipGetLastError(), "an error that nobody caused");
    printf("calls %lu\n", calls);
    return 0;
}
