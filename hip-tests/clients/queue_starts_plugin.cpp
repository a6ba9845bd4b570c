// A library with a copy of the runtime of its own.
#include <hsa/hsa.h>

#include "queue_sizes.h"

extern "C" int plugin_queue() {
    if (hsa_init() != HSA_STATUS_SUCCESS) return -1;
    QueueSizes sizes;
    queue_sizes_create(1, &sizes);
    return sizes.error;
}
