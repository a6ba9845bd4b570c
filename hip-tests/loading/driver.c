/* Stub HIP and HSA drivers: under the names of a real runtime they answer at once, and tell what arrived.
 *
 * They stand in for the runtime where only the way of a call matters: in the tests of this crate (`load_modes`: which function
 * a call reaches, on every way to it; `gate_is_inert`: what the gate does to a process without one) and in benchmarks. They
 * prove nothing about the effect of a flag: that is what the real runtimes of `rmcp-stacks` are for.
 *
 * This makes libamdhip64, and libhsa-runtime64 with -DHSA_DRIVER. Each has the hooked functions of its library, from
 * `functions.h`, which `harness/driver.rs` writes after the hook table, and others that RMCP itself calls. `clients/stub.h`
 * declares what a test asks of them. Nothing here allocates, so that they answer without memory too. With -DTABLE the HIP
 * functions are reached as those of ROCm 6 are: `table.h`. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct HipExtent { size_t width, height, depth; };
struct PropertiesR0000 { char before[396], name[256]; };
struct PropertiesR0600 { char before[1160], name[256]; };

/* What arrived, as `hipHostMalloc(0x1000, 0x80000000)`, one a line; numbers alone, since addresses differ in every run. */
static pthread_mutex_t calls_lock = PTHREAD_MUTEX_INITIALIZER;
static char calls[1 << 16];
static size_t calls_length;

/* Whether calls are noted, and who is given them in place of that: for both drivers. Benchmarks switch it off. */
atomic_bool rmcp_stub_recording = true;
void (*_Atomic rmcp_stub_listener)(const char *);
/* What hipGetLastError returns next: the last failure, of whichever thread. */
static _Atomic int last_error;

struct function {
    const char *name;
    /* What it returns from now on. */
    _Atomic int answer;
};

__attribute__((cold, noinline)) static void note(struct function *function, const uint64_t *numbers, size_t count) {
    void (*listener)(const char *) = rmcp_stub_listener;
    if (listener) {
        listener(function->name);
        return;
    }
    char line[256];
    size_t length = snprintf(line, sizeof line, "%s(", function->name);
    for (size_t i = 0; i < count; i++)
        length += snprintf(line + length, sizeof line - length, "%s0x%lx", i ? ", " : "", (unsigned long)numbers[i]);
    length += snprintf(line + length, sizeof line - length, ")\n");
    pthread_mutex_lock(&calls_lock);
    if (calls_length + length < sizeof calls) {
        memcpy(calls + calls_length, line, length);
        calls_length += length;
    }
    pthread_mutex_unlock(&calls_lock);
    if (function->answer)
        last_error = function->answer;
}

/* The name of a device: the STUB_ARCHS are separated by commas. Returns how many there are before it. */
static int find_arch(int wanted, char *name, size_t size) {
    const char *rest = getenv("STUB_ARCHS");
    int found = 0;
    for (rest = rest ? rest : ""; *rest; rest += strcspn(rest, ","), rest += *rest == ',') {
        size_t length = strcspn(rest, ",");
        if (length && found++ == wanted)
            snprintf(name, size, "%.*s", (int)length, rest);
    }
    return found;
}

/* An address of this copy, where C expects one. */
static void *memory;
#define WRITE(type, value) if (out) *out = (value)
static inline void write_address(void **out) { WRITE(void *, &memory); }
static inline void write_u32(uint32_t *out) { WRITE(uint32_t, 0); }
/* Of memory: more than anybody asks for. */
static inline void write_size(size_t *out) { WRITE(size_t, (size_t)1 << 40); }
/* A device attribute: the device can do it. */
static inline void write_i32(int *out) { WRITE(int, 1); }
#define WRITE_NAME(out, device) do { (out)->name[0] = 0; find_arch(device, (out)->name, sizeof (out)->name); } while (0)
static inline void write_R0000(struct PropertiesR0000 *out, int device) { if (out) WRITE_NAME(out, device); }
static inline void write_R0600(struct PropertiesR0600 *out, int device) { if (out) WRITE_NAME(out, device); }

static inline size_t bytes(struct HipExtent extent) { return extent.width * extent.height * extent.depth; }

#pragma GCC diagnostic ignored "-Wunused-parameter"
uint32_t hsa_init(void);

