// What the stand-in for libhsa-runtime64 does beyond hsa.h.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A compute queue, as the runtime asks the kernel for it.
struct QueueSizes {
    uint32_t ctl_stack;
    uint32_t save_area;
    // Bytes allocated: save area and what debuggers find behind it.
    uint32_t allocated;
    // Why there is no queue; 0: there was one, and it is destroyed.
    int error;
};

// Asks for a queue on the card of a topology node, with the numbers that hsa_init read.
extern "C" void queue_sizes_create(uint32_t node, QueueSizes* sizes);
// Nodes of the topology, and whether one is a card.
extern "C" uint32_t queue_sizes_nodes();
extern "C" bool queue_sizes_is_card(uint32_t node);
// The text of any file, read as hsa_init reads the topology; false where it cannot be read.
extern "C" bool queue_sizes_read(const char* path, char* text, size_t size);
// What fork returned within hsa_init; -1 where it did not fork.
extern "C" pid_t queue_sizes_forked();
// Waves of a compute unit, as hsa_init read them.
extern "C" uint32_t queue_sizes_waves(uint32_t node);
