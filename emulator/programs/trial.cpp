// The program behind `rmcp doctor --try`: `rmcp-trial-client PCI DEVICE RUNTIME` starts one kernel on the card at that place
// of the PCI bus, or on that HIP device where places are not told. Each step is announced on stdout before it begins, as a
// line of JSON: what ends the process or hangs it is the step that was announced last.
#include "demo.h"

#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

HIP int hipInit(unsigned flags);
HIP int hipGetDeviceCount(int* count);
HIP int hipDeviceGetPCIBusId(char* id, int size, int device);
HIP int hipStreamCreate(void** stream);
HIP int hipStreamSynchronize(void* stream);
HIP int hipMemsetAsync(void* ptr, int value, size_t size, void* stream);
HIP int hipMemcpy(void* to, const void* from, size_t size, int kind);

// hsa.h, hsa_ext_amd.h
struct Agent { uint64_t handle; };
HIP int hsa_init();
HIP int hsa_iterate_agents(int (*callback)(Agent, void*), void* data);
HIP int hsa_agent_get_info(Agent agent, int attribute, void* value);
HIP int hsa_queue_create(Agent agent, uint32_t size, uint32_t type, void (*callback)(int, void*, void*), void* data,
                         uint32_t private_size, uint32_t group_size, void** queue);
HIP int hsa_queue_destroy(void* queue);
HIP int hsa_status_string(int status, const char** text);
enum { kDeviceType = 17, kGpu = 1, kPlace = 0xa006, kDomain = 0xa00f };

static const char* step = "";

static void begin(const char* name) {
    step = name;
    printf("{\"step\": \"%s\"}\n", name);
}

// The step failed, and so says this line.
__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char* format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char* letter = text; *letter; letter++)
        if (*letter == '"' || *letter == '\\' || (unsigned char)*letter < ' ') *letter = '\'';
    printf("{\"step\": \"%s\", \"failed\": \"%s\"}\n", step, text);
    // The runtime's own end may hang where it failed.
    _exit(1);
}

static void hip(const char* call, int error) {
    if (error) fail("%s: %s", call, hipGetErrorName(error));
}

static void hsa(const char* call, int status) {
    const char* text = "";
    if (status) {
        hsa_status_string(status, &text);
        fail("%s: %s", call, text ? text : "an unknown status");
    }
}

// The place of the wanted card, and what is found there.
struct Wanted {
    unsigned domain = 0, bus = 0, device = 0, function = 0;
    Agent agent = {};
    int gpus = 0;
    bool found = false;

    bool at(unsigned domain, unsigned place) const {
        return domain == this->domain && place == (bus << 8 | device << 3 | function);
    }
};

static int look(Agent agent, void* data) {
    Wanted* wanted = (Wanted*)data;
    uint32_t type = 0, place = 0, domain = 0;
    if (int status = hsa_agent_get_info(agent, kDeviceType, &type)) return status;
    if (type != kGpu) return 0;
    wanted->gpus++;
    // Old runtimes do not tell the domain.
    if (hsa_agent_get_info(agent, kPlace, &place)) return 0;
    hsa_agent_get_info(agent, kDomain, &domain);
    if (!wanted->found && wanted->at(domain, place)) {
        wanted->agent = agent;
        wanted->found = true;
    }
    return 0;
}

// The HIP device at the place.
static int device_at(const Wanted& wanted, int count, int otherwise) {
    for (int device = 0; device < count; device++) {
        char id[64] = "";
        unsigned domain = 0, bus = 0, slot = 0;
        if (hipDeviceGetPCIBusId(id, sizeof id, device) || sscanf(id, "%x:%x:%x", &domain, &bus, &slot) != 3) continue;
        if (domain == wanted.domain && bus == wanted.bus && slot == wanted.device) return device;
    }
    return otherwise;
}

int main(int count, char** arguments) {
    Wanted wanted;
    if (count != 4 || sscanf(arguments[1], "%x:%x:%x.%x", &wanted.domain, &wanted.bus, &wanted.device,
                             &wanted.function) != 4) {
        fprintf(stderr, "usage: rmcp-trial-client PCI DEVICE RUNTIME\n");
        return 2;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);

    begin("load");
    void* runtime = dlopen(arguments[3], RTLD_NOW | RTLD_GLOBAL);
    if (!runtime) fail("%s", dlerror());

    // A runtime may hold HSA within itself; then HIP opens it.
    const bool has_hsa = !missing("hsa_init");
    begin("open");
    if (has_hsa) hsa("hsa_init", hsa_init());
    hip("hipInit", hipInit(0));

    begin("agent");
    if (has_hsa) {
        hsa("hsa_iterate_agents", hsa_iterate_agents(look, &wanted));
        if (!wanted.found) fail("%d GPUs, and none of them at %s", wanted.gpus, arguments[1]);
    }
    int devices = 0;
    hip("hipGetDeviceCount", hipGetDeviceCount(&devices));
    const int device = device_at(wanted, devices, atoi(arguments[2]));
    if (device >= devices) fail("HIP sees %d devices, and not this card", devices);
    hip("hipSetDevice", hipSetDevice(device));

    begin("queue");
    if (has_hsa) {
        void* queue = nullptr;
        hsa("hsa_queue_create", hsa_queue_create(wanted.agent, 4096, 0, nullptr, nullptr, UINT32_MAX, UINT32_MAX, &queue));
        hsa("hsa_queue_destroy", hsa_queue_destroy(queue));
    }

    const size_t size = 64 << 10;
    begin("memory");
    void* memory = nullptr;
    hip("hipMalloc", hipMalloc(&memory, size));

    // A stream's queue comes with the runtime's own kernels, which are loaded for the card here.
    begin("code-object");
    void* stream = nullptr;
    hip("hipStreamCreate", hipStreamCreate(&stream));

    // A fill is a kernel.
    begin("kernel");
    hip("hipMemsetAsync", hipMemsetAsync(memory, 0x5a, size, stream));
    hip("hipStreamSynchronize", hipStreamSynchronize(stream));

    begin("result");
    static unsigned char bytes[size];
    hip("hipMemcpy", hipMemcpy(bytes, memory, size, 2));
    size_t wrong = 0;
    for (unsigned char byte : bytes) wrong += byte != 0x5a;
    if (wrong) fail("%zu of %zu bytes are wrong", wrong, size);
    printf("{\"step\": \"passed\"}\n");
    _exit(0);
}
