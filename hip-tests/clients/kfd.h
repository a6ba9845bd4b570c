// The calls of /dev/kfd that clients make, laid out as in linux/kfd_ioctl.h. That one includes drm/drm.h, which machines
// without libdrm's headers lack.
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

struct KfdCreateQueue {
    uint64_t ring_base, write_pointer, read_pointer, doorbell_offset;
    uint32_t ring_size, gpu_id, type, percentage, priority, queue_id;
    uint64_t eop, eop_size, save_area;
    uint32_t save_area_size, ctl_stack_size, sdma_engine, pad;
};
struct KfdDestroyQueue {
    uint32_t queue_id, pad;
};
struct KfdAcquireVm {
    uint32_t render, gpu_id;
};
struct KfdAlloc {
    uint64_t va, size, handle, offset;
    uint32_t gpu_id, flags;
};
struct KfdMap {
    uint64_t handle, gpu_ids;
    uint32_t count, done;
};
struct KfdAttribute {
    uint32_t type, value;
};
struct KfdSvm {
    uint64_t start, size;
    uint32_t op, count;
    KfdAttribute attributes[6];
};

enum : unsigned long {
    KFD_CREATE_QUEUE = _IOWR('K', 0x02, KfdCreateQueue),
    KFD_DESTROY_QUEUE = _IOWR('K', 0x03, KfdDestroyQueue),
    KFD_ACQUIRE_VM = _IOW('K', 0x15, KfdAcquireVm),
    KFD_ALLOC = _IOWR('K', 0x16, KfdAlloc),
    KFD_MAP = _IOWR('K', 0x18, KfdMap),
    KFD_SVM = _IOWR('K', 0x20, KfdSvm),
};

enum : uint32_t {
    KFD_QUEUE_AQL = 2,
    KFD_VRAM = 1u << 0,
    KFD_USERPTR = 1u << 2,
    KFD_COHERENT = 1u << 26,
    KFD_EXECUTABLE = 1u << 30,
    KFD_WRITABLE = 1u << 31,
    // Attributes of shared memory, and flags of two of them.
    KFD_PREFERRED = 0,
    KFD_PREFETCH = 1,
    KFD_ACCESS = 2,
    KFD_SET_FLAGS = 5,
    KFD_CLEAR_FLAGS = 6,
    KFD_GRANULARITY = 7,
    KFD_HOST_ACCESS = 1,
    KFD_GPU_EXEC = 0x10,
    KFD_ALWAYS_MAPPED = 0x40,
};
