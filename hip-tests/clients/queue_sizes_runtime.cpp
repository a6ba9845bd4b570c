// A stand-in for libhsa-runtime64: it reads the topology in hsa_init and asks for queues as ROCr's thunk does
// (projects/rocr-runtime/libhsakmt/src/{topology,queues}.c of ROCm/rocm-systems), and does nothing else.
//
// QUEUE_WAVES: by what it reckons a compute unit's waves on RDNA, `topology` as builds between rocm-systems#6125 and #11299
// do, or `linux` as those before and after, and as the kernel does. QUEUE_SAVE_AREA: `svm` as on a kernel with the SVM
// interface, or `buffer` as on others. QUEUE_BUILD: what hsa_system_get_info says of the build.
// READ_BY_OPEN: it reads files by open, and not by fopen. READ_BY_LOOKUP: it imports neither, and asks dlsym for both.
// QUEUE_FORK: while it reads the topology it forks, `inside` in the thread that reads or `beside` in another.
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "kfd.h"
#include "queue_sizes.h"

static const uint32_t kNavi10 = 100100, kNodes = 16;
static const uint64_t kPage = 4096;

#ifdef READ_BY_LOOKUP
static FILE* looked_up_fopen(const char* path, const char* mode) {
    return ((FILE * (*)(const char*, const char*)) dlsym(RTLD_DEFAULT, "fopen"))(path, mode);
}
static int looked_up_open(const char* path, int flags) {
    return ((int (*)(const char*, int, ...))dlsym(RTLD_DEFAULT, "open"))(path, flags);
}
#define fopen looked_up_fopen
#define open looked_up_open
#endif

struct Node {
    uint64_t simd_count, simd_per_cu, max_waves_per_simd, array_count, simd_arrays_per_engine, lds_size_in_kb;
    uint64_t gfx_target_version, drm_render_minor, num_xcc, cwsr_size, ctl_stack_size;
    uint32_t gpu_id;
};

static Node nodes[kNodes];
static uint32_t node_count, starts;
static int kfd = -1;

static const char* variable(const char* name, const char* otherwise) {
    const char* value = getenv(name);
    return value ? value : otherwise;
}

static uint64_t up(uint64_t bytes, uint64_t to) { return (bytes + to - 1) / to * to; }

extern "C" bool queue_sizes_read(const char* path, char* text, size_t size) {
#ifdef READ_BY_OPEN
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t length = read(file, text, size - 1);
    close(file);
    if (length < 0) return false;
#else
    FILE* file = fopen(path, "r");
    if (!file) return false;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
#endif
    text[length] = 0;
    return true;
}

// The text of a node's file; false where there is none.
static bool read_file(uint32_t node, const char* name, char* text, size_t size) {
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/virtual/kfd/kfd/topology/nodes/%u/%s", node, name);
    return queue_sizes_read(path, text, size);
}

static void read_node(uint32_t index, const char* properties, const char* gpu_id) {
    Node& node = nodes[index];
    node = Node();
    node.gpu_id = (uint32_t)strtoul(gpu_id, nullptr, 10);
    node.num_xcc = 1;
    struct {
        const char* name;
        uint64_t* value;
    } known[] = {
        {"simd_count", &node.simd_count},
        {"simd_per_cu", &node.simd_per_cu},
        {"max_waves_per_simd", &node.max_waves_per_simd},
        {"array_count", &node.array_count},
        {"simd_arrays_per_engine", &node.simd_arrays_per_engine},
        {"lds_size_in_kb", &node.lds_size_in_kb},
        {"gfx_target_version", &node.gfx_target_version},
        {"drm_render_minor", &node.drm_render_minor},
        {"num_xcc", &node.num_xcc},
        {"cwsr_size", &node.cwsr_size},
        {"ctl_stack_size", &node.ctl_stack_size},
    };
    for (const char* line = properties; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        for (auto& property : known) {
            size_t length = strlen(property.name);
            if (strncmp(line, property.name, length) == 0 && line[length] == ' ')
                *property.value = strtoull(line + length, nullptr, 10);
        }
    }
}