/* A function that notes its arguments, writes an answer where C expects one, and returns 0 unless told to fail. */
#define NUMBERS(...) (const uint64_t[]){ __VA_ARGS__ }
#define DEFINE(storage, defined, name, result, parameters, before, numbers, writes)                                    \
    static struct function f_##name = { #name, 0 };                                                                    \
    storage result defined parameters {                                                                                \
        before;                                                                                                        \
        if (atomic_load_explicit(&rmcp_stub_recording, memory_order_relaxed))                                                    \
            note(&f_##name, NUMBERS numbers + 1, sizeof(NUMBERS numbers) / sizeof(uint64_t) - 1);                      \
        int answer = atomic_load_explicit(&f_##name.answer, memory_order_relaxed);                                     \
        if (answer == 0) {                                                                                             \
            writes                                                                                                     \
        }                                                                                                              \
        return answer;                                                                                                 \
    }

#define PLAIN(name, result, parameters, arguments, numbers, writes)                                                    \
    DEFINE(, name, name, result, parameters, , numbers, writes)
#define SKIP(...)

#ifdef HSA_DRIVER
#define HIP SKIP
#define HSA PLAIN
#include "functions.h"

/* hsa_amd_memory_pool_global_flag_t of each pool of the one agent: kernarg and fine, fine, coarse. */
static const struct { uint64_t handle; uint32_t flags; } pools[] = { { 0x11, 1 | 2 }, { 0x12, 2 }, { 0x13, 4 } };
enum { POOLS = 3, AGENT = 1, INVALID_ARGUMENT = 0x1001, SEGMENT = 0, GLOBAL_FLAGS = 1 };
typedef uint32_t (*visit_t)(uint64_t, void *);

uint32_t hsa_iterate_agents(visit_t visit, void *data) { return visit(AGENT, data); }

/* The one property that is asked for, HSA_AGENT_INFO_DEVICE: a CPU. */
uint32_t hsa_agent_get_info(uint64_t agent, int what, uint32_t *out) { *out = 0; return 0; }

uint32_t hsa_amd_agent_iterate_memory_pools(uint64_t agent, visit_t visit, void *data) {
    uint32_t status = 0;
    for (int i = 0; i < POOLS && !status; i++)
        status = visit(pools[i].handle, data);
    return status;
}

uint32_t hsa_amd_memory_pool_get_info(uint64_t pool, int what, uint32_t *out) {
    for (int i = 0; i < POOLS; i++) {
        if (pools[i].handle != pool || (what != SEGMENT && what != GLOBAL_FLAGS))
            continue;
        *out = what == SEGMENT ? 0 : pools[i].flags;
        return 0;
    }
    return INVALID_ARGUMENT;
}

#else
#define HSA SKIP
#ifdef TABLE
#include "table.h"
#else
#define HIP PLAIN
#define START()
#include "functions.h"
#endif

static _Atomic int device;
/* HIP_VERSION: 10,000,000 * major + 100,000 * minor + patch. */
static _Atomic int version = 60443000;

/* Functions without a hook that RMCP calls for itself. */
int hipSetDevice(int ordinal) { START(); device = ordinal; return 0; }
int hipGetDevice(int *out) { START(); *out = device; return 0; }
int hipGetLastError(void) { START(); return atomic_exchange(&last_error, 0); }
int hipPeekAtLastError(void) { START(); return last_error; }
int hipRuntimeGetVersion(int *out) { START(); *out = version; return 0; }
int hipGetDeviceCount(int *count) { START(); *count = find_arch(-1, NULL, 0); return 0; }

void rmcp_stub_version(int number) { version = number; }

/* Calls that the runtime makes itself: through its PLT, so that they can be interposed, and returning into this copy. */
uint32_t hsa_amd_memory_pool_allocate(uint64_t, size_t, uint32_t, void **);

int rmcp_stub_inside_hipHostMalloc(void **out, size_t size, unsigned flags) {
    volatile int status = hipHostMalloc(out, size, flags);
    return status;
}
uint32_t rmcp_stub_inside_hsa_init(void) {
    volatile uint32_t status = hsa_init();
    return status;
}
uint32_t rmcp_stub_inside_hsa_amd_memory_pool_allocate(uint64_t pool, size_t size, uint32_t flags, void **out) {
    volatile uint32_t status = hsa_amd_memory_pool_allocate(pool, size, flags, out);
    return status;
}
#endif

/* Every hooked function. */
#define ADDRESS(name, ...) &f_##name,
#ifdef HSA_DRIVER
#undef HSA
#define HSA ADDRESS
#else
#undef HIP
#define HIP ADDRESS
#endif
static struct function *const functions[] = {
#include "functions.h"
};

void rmcp_stub_take(char *out, size_t size) {
    pthread_mutex_lock(&calls_lock);
    size_t length = calls_length && calls_length <= size ? calls_length - 1 : 0;
    memcpy(out, calls, length);
    out[length] = 0;
    calls_length = 0;
    pthread_mutex_unlock(&calls_lock);
}

void rmcp_stub_fail(const char *name, int status) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i]->name, name))
            functions[i]->answer = status;
}

void rmcp_stub_quiet(void) { rmcp_stub_recording = false; }
void rmcp_stub_on_call(void (*listener)(const char *)) { rmcp_stub_listener = listener; }