// Null where the child reads another file as it is.
static void* fork_beside(void*) {
    pid_t child = fork();
    if (child == 0) {
        char text[64];
        _exit(queue_sizes_read("/proc/self/comm", text, sizeof text) && *text ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0 ? nullptr : (void*)1;
}

static pid_t forked = -1;
extern "C" pid_t queue_sizes_forked() { return forked; }

// False where another thread's child did not fare well.
static bool fork_meanwhile() {
    const char* how = variable("QUEUE_FORK", "");
    if (strcmp(how, "inside") == 0) forked = fork();
    if (strcmp(how, "beside") != 0) return true;
    pthread_t thread;
    void* wrong = nullptr;
    return !pthread_create(&thread, nullptr, fork_beside, nullptr) && !pthread_join(thread, &wrong) && !wrong;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hsa_status_t start() {
    if (starts++ > 0) return HSA_STATUS_SUCCESS;
    kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
    if (kfd < 0) return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    static char properties[8192], gpu_id[32];
    for (node_count = 0; node_count < kNodes; node_count++) {
        if (!read_file(node_count, "gpu_id", gpu_id, sizeof gpu_id)) break;
        if (node_count == 0 && !fork_meanwhile()) return HSA_STATUS_ERROR;
        if (!read_file(node_count, "properties", properties, sizeof properties)) break;
        read_node(node_count, properties, gpu_id);
    }
    return HSA_STATUS_SUCCESS;
}

static hsa_status_t end() {
    if (starts == 0) return HSA_STATUS_ERROR_NOT_INITIALIZED;
    if (--starts == 0) close(kfd);
    return HSA_STATUS_SUCCESS;
}

// One thread at a time, as in ROCr.
static hsa_status_t alone(hsa_status_t (*work)()) {
    pthread_mutex_lock(&lock);
    hsa_status_t status = work();
    pthread_mutex_unlock(&lock);
    return status;
}

extern "C" hsa_status_t hsa_init() { return alone(start); }
extern "C" hsa_status_t hsa_shut_down() { return alone(end); }

extern "C" hsa_status_t hsa_system_get_info(hsa_system_info_t attribute, void* value) {
    if ((uint32_t)attribute != HSA_AMD_SYSTEM_INFO_BUILD_VERSION) return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    *(const char**)value = variable("QUEUE_BUILD", "1.18.0");
    return HSA_STATUS_SUCCESS;
}

extern "C" uint32_t queue_sizes_nodes() { return node_count; }
extern "C" bool queue_sizes_is_card(uint32_t node) { return nodes[node].gpu_id != 0; }
extern "C" uint32_t queue_sizes_waves(uint32_t node) {
    return (uint32_t)(nodes[node].simd_per_cu * nodes[node].max_waves_per_simd);
}

static int call(unsigned long request, void* arguments) { return ioctl(kfd, request, arguments) == 0 ? 0 : errno; }

// Memory at an address of its own that the card sees.
struct Mapped {
    void* address = MAP_FAILED;
    int error = 0;

    Mapped(const Node& node, uint64_t size, uint32_t flags) {
        address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (address == MAP_FAILED) {
            error = errno;
            return;
        }
        KfdAlloc alloc = {};
        alloc.va = (uint64_t)address;
        alloc.size = size;
        alloc.gpu_id = node.gpu_id;
        alloc.flags = flags | KFD_WRITABLE | KFD_EXECUTABLE;
        if (flags & KFD_USERPTR) alloc.offset = alloc.va;
        if ((error = call(KFD_ALLOC, &alloc))) return;
        KfdMap map = {alloc.handle, (uint64_t)&node.gpu_id, 1, 0};
        error = call(KFD_MAP, &map);
    }
};

// Shared memory that stays mapped to the card.
static int register_svm(const Node& node, void* address, uint64_t size) {
    const uint32_t flags = KFD_HOST_ACCESS | KFD_GPU_EXEC | KFD_ALWAYS_MAPPED;
    KfdSvm svm = {(uint64_t)address,
                  size,
                  0,
                  6,
                  {{KFD_PREFETCH, node.gpu_id},
                   {KFD_PREFERRED, 0},
                   {KFD_CLEAR_FLAGS, ~flags},
                   {KFD_SET_FLAGS, flags},
                   {KFD_ACCESS, node.gpu_id},
                   {KFD_GRANULARITY, 0xff}}};
    return call(KFD_SVM, &svm);
}

extern "C" void queue_sizes_create(uint32_t index, QueueSizes* sizes) {
    const Node& node = nodes[index];
    const uint64_t units = node.simd_count / node.simd_per_cu / node.num_xcc;
    const bool rdna = node.gfx_target_version >= kNavi10;
    uint64_t waves = units * 40;
    if (rdna) {
        bool topology = strcmp(variable("QUEUE_WAVES", "topology"), "topology") == 0;
        waves = units * (topology ? queue_sizes_waves(index) : 32);
    } else {
        uint64_t most = node.array_count / node.simd_arrays_per_engine * 512;
        if (waves > most) waves = most;
    }
    uint64_t stack = up(40 + waves * (rdna ? 12 : 8) + 8, kPage);
    if (node.gfx_target_version / 10000 == 10 && stack > 0x7000) stack = 0x7000;
    const uint64_t unit = 0x40000 + 0x4000 + (node.lds_size_in_kb << 10) + 0x1000;
    const uint64_t area = stack + up(units * unit, kPage), debug = up(waves * 32, 64);
    sizes->ctl_stack = (uint32_t)(node.ctl_stack_size ? node.ctl_stack_size : stack);
    sizes->save_area = (uint32_t)(node.cwsr_size ? node.cwsr_size : area);
    sizes->allocated = (uint32_t)up((sizes->save_area + debug) * node.num_xcc, kPage);
    sizes->error = 0;

    char path[32];
    snprintf(path, sizeof path, "/dev/dri/renderD%u", (unsigned)node.drm_render_minor);
    KfdAcquireVm acquire = {(uint32_t)open(path, O_RDWR | O_CLOEXEC), node.gpu_id};
    if ((sizes->error = call(KFD_ACQUIRE_VM, &acquire))) return;

    const uint32_t host = KFD_USERPTR | KFD_COHERENT, ring_size = 0x10000;
    Mapped ring(node, ring_size, host), read(node, kPage, host), write(node, kPage, host), eop(node, kPage, KFD_VRAM);
    for (const Mapped* part : {&ring, &read, &write, &eop})
        if ((sizes->error = part->error)) return;

    void* save = nullptr;
    if (strcmp(variable("QUEUE_SAVE_AREA", "svm"), "svm") == 0) {
        save = mmap(nullptr, sizes->allocated, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sizes->error = save == MAP_FAILED ? errno : register_svm(node, save, sizes->allocated);
    } else {
        Mapped buffer(node, sizes->allocated, host);
        save = buffer.address;
        sizes->error = buffer.error;
    }
    if (sizes->error) return;

    KfdCreateQueue queue = {};
    queue.ring_base = (uint64_t)ring.address;
    queue.ring_size = ring_size;
    queue.read_pointer = (uint64_t)read.address;
    queue.write_pointer = (uint64_t)write.address;
    queue.gpu_id = node.gpu_id;
    queue.type = KFD_QUEUE_AQL;
    queue.percentage = 100;
    queue.priority = 7;
    queue.eop = (uint64_t)eop.address;
    queue.eop_size = kPage;
    queue.save_area = (uint64_t)save;
    queue.save_area_size = sizes->save_area;
    queue.ctl_stack_size = sizes->ctl_stack;
    if ((sizes->error = call(KFD_CREATE_QUEUE, &queue))) return;
    KfdDestroyQueue destroy = {queue.queue_id, 0};
    sizes->error = call(KFD_DESTROY_QUEUE, &destroy);
}
